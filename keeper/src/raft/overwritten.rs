//! Committed entries that the group has written anew, without them.
//!
//! What is committed is on a majority, and no leader is elected that lacks it. Where one was all the same, members have
//! lost what they acknowledged: directories were put back from older copies, or one ran twice. The members that still
//! have it can neither follow, since what they have was acknowledged, nor decide that it is to be given up.
//!
//! openraft asserts that this does not happen, and panics. So what leaders send is looked at before: an entry at or
//! below the last one that is committed here, and with a later leader than that, stands where another one is committed.
//! That is exact: a leader that has what is committed has nothing of a later leader below it.
//!
//! **What follows.** The node ends, each time that it is started, and says why. Its directory stays as it is: it may be
//! the only one that has what was lost.
//!
//! **Who lost it too** may follow such a leader. But from the one before, a leader may know as committed what it does
//! not have, and name it to them; openraft would then apply what their logs do not have either, and panic. What a
//! leader names as committed and cannot have is passed over.
//!
//! **Left out.** Where the leader has no such entries in its log any more it sends a snapshot, which is refused if it
//! ends at or below what is committed here. A later one may cover what was written anew and shows nothing of it.

use openraft::alias::LogIdOf;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::raft::AppendEntriesRequest;
use tokio::sync::watch;

use super::machine::RaftNode;
use super::type_config::TypeConfig;

type LogId = LogIdOf<TypeConfig>;

/// The group went on without what this node knows to be committed. The process must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cluster has lost entries that were committed, and has gone on without them: here the entries up to \
     {committed} were committed, the last of them in term {term}, and its leader has another entry {index}, of node \
     {leader} in term {leader_term}. So a majority lost what it had acknowledged: data directories were put back from \
     older copies, or one ran twice. This node cannot follow that leader, and ends. Keep its data directory: it may \
     hold the only copy of what was lost. To go on without that, set it aside with `keeper forget --config FILE`, \
     which keeps it, and start the node: the leader takes it in anew"
)]
pub struct Overwritten {
    /// The last entry that was committed here.
    pub committed: u64,
    /// The term in which it was written.
    pub term: u64,
    /// The first entry that differs, as far as is known.
    pub index: u64,
    /// Who wrote it.
    pub leader: u64,
    /// In which term.
    pub leader_term: u64,
}

/// What is committed here, and whether the group contradicts it.
#[derive(Debug)]
pub(super) struct History {
    /// When this node started; the core may say less for a moment.
    committed: Option<LogId>,
    found: watch::Sender<Option<Overwritten>>,
}

impl History {
    pub(super) fn new(committed: Option<LogId>) -> Self {
        Self { committed, found: watch::Sender::new(None) }
    }

    /// Whether a leader sends what contradicts this node.
    pub(super) fn check_append(
        &self,
        raft: &RaftNode,
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> Result<(), Overwritten> {
        let entries = request.entries.iter().map(|entry| entry.log_id);
        self.check(raft, request.prev_log_id.into_iter().chain(entries))
    }

    /// Whether a log that has these entries, in their order, contradicts this node.
    pub(super) fn check(&self, raft: &RaftNode, log: impl Iterator<Item = LogId>) -> Result<(), Overwritten> {
        let now = raft.data_metrics().borrow_watched().local_committed;
        let Some(overwritten) = contradiction(now.max(self.committed), log) else { return Ok(()) };
        self.found.send_replace(Some(overwritten.clone()));
        Err(overwritten)
    }

    /// Waits until one was found.
    pub(super) async fn overwritten(&self) -> Overwritten {
        let mut found = self.found.subscribe();
        match found.wait_for(Option::is_some).await.map(|found| found.clone()) {
            Ok(Some(overwritten)) => overwritten,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// Passes over what a leader names as committed and cannot have: it ends later than the log that it sends, and is of an
/// earlier leader.
pub(super) fn pass_over_unknown_commit(request: &mut AppendEntriesRequest<TypeConfig>) {
    let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
    let (Some(commit), Some(last)) = (request.leader_commit, last) else { return };
    if commit.index > last.index && commit < last {
        request.leader_commit = None;
    }
}

fn contradiction(committed: Option<LogId>, log: impl Iterator<Item = LogId>) -> Option<Overwritten> {
    let committed = committed?;
    let other = log.take_while(|id| id.index <= committed.index).find(|id| *id > committed)?;
    let (ours, theirs) = (committed.committed_leader_id(), other.committed_leader_id());
    Some(Overwritten {
        committed: committed.index,
        term: ours.term,
        index: other.index,
        leader: theirs.node_id,
        leader_term: theirs.term,
    })
}

#[cfg(test)]
mod tests {
    use openraft::alias::LeaderIdOf;
    use openraft::vote::RaftLeaderId as _;

    use super::*;

    fn entry(term: u64, index: u64) -> LogId {
        LogId { leader_id: LeaderIdOf::<TypeConfig>::new(term, 1).to_committed(), index }
    }

    fn found(committed: LogId, log: &[(u64, u64)]) -> Option<u64> {
        let log = log.iter().map(|(term, index)| entry(*term, *index));
        contradiction(Some(committed), log).map(|overwritten| overwritten.index)
    }

    #[test]
    fn an_entry_of_a_later_leader_below_what_is_committed_contradicts_it() {
        assert_eq!(found(entry(1, 8), &[(1, 4), (2, 5), (2, 6)]), Some(5));
        assert_eq!(found(entry(1, 8), &[(2, 8)]), Some(8));
    }

    #[test]
    fn what_a_leader_names_as_committed_and_cannot_have_is_passed_over() {
        let believed = |commit, last| {
            let vote = openraft::Vote { leader_id: LeaderIdOf::<TypeConfig>::new(2, 1), committed: true };
            let (prev_log_id, leader_commit) = (Some(last), Some(commit));
            let mut request = AppendEntriesRequest { vote, prev_log_id, entries: Vec::new(), leader_commit };
            pass_over_unknown_commit(&mut request);
            request.leader_commit.is_some()
        };
        assert!(!believed(entry(1, 8), entry(2, 5)), "it was elected without it");
        assert!(believed(entry(1, 4), entry(2, 5)));
        assert!(believed(entry(2, 8), entry(2, 5)), "the rest is on its way");
        assert!(believed(entry(1, 8), entry(1, 5)));
    }

    #[test]
    fn what_follows_on_what_is_committed_does_not() {
        assert_eq!(found(entry(1, 8), &[(1, 8), (2, 9), (2, 10)]), None);
        assert_eq!(found(entry(3, 8), &[(1, 4), (2, 5), (3, 6)]), None, "it is sent again");
        assert_eq!(contradiction(None, [entry(2, 1)].into_iter()), None);
    }
}
