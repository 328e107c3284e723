//! Looks into the states of all nodes after each step.

use super::log_time::LogTime;
use super::replicas_are_equal::ReplicasAreEqual;
use super::rollout_gate::RolloutGate;
use super::{lease_is_kept, level_is_read};
use crate::cluster::Cluster;

/// What the states were, as far as it matters.
#[derive(Debug, Default)]
pub struct Watch {
    replicas: ReplicasAreEqual,
    time: LogTime,
    gate: RolloutGate,
    seen: Vec<u64>,
    /// What was wrong; at most one sentence a step.
    pub violations: Vec<String>,
}

impl Watch {
    /// Looks.
    pub fn look(&mut self, cluster: &Cluster) {
        let now_ms = cluster.world.now_ms();
        self.seen.resize(cluster.nodes.len(), 0);
        for (at, node) in cluster.nodes.iter().enumerate() {
            let Some(replica) = node.replica() else { continue };
            if let Some(difference) = replica.difference() {
                self.violations
                    .push(format!("{now_ms} ms: replicas are equal: node {} is doubted: {difference}", at + 1));
            }
            self.violations.extend(level_is_read::judge(at, node).map(|what| format!("{now_ms} ms: {what}")));
            let applied = replica.applied().0;
            if self.seen[at] == applied {
                continue;
            }
            self.seen[at] = applied;
            let wrong = replica.read(|state| {
                let (revision, time_ms) = (state.revision().0, state.time().0);
                let hash = state.hash();
                cluster.tell(format_args!("node {} is at {revision}: {hash:016x}", at + 1));
                let equal = self.replicas.see(at, revision, hash);
                let time = self.time.see(now_ms, revision, time_ms);
                let lease = cluster.history.with(|records| lease_is_kept::judge(&records.leases, state, now_ms));
                let gate = cluster.history.with(|records| self.gate.see(state, &records.heard.refusals, now_ms));
                equal.or(time).or(lease).or(gate)
            });
            self.violations.extend(wrong.map(|what| format!("{now_ms} ms: {what}")));
        }
    }

    /// Whether all members run, on the disks they were taken in with, and have applied the same.
    #[must_use]
    pub fn has_converged(cluster: &Cluster) -> bool {
        let members = cluster.nodes.iter().enumerate().filter(|(at, _)| cluster.is_member(*at));
        let seen: Option<Vec<_>> = members
            .map(|(_, node)| node.replica().map(|replica| replica.read(|state| (state.revision(), state.hash()))))
            .collect();
        cluster.is_whole() && seen.is_some_and(|seen| seen.windows(2).all(|pair| pair[0] == pair[1]))
    }
}
