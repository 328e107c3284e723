//! What a Raft node does by itself beside openraft: rounds of reads and of vitals, the view of the leadership,
//! the doubts whether it is still a member and the only one of its name, snapshots when due.
//!
//! One future, so that one task owns all of it and everything ends together.

use std::fmt;
use std::sync::Arc;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use tokio_util::sync::CancellationToken;

use super::leadership::LeadershipWatch;
use super::limits::{LAST_WORDS_MAX, SNAPSHOT_RETRY, SNAPSHOT_ROOM_RETRY};
use super::machine::RaftNode;
use super::overwritten::{History, Overwritten};
use super::own_address::{OwnAddressRounds, TwinFound};
use super::read_rounds::ReadRounds;
use super::removal::RemovalRounds;
use super::snapshot_schedule::SnapshotSchedule;
use super::vitals::{Vitals, VitalsRounds};

/// Runs until the node stops.
pub struct RaftDriver {
    pub(super) raft: RaftNode,
    pub(super) rounds: ReadRounds,
    pub(super) leadership: LeadershipWatch,
    pub(super) schedule: Arc<SnapshotSchedule>,
    pub(super) vitals: VitalsRounds,
    pub(super) removal: RemovalRounds,
    pub(super) own_address: OwnAddressRounds,
    pub(super) history: Arc<History>,
    pub(super) stopping: CancellationToken,
}

/// Why this node cannot take part any more. The process must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RaftFailed {
    /// Raft stopped without being asked to: its log or its state failed.
    #[error("raft has failed: {reason}")]
    Core {
        /// What openraft says.
        reason: String,
    },
    /// Another process runs with its data directory.
    #[error(transparent)]
    Twin(#[from] TwinFound),
    /// The group went on without what it knows to be committed.
    #[error(transparent)]
    Overwritten(#[from] Overwritten),
}

impl RaftDriver {
    /// Runs until [`RaftHandle::shutdown`](super::RaftHandle::shutdown).
    ///
    /// # Errors
    /// See [`RaftFailed`].
    pub async fn run(self) -> Result<(), RaftFailed> {
        let Self { raft, rounds, leadership, schedule, vitals, removal, own_address, history, stopping } = self;
        let own = Arc::clone(&vitals.vitals);
        let queue = Arc::clone(&rounds.queue);
        let found: Option<RaftFailed> = tokio::select! {
            () = leadership.run() => None,
            () = rounds.run() => None,
            () = take_snapshots(&raft, &schedule, &own) => None,
            () = vitals.run() => None,
            () = removal.run() => None,
            twin = own_address.run() => Some(twin.into()),
            overwritten = history.overwritten() => Some(overwritten.into()),
        };
        queue.close();
        if stopping.is_cancelled() {
            return Ok(());
        }
        if let Some(found) = found {
            return Err(found);
        }
        let said = tokio::time::timeout(LAST_WORDS_MAX, reason(&raft)).await;
        Err(RaftFailed::Core { reason: said.unwrap_or_else(|_| "no reason given".to_owned()) })
    }
}

/// Why the core has ended: it says so a moment after the parts of it that are noticed first.
async fn reason(raft: &RaftNode) -> String {
    let mut metrics = raft.metrics();
    loop {
        if let Err(fatal) = &metrics.borrow_watched().running_state {
            return fatal.to_string();
        }
        if metrics.changed().await.is_err() {
            break;
        }
    }
    // It could say nothing itself.
    match raft.with_raft_state(|_| ()).await {
        Err(Fatal::Panicked) => "an assertion of it did not hold, which is told above: keep the data directory as it \
                                 is, and report it"
            .to_owned(),
        Err(fatal) => fatal.to_string(),
        Ok(()) => "it does not say why".to_owned(),
    }
}

/// Has a snapshot built when it is due, and the log behind it purged when it is done. Ends when Raft stops.
async fn take_snapshots(raft: &RaftNode, schedule: &SnapshotSchedule, vitals: &Vitals) {
    let mut done = raft.watch_snapshot_progress();
    loop {
        tokio::select! {
            () = schedule.due() => {
                if !vitals.is_sound() || !vitals.fits_snapshot() {
                    // The log goes on and is not cut meanwhile; the room for it is part of what growth leaves.
                    tokio::time::sleep(SNAPSHOT_ROOM_RETRY).await;
                    continue;
                }
                if raft.trigger().snapshot().await.is_err() {
                    return;
                }
                // openraft drops the request while it still counts an earlier snapshot as under way.
                tokio::time::sleep(SNAPSHOT_RETRY).await;
            }
            changed = done.changed() => {
                if changed.is_err() {
                    return;
                }
                let upto = done.get().and_then(|snapshot| schedule.purge_upto(snapshot.index));
                if let Some(upto) = upto && raft.trigger().purge_log(upto).await.is_err() {
                    return;
                }
            }
        }
    }
}

impl fmt::Debug for RaftDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "driver of raft node {}", self.raft.node_id())
    }
}
