//! Rollouts: changes that a few instances get first.
//!
//! A rollout is a publish that has not happened yet. Instances in its open stages run with its *candidates* in the
//! place of what is published; everybody else sees nothing of it. It ends by being promoted, which publishes the
//! candidates as one revision in that same entry, or by being stopped, after which nobody has them.
//!
//! Invariants:
//! - No instance outside of the open stages is ever given a candidate, and after the end nobody is.
//! - At most one unfinished rollout touches a path, whichever layers of it; meanwhile nobody else publishes there. So
//!   what a candidate was judged with is what it still lies on when it is promoted.
//! - Stages open one by one and never close again; which instances are in one follows from their names alone (see
//!   [`Stage::takes`]), so that a restart, another leader or a larger share never takes an instance out.
//! - Whether a stage has passed is not decided here: the leader proposes it, with the stage it saw.

mod command;
mod index;
mod keep;
mod past;
mod stage;
mod start;
mod step;
mod view;

use std::sync::Arc;

use bytes::Bytes;

pub(crate) use self::index::Rollouts;
pub use self::{
    command::{AdvanceRollout, PromoteRollout, StartRollout, StepRollout, StopCause, StopRollout},
    stage::{Gates, InstanceSelector, Stage, rollout_place},
    view::{AppliedLayer, ConfigFor},
};
use crate::{DocumentAction, DocumentChange, Instance, Layer, Rejection, Stamp, config::layer, numbered::numbered};

numbered! {
    /// How far a rollout is.
    pub enum RolloutState {
        /// Its stages open one after the other.
        Running = 1,
        /// No further stage opens; those who have the candidates keep them.
        Paused = 2,
        /// The candidates are published.
        Promoted = 3,
        /// An admin ended it.
        Aborted = 4,
        /// The cluster ended it, because of what instances said.
        Stopped = 5,
    }
}

impl RolloutState {
    /// Whether nothing can become of it any more.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Promoted | Self::Aborted | Self::Stopped)
    }
}

/// Changes on their way, or what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The revision of its start; with several in one entry the later ones take the next free numbers.
    pub id: u64,
    /// Who started it, and is the author of what is published in the end.
    pub author: Arc<str>,
    /// Why.
    pub message: Arc<str>,
    /// Why it was started against the judgement of schemas or consumers; none: it was not.
    pub forced: Option<Arc<str>>,
    /// What is to be published: at least one.
    pub candidates: Arc<[Candidate]>,
    /// At least one.
    pub stages: Arc<[Stage]>,
    /// What opens the next stage.
    pub gates: Gates,
    /// When each stage opened that is open; at least the first one is.
    pub opened: Vec<Stamp>,
    /// How far it is.
    pub state: RolloutState,
    /// When it came to that.
    pub changed: Stamp,
    /// Who brought it to that; empty: the cluster itself.
    pub by: Arc<str>,
    /// Why it was ended; empty when it was not, or is promoted.
    pub reason: Arc<str>,
}

/// A change that is rolled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    path: Arc<str>,
    layer: Layer,
    change: DocumentChange,
}

impl Candidate {
    /// A change, by its path and layer. Its text gets memory of its own: it outlives the entry it came in.
    ///
    /// # Errors
    /// Its key has no layer where one should be.
    pub fn of(change: &DocumentChange) -> Result<Self, Rejection> {
        let (path, layer) = Layer::of_key(&change.path)?;
        let action = match &change.action {
            DocumentAction::Put { format, text, value, policy } => {
                let (text, value) = (Bytes::copy_from_slice(text), Bytes::copy_from_slice(value));
                DocumentAction::Put { format: *format, text, value, policy: policy.clone() }
            }
            DocumentAction::Delete => DocumentAction::Delete,
        };
        Ok(Self { path: path.into(), layer, change: DocumentChange { action, ..change.clone() } })
    }

    /// The path it is about.
    #[must_use]
    pub const fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The layer of it.
    #[must_use]
    pub const fn layer(&self) -> &Layer {
        &self.layer
    }

    /// What is to be published.
    #[must_use]
    pub const fn change(&self) -> &DocumentChange {
        &self.change
    }
}

impl Rollout {
    /// The last stage that is open.
    #[must_use]
    pub fn stage(&self) -> u32 {
        self.opened.len().saturating_sub(1) as u32
    }

    /// Whether an instance is to run with the candidates.
    #[must_use]
    pub fn takes(&self, instance: &Instance) -> bool {
        !self.state.is_finished() && self.opened_to(instance).is_some()
    }

    /// When the first stage opened that an instance is in, whatever became of the rollout since.
    #[must_use]
    pub fn opened_to(&self, instance: &Instance) -> Option<Stamp> {
        let open = self.stages.iter().zip(&self.opened);
        open.into_iter().find(|(stage, _)| stage.takes(instance)).map(|(_, opened)| *opened)
    }

    /// Its candidates for a path.
    pub fn candidates_of<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Candidate> {
        self.candidates.iter().filter(move |candidate| *candidate.path == *path)
    }
}

/// The path of a key.
fn path_of(key: &str) -> &str {
    key.split_once(layer::MARK).map_or(key, |(path, _)| path)
}
