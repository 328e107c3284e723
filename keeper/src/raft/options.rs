//! Timings and thresholds of a Raft group.
//!
//! Failover takes the leader's lease (`election_max`) plus a sampled election timeout plus one vote. Everything else
//! that openraft lets one set is fixed here, with its reason, because a wrong choice costs data or availability.

use openraft::{Config, ConfigError, SnapshotPolicy};

/// What a deployment may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftOptions {
    /// Pause between heartbeats.
    pub heartbeat_ms: u64,
    /// Shortest election timeout.
    pub election_min_ms: u64,
    /// Longest election timeout; the leader's lease is as long.
    pub election_max_ms: u64,
    /// A snapshot is due when the log has grown by more than this, and by more than half the last snapshot.
    pub snapshot_log_bytes_min: u64,
    /// A snapshot is due after this many entries, whatever their size. For tests.
    pub snapshot_log_entries: Option<u64>,
    /// Log kept behind a snapshot, so that a follower that was down shortly needs no snapshot.
    pub log_keep_bytes: u64,
    /// The same in entries; the smaller of the two holds.
    pub log_keep_entries: u64,
}

impl Default for RaftOptions {
    fn default() -> Self {
        Self {
            heartbeat_ms: 100,
            election_min_ms: 350,
            election_max_ms: 600,
            snapshot_log_bytes_min: 64 << 20,
            snapshot_log_entries: None,
            log_keep_bytes: 32 << 20,
            log_keep_entries: 100_000,
        }
    }
}

impl RaftOptions {
    /// openraft's configuration.
    pub(super) fn config(&self, cluster: &str) -> Result<Config, ConfigError> {
        Config {
            cluster_name: cluster.to_owned(),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.election_min_ms,
            election_timeout_max: self.election_max_ms,
            // Without it a node that was cut off returns with a high term and deposes a healthy leader.
            enable_pre_vote: Some(true),
            // A restarted leader must win an election: its state may lie behind what it answered before.
            enable_leader_restore: Some(false),
            // A log that went backwards is lost data. It is never taken as normal.
            allow_log_reversion: Some(false),
            // A leader that has lost its quorum falls silent now and then, so that a majority which hears it but cannot
            // answer it elects another.
            quorum_loss_probe_interval: Some(2 * self.election_max_ms),
            // Ours counts bytes; see `snapshot_schedule`.
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: u64::MAX,
            backoff: "100ms 200ms ..1s".to_owned(),
            ..Config::default()
        }
        .validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(RaftOptions::default().config("test").is_ok());
    }
}
