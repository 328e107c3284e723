//! A rollout as everybody sees it.

use std::time::{Duration, SystemTime};

use crate::Stage;

/// Changes that open stage after stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Its number.
    pub rollout: u64,
    /// Who started it; unverified.
    pub author: String,
    /// Why.
    pub message: String,
    /// Why it was started against what spoke against it; none: nothing did.
    pub forced: Option<String>,
    /// Keys of what is rolled out.
    pub paths: Vec<String>,
    /// What is open is everything up to a stage.
    pub stages: Vec<Stage>,
    /// How many of the instances that have the candidates must have applied them before the next stage opens, in basis
    /// points.
    pub applied_bps: u32,
    /// When each stage opened, by log time, Unix milliseconds: as many as are open.
    pub opened_at_ms: Vec<u64>,
    /// Where it stands.
    pub state: RolloutState,
    /// Since when it stands there, by log time, Unix milliseconds.
    pub changed_at_ms: u64,
    /// Of the log entry that brought it there.
    pub changed_revision: u64,
    /// Who did; none: the cluster.
    pub by: Option<String>,
    /// Why it was ended.
    pub reason: String,
}

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutState {
    /// Stages open.
    Running,
    /// No further stage opens; those who have the candidates keep them.
    Paused,
    /// The candidates are published.
    Promoted,
    /// An admin ended it: nobody has the candidates.
    Aborted,
    /// The cluster ended it, because of a refusal or of bad health: nobody has the candidates.
    Stopped,
}

impl RolloutState {
    /// Whether something may still come of it.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        match self {
            Self::Running | Self::Paused => false,
            Self::Promoted | Self::Aborted | Self::Stopped => true,
        }
    }

    /// In lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Promoted => "promoted",
            Self::Aborted => "aborted",
            Self::Stopped => "stopped",
        }
    }
}

impl Rollout {
    /// The last stage that is open, from 0.
    #[must_use]
    pub const fn stage(&self) -> usize {
        self.opened_at_ms.len().saturating_sub(1)
    }

    /// When the last open stage opened, by log time.
    #[must_use]
    pub fn stage_opened_at(&self) -> Option<SystemTime> {
        self.opened_at_ms.last().map(|ms| SystemTime::UNIX_EPOCH + Duration::from_millis(*ms))
    }
}

/// A rollout, and what the leader has heard of its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutStatus {
    /// The rollout.
    pub rollout: Rollout,
    /// What its instances say.
    pub heard: RolloutHeard,
}

/// What a leader has heard of a rollout's instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolloutHeard {
    /// Since when it listens, in Unix milliseconds.
    pub listening_since_ms: u64,
    /// Open instances that have the candidates.
    pub instances: u32,
    /// Those that run with them.
    pub applied: u32,
    /// Those that refuse them.
    pub refused: u32,
    /// Those that need a restart for them.
    pub needs_restart: u32,
    /// Those that are not well.
    pub unwell: u32,
    /// Those that have said nothing.
    pub waiting: u32,
    /// What the next stage waits for: a sentence.
    pub waits_for: String,
}
