//! What a node says about its part in the group.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openraft::alias::WatchReceiverOf;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::{Instant as _, RaftMetrics, ServerState};

use super::contact::Contact;
use super::network::Acknowledged;
use super::type_config::{Member, TypeConfig};

/// A node's part in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes entries and does not vote.
    Learner,
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Was elected, and no quorum answers it any more, or none is left without members that took back what they had
    /// acknowledged: it can commit nothing.
    NoQuorum,
    /// Has stopped.
    Stopped,
}

/// A node as a member of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Where it is reached.
    pub member: Member,
    /// It votes; learners do not.
    pub voter: bool,
    /// Known to the leader only: the last entry it certainly has.
    pub matched: Option<u64>,
    /// Known to the leader only: how long ago it was sent the last message that it has answered. None if it took back
    /// what it had acknowledged.
    pub heard_ago: Option<Duration>,
    /// Known to the leader only: it has not answered for longer than an election takes, or took back what it had
    /// acknowledged.
    pub silent: bool,
    /// Known to the leader only: it took back what it had acknowledged.
    pub took_back: bool,
}

/// What a node knows of itself and the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftStatus {
    /// This node.
    pub id: u64,
    /// What it does.
    pub role: Role,
    /// The newest term it has voted in.
    pub term: u64,
    /// Who leads, as long as its word is current: on the leader a quorum answers it, elsewhere it is heard.
    pub leader: Option<u64>,
    /// The last entry in its log.
    pub last_log: Option<u64>,
    /// The last entry it knows to be committed.
    pub committed: Option<u64>,
    /// The last entry applied to its state.
    pub applied: Option<u64>,
    /// The last entry covered by its snapshot.
    pub snapshot: Option<u64>,
    /// The last entry removed from its log.
    pub purged: Option<u64>,
    /// The entry that made the group what it is.
    pub membership: Option<u64>,
    /// A change of membership is under way.
    pub changing: bool,
    /// All members.
    pub members: BTreeMap<u64, MemberStatus>,
}

/// Follows the status of a node.
#[derive(Clone)]
pub struct StatusWatch {
    pub(super) metrics: WatchReceiverOf<TypeConfig, RaftMetrics<TypeConfig>>,
    pub(super) contact: Arc<Contact>,
    pub(super) acknowledged: Arc<Acknowledged>,
}

impl StatusWatch {
    /// The status of this moment.
    #[must_use]
    pub fn status(&self) -> RaftStatus {
        // Held for no longer than the clone takes: the core waits for this lock.
        let seen = self.metrics.borrow_watched().clone();
        status(seen, &self.contact, &self.acknowledged)
    }

    /// Waits for the next change; a change since the last wait counts, and silence is none. Once the node has stopped,
    /// waits for ever.
    pub async fn changed(&mut self) {
        if self.metrics.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for StatusWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watch of {:?}", self.status())
    }
}

fn status(seen: RaftMetrics<TypeConfig>, contact: &Contact, acknowledged: &Acknowledged) -> RaftStatus {
    let members = members(&seen, contact, acknowledged);
    let leader = contact.leader(&seen).filter(|_| seen.state != ServerState::Leader || can_commit(&seen, &members));
    RaftStatus {
        id: seen.id,
        role: role(seen.state, leader),
        term: seen.current_term,
        leader,
        last_log: seen.last_log_index,
        committed: seen.local_committed.map(|id| id.index),
        applied: seen.last_applied.map(|id| id.index),
        snapshot: seen.snapshot.map(|id| id.index),
        purged: seen.purged.map(|id| id.index),
        membership: seen.membership_config.log_id().map(|id| id.index),
        changing: seen.membership_config.membership().get_joint_config().len() > 1,
        members,
    }
}

/// On the leader: whether a majority of the voters is left where some took back what they had acknowledged. Those
/// answer, so that openraft counts on them; nothing is committed by them.
fn can_commit(seen: &RaftMetrics<TypeConfig>, members: &BTreeMap<u64, MemberStatus>) -> bool {
    if !members.values().any(|member| member.took_back) {
        return true;
    }
    let is_lost = |id: &&u64| members.get(id).is_none_or(|member| member.silent);
    let configs = seen.membership_config.membership().get_joint_config();
    configs.iter().all(|voters| voters.iter().filter(is_lost).count() * 2 < voters.len())
}

const fn role(state: ServerState, leader: Option<u64>) -> Role {
    match state {
        ServerState::Learner => Role::Learner,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Leader if leader.is_none() => Role::NoQuorum,
        ServerState::Leader => Role::Leader,
        ServerState::Shutdown => Role::Stopped,
    }
}

fn members(
    seen: &RaftMetrics<TypeConfig>,
    contact: &Contact,
    acknowledged: &Acknowledged,
) -> BTreeMap<u64, MemberStatus> {
    let membership = seen.membership_config.membership();
    let voters: BTreeSet<_> = membership.voter_ids().collect();
    let one = |(id, member): (&u64, &Member)| {
        let matched = seen.replication.as_ref().and_then(|all| all.get(id)?.map(|log_id| log_id.index));
        let heard = seen.heartbeat.as_ref().and_then(|all| *all.get(id)?);
        // Its answers are of no use: no change of the membership may count on them.
        let is_taken_back = acknowledged.is_taken_back(seen.vote.leader_id, (*id, member.disk_id));
        let heard_ago = heard.filter(|_| !is_taken_back).map(|at| at.elapsed());
        let status = MemberStatus {
            member: member.clone(),
            voter: voters.contains(id),
            matched,
            heard_ago,
            took_back: is_taken_back,
            silent: *id != seen.id && (is_taken_back || contact.is_silent(seen, heard_ago)),
        };
        (*id, status)
    };
    membership.nodes().map(one).collect()
}
