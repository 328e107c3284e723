//! Keeps the gauges of a node's state current, and what the health service says.

use std::sync::Arc;
use std::time::Duration;

use keeper_registry::{LogTime, State};

use crate::http::Readiness;
use crate::metrics::Metrics;
use crate::raft::{RaftHandle, Role};
use crate::replica::Replica;
use crate::rpc::{Health, ServingStatus};
use crate::watch::Watches;

/// How often: as often as anybody scrapes.
const INTERVAL: Duration = Duration::from_secs(1);

/// A registry that is not being filled again.
const WHOLE_PERMILLE: u32 = 1_000;

/// What the gauges show.
pub(super) struct Gauges {
    pub(super) metrics: Arc<Metrics>,
    pub(super) replica: Arc<Replica>,
    pub(super) raft: RaftHandle,
    pub(super) readiness: Arc<dyn Readiness>,
    pub(super) health: Health,
    pub(super) watching: Watches,
}

impl Gauges {
    pub(super) async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let (mut leader, mut rounds) = (None, 0);
        let mut removed = self.raft.watch_removed();
        loop {
            leader = self.set(leader);
            let rounds_now = self.raft.read_rounds();
            self.metrics.read_index_rounds.inc_by(rounds_now - rounds);
            rounds = rounds_now;
            let is_removed = removed.borrow_and_update().is_some();
            // Whoever watches a state that is wrong, or stands still, goes on elsewhere.
            if is_removed || self.replica.difference().is_some() {
                self.watching.end_all();
            }
            let ready = self.readiness.ready();
            self.health.set(if ready.is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
            tokio::select! {
                () = &mut stop => return,
                Ok(()) = removed.changed() => {}
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
        let now = self.replica.log_time();
        self.replica.read(|state| set_from(state, now, metrics));
        metrics.feature_level.set(self.raft.levels().reached().0.into());
        metrics.feature_level_max.set(self.raft.levels().most().0.into());
        if let Some(room) = self.raft.room() {
            metrics.disk_free_bytes.set(room.free_bytes);
            metrics.disk_needed_bytes.set(room.needed_bytes);
        }
        metrics.disk_short.set(u64::from(self.raft.shortage().is_some()));
        status.leader.or(leader_before)
    }
}

/// What the state says of itself.
fn set_from(state: &State, now: LogTime, metrics: &Metrics) {
    metrics.sessions_live.set(state.sessions_live());
    metrics.sessions_to_sweep.set(state.sessions_absent());
    metrics.instances_open.set(state.instances().count() as u64);
    metrics.configs.set(state.configs("").count() as u64);
    let under_way = state.kick_jobs().filter(|job| job.finished_at.is_none());
    metrics.kicks_under_way.set(under_way.count() as u64);
    let done = state.rebuild().map_or(WHOLE_PERMILLE, |rebuild| rebuild.done_permille(now));
    metrics.rebuild_done_permille.set(done.into());
    let ring = state.presence();
    metrics.presence_facts.set(ring.facts() as u64);
    metrics.presence_bytes.set(ring.bytes() as u64);
    let oldest = ring.read_after(ring.floor(), 1).and_then(|slice| slice.iter().next().map(|fact| fact.at));
    let reach_ms = oldest.map_or(0, |at| now.0.saturating_sub(at.0));
    metrics.presence_reach_seconds.set(reach_ms / 1_000);
}
