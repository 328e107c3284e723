//! What is asked about rollouts.

use super::{Gates, Stage};
use crate::{Publish, Witness, numbered::numbered};

/// Begins to roll changes out: the first stage is open at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRollout {
    /// What is to be published in the end. It is judged now as if it were.
    pub publish: Publish,
    /// 1 to `limits::STAGES_MAX`. What is open is everything up to a stage, so that each adds to those before.
    pub stages: Vec<Stage>,
    /// What opens the next stage.
    pub gates: Gates,
}

/// Opens the next stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvanceRollout {
    /// Which.
    pub rollout: u64,
    /// Refuse unless this is the last open stage: what was found out about another one proves nothing.
    pub from_stage: u32,
    /// Who asked; empty: the cluster itself.
    pub author: String,
}

/// Pauses a rollout, or resumes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRollout {
    /// Which.
    pub rollout: u64,
    /// Who asked.
    pub author: String,
}

numbered! {
    /// Why a rollout ends without being promoted.
    pub enum StopCause {
        /// An admin wishes so.
        Aborted = 1,
        /// An instance refused, or is not well.
        Failed = 2,
    }
}

/// Ends a rollout: nobody has its candidates from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopRollout {
    /// Which.
    pub rollout: u64,
    /// At whose wish.
    pub cause: StopCause,
    /// Told to admins: at most `limits::MESSAGE_BYTES_MAX`.
    pub reason: String,
    /// Who asked; empty: the cluster itself.
    pub author: String,
}

/// Publishes what a rollout has tried, in this entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromoteRollout {
    /// Which.
    pub rollout: u64,
    /// Refuse unless this is the last open stage; none: an admin does not mind which.
    pub from_stage: Option<u32>,
    /// What the proposer looked at to judge it anew: consumers may have come since the start.
    pub judged: Vec<Witness>,
    /// Why it is published although schemas or consumers speak against it by now.
    pub forced: Option<String>,
    /// Who asked; empty: the cluster itself.
    pub author: String,
}
