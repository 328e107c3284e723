//! Founding a group that a restored node leads alone.
//!
//! The members first learn the state, without a vote, and vote once they have it: the group never depends on a node
//! that has nothing yet. The last change is the one that gives this node its addresses, so that a founding that was cut
//! off can be repeated until it is complete.

use std::collections::{BTreeMap, BTreeSet};

use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, RaftMetrics};
use tokio::time::timeout;

use super::handle::{InitializeRefused, RaftHandle};
use super::limits::TAKE_OFFICE_MAX;
use super::type_config::{Member, TypeConfig};

/// How this node stands to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to none.
    Uninitialized,
    /// It was restored from a backup and leads a group of itself alone, which is yet to be founded.
    Restored,
    /// It belongs to one.
    Member,
}

impl RaftHandle {
    /// How this node stands to a group.
    ///
    /// # Errors
    /// Only [`InitializeRefused::Stopped`].
    pub async fn standing(&self) -> Result<Standing, InitializeRefused> {
        if !self.is_initialized().await? {
            return Ok(Standing::Uninitialized);
        }
        let is_reached = self.own_member().is_none_or(|own| !own.peer_endpoint.is_empty());
        Ok(if is_reached { Standing::Member } else { Standing::Restored })
    }

    /// Makes the members of the group those named; this node is among them, and has their data directories.
    pub(super) async fn found_restored(&self, members: BTreeMap<u64, Member>) -> Result<(), InitializeRefused> {
        self.take_office().await?;
        let own = *self.raft.node_id();
        let learners: BTreeMap<_, _> =
            members.iter().filter(|(id, _)| **id != own).map(|(id, it)| (*id, it.clone())).collect();
        let replaced = self.replaced(&learners);
        if !replaced.is_empty() {
            // What an earlier try knew of them must be forgotten: their disks may have been lost since.
            self.change(ChangeMembers::RemoveNodes(replaced)).await?;
        }
        self.change(ChangeMembers::AddNodes(learners.clone())).await?;
        self.caught_up(&learners).await?;
        let reached = members.iter().filter(|(id, _)| **id == own).map(|(id, it)| (*id, it.clone())).collect();
        let voters = members.keys().copied().collect();
        let changes = vec![ChangeMembers::SetNodes(reached), ChangeMembers::ReplaceAllVoters(voters)];
        self.change(ChangeMembers::Batch(changes)).await
    }

    /// The directory of a member that an earlier try has made one already.
    pub(super) fn has_joined(&self, id: u64, disk_id: u64) -> bool {
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        seen.membership_config.membership().get_node(&id).is_some_and(|member| member.disk_id == disk_id)
    }

    /// Whether an earlier try has made a node of this number a member.
    pub(super) fn has_named(&self, id: u64) -> bool {
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        seen.membership_config.membership().get_node(&id).is_some()
    }

    /// Those that an earlier try has made learners with another directory or address.
    fn replaced(&self, learners: &BTreeMap<u64, Member>) -> BTreeSet<u64> {
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        let known = seen.membership_config.membership();
        let differs = |(id, member): &(&u64, &Member)| known.get_node(id).is_some_and(|known| known != *member);
        learners.iter().filter(differs).map(|(id, _)| *id).collect()
    }

    fn own_member(&self) -> Option<Member> {
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        seen.membership_config.membership().get_node(self.raft.node_id()).cloned()
    }

    /// A node that has just started elects itself first.
    async fn take_office(&self) -> Result<(), InitializeRefused> {
        let mut leadership = self.leadership();
        let ready = leadership.wait_for(|leadership| leadership.own && leadership.ready);
        match timeout(TAKE_OFFICE_MAX, ready).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(InitializeRefused::Stopped),
            Err(_) => Err(InitializeRefused::NotLeading),
        }
    }

    /// Waits until the members have what this node has now. Whoever asked decides for how long.
    async fn caught_up(&self, members: &BTreeMap<u64, Member>) -> Result<(), InitializeRefused> {
        let mut metrics = self.raft.metrics();
        let target = metrics.borrow_watched().last_applied.map(|id| id.index);
        loop {
            let seen = metrics.borrow_watched().clone();
            if members.keys().all(|id| matched(&seen, *id) >= target) {
                return Ok(());
            }
            metrics.changed().await.map_err(|_| InitializeRefused::Stopped)?;
        }
    }

    async fn change(&self, change: ChangeMembers<u64, Member>) -> Result<(), InitializeRefused> {
        match self.raft.change_membership(change, false).await {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(_)) => Err(InitializeRefused::Stopped),
            Err(RaftError::APIError(error)) => Err(refused(&error)),
        }
    }
}

fn refused(error: &ClientWriteError<TypeConfig>) -> InitializeRefused {
    match error {
        ClientWriteError::ForwardToLeader(_) | ClientWriteError::LogEntryDiscarded(_) => InitializeRefused::NotLeading,
        ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_) => {
            InitializeRefused::Changing { reason: error.to_string() }
        }
    }
}

fn matched(seen: &RaftMetrics<TypeConfig>, id: u64) -> Option<u64> {
    seen.replication.as_ref()?.get(&id)?.map(|log_id| log_id.index)
}
