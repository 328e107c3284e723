//! Keeps the gauges of a node's state current, and what the health service says.

use std::sync::Arc;
use std::time::Duration;

use crate::http::Readiness;
use crate::metrics::Metrics;
use crate::raft::{RaftHandle, Role};
use crate::replica::Replica;
use crate::rpc::{Health, ServingStatus};

/// How often: as often as anybody scrapes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Free space where the data lies; none where there is no disk.
pub(super) type FreeBytes = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// What the gauges show.
pub(super) struct Gauges {
    pub(super) metrics: Arc<Metrics>,
    pub(super) replica: Arc<Replica>,
    pub(super) raft: RaftHandle,
    pub(super) free_bytes: FreeBytes,
    pub(super) readiness: Arc<dyn Readiness>,
    pub(super) health: Health,
}

impl Gauges {
    pub(super) async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let (mut leader, mut rounds) = (None, 0);
        loop {
            leader = self.set(leader);
            let rounds_now = self.raft.read_rounds();
            self.metrics.read_index_rounds.inc_by(rounds_now - rounds);
            rounds = rounds_now;
            let ready = self.readiness.ready();
            self.health.set(if ready.is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    fn set(&self, leader_before: Option<u64>) -> Option<u64> {
        let metrics = &self.metrics;
        let status = self.raft.status();
        metrics.raft_term.set(status.term);
        metrics.raft_is_leader.set(u64::from(status.role == Role::Leader));
        metrics.raft_has_leader.set(u64::from(status.leader.is_some()));
        if status.leader.is_some() && status.leader != leader_before {
            metrics.raft_leader_changes.inc();
        }
        metrics.raft_last_log_index.set(status.last_log.unwrap_or(0));
        metrics.raft_committed_index.set(status.committed.unwrap_or(0));
        metrics.raft_applied_index.set(status.applied.unwrap_or(0));
        metrics.raft_snapshot_index.set(status.snapshot.unwrap_or(0));
        let (sessions, instances, configs) =
            self.replica.read(|state| (state.sessions_live(), state.instances().count(), state.configs("").count()));
        metrics.sessions_live.set(sessions);
        metrics.instances_open.set(instances as u64);
        metrics.configs.set(configs as u64);
        if let Some(free) = (self.free_bytes)() {
            metrics.disk_free_bytes.set(free);
        }
        status.leader.or(leader_before)
    }
}
