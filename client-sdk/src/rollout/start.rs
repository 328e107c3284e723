//! What is rolled out, and how.

use keeper_proto::v1;

use crate::{Publish, Published, Rollout, Stage};

/// A publish that a few instances get first.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct StartRollout {
    publish: Publish,
    stages: Vec<Stage>,
    applied_bps: u32,
}

impl StartRollout {
    /// Rolls out what would be published. Its author, message and reason to force it are those of the rollout.
    pub fn of(publish: impl Into<Publish>) -> Self {
        Self { publish: publish.into(), ..Self::default() }
    }

    /// One more stage, 1 to 16. What is open is everything up to a stage; after the last one the candidates are
    /// published.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// How many of the instances that have the candidates must have applied them before the next stage opens, in basis
    /// points; all when not set.
    pub const fn applied_bps(mut self, applied_bps: u32) -> Self {
        self.applied_bps = applied_bps;
        self
    }

    /// With what makes it one request however often it is sent, or asks for no more than a judgement.
    pub(crate) fn into_proto(self, change: impl FnOnce(&mut v1::PublishRequest)) -> v1::StartRolloutRequest {
        let Self { publish, stages, applied_bps } = self;
        let mut publish = publish.into_proto();
        change(&mut publish);
        let stages = stages.iter().map(Stage::to_proto).collect();
        v1::StartRolloutRequest { publish: Some(publish), stages, applied_bps }
    }
}

/// A rollout that has begun; of a dry run: what would be.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutStarted {
    /// None in a dry run.
    pub rollout: Option<Rollout>,
    /// What the publish of all of it would change.
    pub verdict: Published,
    /// Open instances that each stage has.
    pub stage_instances: Vec<u32>,
}
