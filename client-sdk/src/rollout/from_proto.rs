//! Rollouts as they come from the wire.

use std::time::Duration;

use keeper_proto::v1;

use crate::{
    Error, Reader, Rollout, RolloutHeard, RolloutStarted, RolloutState, RolloutStatus, Stage, config::published,
};

pub(super) fn rollout(rollout: v1::Rollout) -> Result<Rollout, Error> {
    let state = match rollout.state() {
        v1::rollout::State::Running => RolloutState::Running,
        v1::rollout::State::Paused => RolloutState::Paused,
        v1::rollout::State::Promoted => RolloutState::Promoted,
        v1::rollout::State::Aborted => RolloutState::Aborted,
        v1::rollout::State::Stopped => RolloutState::Stopped,
        v1::rollout::State::Unspecified => {
            return Err(Error::malformed("a rollout in a state that this library does not know"));
        }
    };
    Ok(Rollout {
        rollout: rollout.rollout,
        author: rollout.author,
        message: rollout.message,
        forced: said(rollout.forced),
        paths: rollout.paths,
        stages: rollout.stages.into_iter().map(stage).collect(),
        applied_bps: rollout.applied_bps,
        opened_at_ms: rollout.opened_at_ms,
        state,
        changed_at_ms: rollout.changed_at_ms,
        changed_revision: rollout.changed_revision,
        by: said(rollout.by),
        reason: rollout.reason,
    })
}

pub(super) fn status(reply: v1::RolloutReply) -> Result<RolloutStatus, Error> {
    let rollout = rollout(reply.rollout.ok_or_else(|| Error::malformed("an answer without its rollout"))?)?;
    let heard = reply.heard.map(heard).unwrap_or_default();
    Ok(RolloutStatus { rollout, heard })
}

pub(super) fn started(reply: v1::StartRolloutReply) -> Result<RolloutStarted, Error> {
    let verdict = reply.verdict.ok_or_else(|| Error::malformed("a rollout without a verdict"))?;
    Ok(RolloutStarted {
        rollout: reply.rollout.map(rollout).transpose()?,
        verdict: published(verdict),
        stage_instances: reply.stage_instances,
    })
}

fn stage(stage: v1::Stage) -> Stage {
    Stage {
        selector: Reader::from_proto(stage.selector.unwrap_or_default()),
        share_bps: stage.share_bps,
        hold: stage.hold_ms.map(Duration::from_millis),
    }
}

fn heard(heard: v1::RolloutHeard) -> RolloutHeard {
    RolloutHeard {
        listening_since_ms: heard.listening_since_ms,
        instances: heard.instances,
        applied: heard.applied,
        refused: heard.refused,
        needs_restart: heard.needs_restart,
        unwell: heard.unwell,
        waiting: heard.waiting,
        waits_for: heard.waits_for,
    }
}

/// An empty text says nothing.
fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
