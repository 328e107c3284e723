//! Who leads, as this node sees it.
//!
//! **A term may have two leaders.** openraft names a leader by term and node, and orders the names: a voter that has
//! granted (7, node 1) still grants (7, node 2), which deposes the former as a higher term would. It spares the round
//! that split votes cost. So a term alone names a leader only on the node that led in it: a candidate always begins a
//! term of its own, above every vote it knows, so no node leads twice in one.
//!
//! What follows from it, everywhere in this crate: votes and log ids are compared whole, term and node, also as bytes
//! (the synced mark); an entry is proposed under the full name of its leader; and the bare terms that leases and the
//! proposer keep are compared with other offices of the same node, never with what another node said. Where a read
//! round hands a term over, the node in the name is checked first.

use std::sync::Arc;

use openraft::ServerState;
use openraft::alias::LeaderIdOf;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::metrics::RaftServerMetrics;
use tokio::sync::watch;

use super::contact::Contact;
use super::machine::RaftNode;
use super::own_address::OwnAddress;
use super::type_config::{Member, TypeConfig};

/// How much of the name of an office says which node holds it.
const OFFICE_NODE_BITS: u32 = 16;

/// Who leads. A view, not a proof: a leader that was cut off goes on believing for a while. Proof is
/// [`RaftHandle::confirm_leadership`](super::RaftHandle::confirm_leadership).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The newest term this node has voted in.
    pub term: u64,
    /// The leader of that term, as soon as it is known.
    pub leader: Option<(u64, Member)>,
    /// This node is the leader.
    pub own: bool,
    /// This node is the leader and has applied the first entry of its term: whatever was acknowledged by those before
    /// it is in its state.
    pub ready: bool,
}

impl Leadership {
    /// A number that this term of office of this leader alone has: a term may have two leaders, and clients that
    /// compare what they are told are to notice. Numbers of nodes are small, being given one after the other.
    #[must_use]
    pub fn office(&self) -> u64 {
        let node = self.leader.as_ref().map_or(0, |(node, _)| *node);
        (self.term << OFFICE_NODE_BITS) | (node & ((1 << OFFICE_NODE_BITS) - 1))
    }

    /// Where clients reach the leader, if it is known.
    #[must_use]
    pub fn leader_endpoint(&self) -> Option<String> {
        self.leader.as_ref().map(|(_, member)| member.client_endpoint.clone())
    }
}

/// Keeps [`Leadership`] up to date until the node stops; then nobody leads. Nobody does either while another process
/// with this node's directory is found: neither this node's word counts, nor what it hears.
pub(super) struct LeadershipWatch {
    pub(super) raft: RaftNode,
    /// Who led when the newest applied entry was proposed.
    pub(super) applied: watch::Receiver<Option<LeaderIdOf<TypeConfig>>>,
    pub(super) leadership: Arc<watch::Sender<Leadership>>,
    pub(super) contact: Arc<Contact>,
    pub(super) own_address: Arc<OwnAddress>,
}

impl LeadershipWatch {
    pub(super) async fn run(mut self) {
        let mut metrics = self.raft.server_metrics();
        let mut found = self.own_address.watch();
        loop {
            found.mark_unchanged();
            let seen = metrics.borrow_watched().clone();
            let applied = *self.applied.borrow_and_update();
            let mut now = leadership(&seen, applied);
            if self.own_address.is_doubted() {
                now = Leadership { term: now.term, ..Leadership::default() };
            }
            if now.own {
                self.contact.took_office(seen.vote.leader_id);
            }
            self.leadership.send_if_modified(|before| {
                let changed = *before != now;
                *before = now;
                changed
            });
            let going_on = tokio::select! {
                changed = metrics.changed() => changed.is_ok(),
                changed = self.applied.changed() => changed.is_ok(),
                changed = found.changed() => changed.is_ok(),
            };
            if !going_on {
                self.leadership.send_modify(|last| *last = Leadership { term: last.term, ..Leadership::default() });
                return;
            }
        }
    }
}

fn leadership(seen: &RaftServerMetrics<TypeConfig>, applied: Option<LeaderIdOf<TypeConfig>>) -> Leadership {
    let voted = seen.vote.leader_id;
    // The vote is that on disk, the leader that in memory: for an instant after an election they may differ.
    let leader = seen.current_leader.filter(|leader| *leader == voted.node_id);
    let leader = leader.and_then(|id| {
        let member = seen.membership_config.membership().get_node(&id)?;
        Some((id, member.clone()))
    });
    let own = seen.state == ServerState::Leader && leader.as_ref().is_some_and(|(id, _)| *id == seen.id);
    Leadership { term: voted.term, leader, own, ready: own && applied == Some(voted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leaders_of_one_term_hold_two_offices() {
        let led = |term, node| Leadership { term, leader: Some((node, Member::default())), own: true, ready: true };
        let offices = [led(7, 1), led(7, 2), led(8, 1)].map(|leadership| leadership.office());
        assert!(offices.is_sorted_by(|a, b| a < b), "{offices:?}");
    }
}
