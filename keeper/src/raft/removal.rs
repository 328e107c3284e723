//! How a node finds out that it is no member any more.
//!
//! The entry that forgets a node may never reach it: it was away, or the leader had already stopped sending to it. So a
//! node that no leader asks how it is asks the members it knows who the members are, and each answers with the newest
//! membership that it knows to be **committed**.
//!
//! **What it believes.** The committed memberships are one series, the same on every node. A node was left out if a
//! later one than the newest that it knows itself does not name it; and if the newest it knows does not name it either,
//! one at least as late is enough. Silence proves nothing, nor does what is not committed: a node that is cut off,
//! alone or with a deposed leader, goes on believing that it is a member. Everybody may answer, for what was committed
//! stays true whoever says it, however late.
//!
//! **What follows.** It serves nobody: its state stands still, and whoever reads there should go elsewhere. It does not
//! stand for election. It goes on answering other nodes, so that it can be added again; it is a member again as soon as
//! it knows a later committed membership that names it.
//!
//! **A node without data** has nobody to ask. But whoever counts its place among the members sends there what is meant
//! for a member, and that is remembered until this node starts anew: it founds no second group of the same name.
//!
//! **Left out.** Nothing of it is written down: started again, a node asks again. One that reaches nobody whom it knows
//! cannot find out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use keeper_proto::peer::envelope::Kind;
use openraft::alias::{SnapshotMetaOf, StoredMembershipOf};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::encode;
use super::handle::RaftHandle;
use super::limits::{DOUBT_AFTER, DOUBT_INTERVAL, MEMBERSHIP_MAX};
use super::network::{CallError, Class};
use super::type_config::{Member, TypeConfig};
use crate::clock;

type Membership = StoredMembershipOf<TypeConfig>;

/// This node was left out of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The entry that made the group one without it, or a later one.
    pub index: u64,
    /// Who the members are since then, and whether each votes.
    pub members: BTreeMap<u64, (Member, bool)>,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.members.values().map(|(member, _)| member.client_endpoint.as_str()).collect();
        write!(f, "this node is no member of its cluster any more; go to {}", others.join(", "))
    }
}

/// What this node knows of its own end.
#[derive(Debug)]
pub(super) struct Removal {
    counted_at: Mutex<Instant>,
    found: watch::Sender<Option<Removed>>,
    /// A node of this cluster has sent what is meant for another directory, or another number, in this one's place.
    expected: AtomicBool,
}

impl Default for Removal {
    fn default() -> Self {
        Self { counted_at: Mutex::new(clock::now()), found: watch::Sender::new(None), expected: AtomicBool::new(false) }
    }
}

impl Removal {
    /// A leader has asked this node how it is: it counts it among the members.
    pub(super) fn counted(&self) {
        *self.counted_at.lock() = clock::now();
    }

    pub(super) fn is_found(&self) -> bool {
        self.found.borrow().is_some()
    }

    /// A node of this cluster takes this one for a member that it is not, or not any more.
    pub(super) fn expected(&self) {
        self.expected.store(true, Ordering::Relaxed);
    }

    /// Whether a member is expected in this node's place. It says something of a node without data only: others are
    /// mistaken for one another where addresses are wrong.
    pub(super) fn is_expected(&self) -> bool {
        self.expected.load(Ordering::Relaxed)
    }
}

/// Looks whether this node is still a member; on every node, for as long as it runs.
pub(super) struct RemovalRounds {
    pub(super) handle: RaftHandle,
}

impl RemovalRounds {
    pub(super) async fn run(self) {
        loop {
            tokio::time::sleep(DOUBT_INTERVAL).await;
            let removal = &self.handle.removal;
            let doubts = removal.counted_at.lock().elapsed() >= DOUBT_AFTER && !self.handle.leadership.borrow().own;
            if !doubts && !removal.is_found() {
                continue;
            }
            // Raft that has stopped says so elsewhere.
            let Ok(own) = self.handle.committed_membership().await else { continue };
            // Out of its lock before it is changed.
            let known = self.handle.removed();
            if let Some(known) = known {
                self.come_back(&known, &own.last_membership);
                continue;
            }
            self.look(&own.last_membership).await;
        }
    }

    async fn look(&self, own: &Membership) {
        let node = *self.handle.raft.node_id();
        let others = own.membership().nodes().filter(|(id, _)| **id != node);
        let answers = join_all(others.map(|(id, member)| self.ask(*id, member))).await;
        let told = answers.into_iter().filter_map(|answer| {
            answer.inspect_err(|error| tracing::debug!(%error, "a member did not say who the members are")).ok()
        });
        let disk = self.handle.peers.disk_id();
        let Some(removed) = told.filter_map(|told| left_out(node, disk, own, &told)).max_by_key(|it| it.index) else {
            return;
        };
        tracing::warn!(node, index = removed.index, %removed, "this node was removed: stop it, or add it again");
        self.handle.removal.found.send_replace(Some(removed));
    }

    async fn ask(&self, id: u64, member: &Member) -> Result<Membership, CallError> {
        let peer = self.handle.peers.peer(Class::Control, id, member);
        let answer = peer.call(Kind::Membership, Bytes::new(), MEMBERSHIP_MAX).await?;
        let known = encode::decode_snapshot_meta(answer).map_err(|error| peer.malformed(error))?;
        Ok(known.last_membership)
    }

    fn come_back(&self, known: &Removed, own: &Membership) {
        let (node, disk) = (*self.handle.raft.node_id(), self.handle.peers.disk_id());
        if index(own) > Some(known.index) && names(own, node, disk) {
            tracing::info!(node, "this node is a member again");
            self.handle.removal.found.send_replace(None);
        }
    }
}

impl RaftHandle {
    /// Whether this node knows that it was left out of the group.
    #[must_use]
    pub fn removed(&self) -> Option<Removed> {
        self.removal.found.borrow().clone()
    }

    /// Whether its cluster runs and expects a member in its place; asked of a node without data.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        self.removal.is_expected()
    }

    /// Follows [`RaftHandle::removed`].
    #[must_use]
    pub fn watch_removed(&self) -> watch::Receiver<Option<Removed>> {
        self.removal.found.subscribe()
    }

    /// What this node knows to be committed, and who the members are by it.
    pub(super) async fn committed_membership(&self) -> Result<SnapshotMetaOf<TypeConfig>, String> {
        let known = |state: &openraft::RaftState<TypeConfig>| SnapshotMetaOf::<TypeConfig> {
            last_log_id: state.local_committed().copied(),
            last_membership: state.membership_state.committed().as_ref().clone(),
        };
        self.raft.with_raft_state(known).await.map_err(|fatal| fatal.to_string())
    }
}

/// Whether a node with this directory is left out, by what it knows itself and by what it was told; both committed.
fn left_out(node: u64, disk: u64, own: &Membership, told: &Membership) -> Option<Removed> {
    let is_news = if names(own, node, disk) { index(told) > index(own) } else { index(told) >= index(own) };
    if !is_news || names(told, node, disk) {
        return None;
    }
    let voters: Vec<_> = told.membership().voter_ids().collect();
    let members = told.membership().nodes().map(|(id, member)| (*id, (member.clone(), voters.contains(id)))).collect();
    Some(Removed { index: index(told)?, members })
}

fn names(membership: &Membership, node: u64, disk: u64) -> bool {
    membership.membership().get_node(&node).is_some_and(|member| member.disk_id == disk)
}

fn index(membership: &Membership) -> Option<u64> {
    membership.log_id().as_ref().map(|id| id.index)
}

#[cfg(test)]
mod tests {
    use openraft::alias::LogIdOf;
    use openraft::vote::RaftLeaderId as _;

    use super::*;

    /// The membership of an entry: nodes whose directories are ten times their numbers.
    fn at(index: u64, nodes: &[u64]) -> Membership {
        let member = |id: &u64| (*id, Member { disk_id: id * 10, ..Member::default() });
        let members: BTreeMap<_, _> = nodes.iter().map(member).collect();
        let voters = vec![nodes.iter().copied().collect()];
        let membership = openraft::Membership::new(voters, members).expect("every voter is a member");
        let leader = openraft::alias::LeaderIdOf::<TypeConfig>::new(1, 1).to_committed();
        Membership::new(Some(LogIdOf::<TypeConfig>::new(leader, index)), membership)
    }

    fn found(own: &Membership, told: &Membership) -> Option<u64> {
        left_out(3, 30, own, told).map(|removed| removed.index)
    }

    #[test]
    fn a_later_membership_without_the_node_proves_it() {
        assert_eq!(found(&at(5, &[1, 2, 3]), &at(6, &[1, 2])), Some(6));
        assert_eq!(found(&at(6, &[1, 2]), &at(6, &[1, 2])), Some(6), "it has seen its own end");
        let members = left_out(3, 30, &at(5, &[1, 2, 3]), &at(6, &[1, 2])).map(|removed| removed.members.len());
        assert_eq!(members, Some(2));
    }

    #[test]
    fn what_is_older_or_names_the_node_proves_nothing() {
        assert_eq!(found(&at(5, &[1, 2, 3]), &at(4, &[1, 2])), None, "it was before the node came");
        assert_eq!(found(&at(5, &[1, 2, 3]), &at(5, &[1, 2, 3])), None);
        assert_eq!(found(&at(5, &[1, 2, 3]), &at(9, &[1, 2, 3])), None);
        assert_eq!(found(&at(5, &[1, 2]), &at(9, &[1, 2, 3])), None, "it has come");
        assert_eq!(found(&Membership::default(), &Membership::default()), None, "there is no group");
    }

    #[test]
    fn a_member_with_another_directory_is_another_node() {
        let replaced = left_out(3, 31, &at(5, &[1, 2, 3]), &at(6, &[1, 2, 3]));
        assert_eq!(replaced.map(|removed| removed.index), Some(6));
    }
}
