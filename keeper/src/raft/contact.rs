//! Whether a leader's word is current: what this node says of who leads.
//!
//! openraft knows a leader until there is a newer vote, and without a majority there is none: with pre-vote nobody so
//! much as begins a term. So a leader that lost its majority would say for ever that it leads, and a follower whose
//! leader died that it follows.
//!
//! - **On the leader** its word is current while a quorum has answered something that it sent within the bound.
//! - **On any other node** it is while that leader is heard within the bound, and does not say itself that no quorum
//!   answers it. A leader in that state goes on sending now and then (see `quorum_loss_probe_interval`), so that being
//!   heard is not enough.
//!
//! The bound is how long a follower waits at most until it stands for election: the leader's lease, and the longest
//! timeout after it. Until then a majority that is connected has not chosen anybody else; what is over before that
//! shows nowhere, and an idle cluster, which sends heartbeats, shows nothing either.
//!
//! **Nothing is decided by it.** Who may propose, what a read relies on and where calls are sent is
//! [`Leadership`](super::Leadership) and the rounds of reads; this is for admins, probes and gauges.

use std::time::Duration;

use openraft::alias::LeaderIdOf;
use openraft::{Instant as _, RaftMetrics, ServerState};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::options::RaftOptions;
use super::type_config::TypeConfig;
use crate::clock;

type LeaderId = LeaderIdOf<TypeConfig>;

/// What was heard of the newest leader that was heard of.
#[derive(Debug)]
pub(super) struct Contact {
    bound: Duration,
    heard: Mutex<Option<Heard>>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    leader: LeaderId,
    /// On the leader itself: since when it leads.
    at: Instant,
    quorum: Quorum,
}

/// What a leader says of its quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quorum {
    /// It answers, or nothing was said of it.
    Answers,
    /// It has not answered for longer than an election takes.
    Lost,
}

impl Contact {
    pub(super) const fn new(options: &RaftOptions) -> Self {
        Self { bound: Duration::from_millis(2 * options.election_max_ms), heard: Mutex::new(None) }
    }

    /// A leader has sent something; one that has been replaced may still do so, and does not count.
    pub(super) fn heard(&self, leader: LeaderId) {
        let mut heard = self.heard.lock();
        match heard.as_mut().filter(|heard| heard.leader >= leader) {
            Some(heard) if heard.leader == leader => heard.at = clock::now(),
            Some(_) => {}
            None => *heard = Some(Heard { leader, at: clock::now(), quorum: Quorum::Answers }),
        }
    }

    /// This node leads: a quorum has just voted for it.
    pub(super) fn took_office(&self, own: LeaderId) {
        if self.heard.lock().is_none_or(|heard| heard.leader < own) {
            self.heard(own);
        }
    }

    /// The leader has said how it is with its quorum.
    pub(super) fn told(&self, leader: u64, quorum: Quorum) {
        if let Some(heard) = self.heard.lock().as_mut().filter(|heard| heard.leader.node_id == leader) {
            heard.quorum = quorum;
        }
    }

    /// Who leads, if its word is current.
    pub(super) fn leader(&self, seen: &RaftMetrics<TypeConfig>) -> Option<u64> {
        let office = seen.vote.leader_id;
        // The vote is that on disk, the leader that in memory: for an instant after an election they may differ.
        seen.current_leader.filter(|leader| *leader == office.node_id)?;
        let heard = self.heard.lock().filter(|heard| heard.leader == office);
        let is_heard = heard.is_some_and(|heard| heard.at.elapsed() <= self.bound);
        let is_current = if seen.state == ServerState::Leader {
            let acked = seen.last_quorum_acked.as_ref().is_some_and(|at| at.elapsed() <= self.bound);
            is_heard || acked || is_alone(seen)
        } else {
            is_heard && heard.is_some_and(|heard| heard.quorum == Quorum::Answers)
        };
        is_current.then_some(office.node_id)
    }

    /// On the leader: whether a member that answered last so long ago is silent. One that has never answered this
    /// leader is once it has led for so long.
    pub(super) fn is_silent(&self, seen: &RaftMetrics<TypeConfig>, answered_ago: Option<Duration>) -> bool {
        let heard = self.heard.lock().filter(|heard| heard.leader == seen.vote.leader_id);
        let since = answered_ago.or_else(|| heard.map(|heard| heard.at.elapsed()));
        seen.state == ServerState::Leader && since.is_some_and(|since| since > self.bound)
    }
}

/// The only voter is its own quorum, and asks nobody.
fn is_alone(seen: &RaftMetrics<TypeConfig>) -> bool {
    seen.membership_config.membership().voter_ids().all(|voter| voter == seen.id)
}

#[cfg(test)]
mod tests {
    use openraft::Vote;
    use openraft::vote::RaftLeaderId as _;

    use super::*;

    fn contact() -> Contact {
        Contact::new(&RaftOptions { election_max_ms: 500, ..RaftOptions::default() })
    }

    fn office(term: u64, node: u64) -> LeaderId {
        LeaderId::new(term, node)
    }

    /// What a node sees that voted for this leader.
    fn seen(own: u64, leader: LeaderId) -> RaftMetrics<TypeConfig> {
        let mut seen = RaftMetrics::new_initial(own);
        seen.vote = Vote { leader_id: leader, committed: true };
        seen.current_leader = Some(leader.node_id);
        seen.state = if own == leader.node_id { ServerState::Leader } else { ServerState::Follower };
        seen
    }

    async fn pass(ms: u64) {
        tokio::time::advance(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_falls_silent_is_none_after_an_election_and_not_before() {
        let (contact, leader) = (contact(), office(3, 1));
        let follower = seen(2, leader);
        assert_eq!(contact.leader(&follower), None, "what was on the disk at the start was not heard");
        contact.heard(leader);
        pass(1_000).await;
        assert_eq!(contact.leader(&follower), Some(1));
        pass(1).await;
        assert_eq!(contact.leader(&follower), None);
        contact.heard(leader);
        assert_eq!(contact.leader(&follower), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_was_replaced_is_not_counted_however_much_it_says() {
        let (contact, leader) = (contact(), office(3, 2));
        contact.heard(leader);
        contact.heard(office(3, 1));
        assert_eq!(contact.leader(&seen(3, leader)), Some(2));
        pass(1_001).await;
        contact.heard(office(3, 1));
        assert_eq!(contact.leader(&seen(3, leader)), None);
        contact.told(1, Quorum::Lost);
        contact.heard(office(4, 1));
        assert_eq!(contact.leader(&seen(3, office(4, 1))), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_says_it_has_no_quorum_leads_nobody() {
        let (contact, leader) = (contact(), office(3, 1));
        contact.heard(leader);
        contact.told(1, Quorum::Lost);
        contact.heard(leader);
        assert_eq!(contact.leader(&seen(2, leader)), None);
        contact.told(1, Quorum::Answers);
        assert_eq!(contact.leader(&seen(2, leader)), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_begins_with_the_quorum_that_elected_it() {
        let (contact, own) = (contact(), office(3, 1));
        let mut leading = seen(1, own);
        let voters = std::collections::BTreeSet::from([1, 2, 3]);
        let nodes: std::collections::BTreeMap<_, _> = voters.iter().map(|id| (*id, Default::default())).collect();
        let membership = openraft::Membership::new(vec![voters], nodes).expect("a membership");
        leading.membership_config = openraft::StoredMembership::new(None, membership).into();
        contact.took_office(own);
        assert_eq!(contact.leader(&leading), Some(1));
        assert!(!contact.is_silent(&leading, None));
        pass(1_001).await;
        contact.took_office(own);
        assert_eq!(contact.leader(&leading), None, "an office is taken once");
        assert!(contact.is_silent(&leading, None));
        assert!(!contact.is_silent(&leading, Some(Duration::from_millis(100))));
    }
}
