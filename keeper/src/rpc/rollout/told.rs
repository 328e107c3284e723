//! A rollout on the wire.

use keeper_proto::v1 as wire;
use keeper_registry::{InstanceSelector, Rollout, RolloutState, Stage};

use crate::rollout::Heard;

pub(super) fn rollout(rollout: &Rollout) -> wire::Rollout {
    wire::Rollout {
        rollout: rollout.id,
        author: rollout.author.to_string(),
        message: rollout.message.to_string(),
        forced: rollout.forced.as_deref().unwrap_or_default().to_owned(),
        paths: rollout.candidates.iter().map(|candidate| candidate.change().path.clone()).collect(),
        stages: rollout.stages.iter().map(stage).collect(),
        applied_bps: rollout.gates.applied_bps,
        opened_at_ms: rollout.opened.iter().map(|opened| opened.time.0).collect(),
        state: state(rollout.state).into(),
        changed_at_ms: rollout.changed.time.0,
        changed_revision: rollout.changed.revision.0,
        by: rollout.by.to_string(),
        reason: rollout.reason.to_string(),
    }
}

const fn state(state: RolloutState) -> wire::rollout::State {
    match state {
        RolloutState::Running => wire::rollout::State::Running,
        RolloutState::Paused => wire::rollout::State::Paused,
        RolloutState::Promoted => wire::rollout::State::Promoted,
        RolloutState::Aborted => wire::rollout::State::Aborted,
        RolloutState::Stopped => wire::rollout::State::Stopped,
    }
}

fn stage(stage: &Stage) -> wire::Stage {
    let Stage { selector, share_bps, hold_ms } = stage;
    let InstanceSelector { service, id, zone, labels } = selector;
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let selector = wire::Reader {
        service: word(service),
        id: word(id),
        zone: word(zone),
        labels: labels.iter().cloned().collect(),
    };
    wire::Stage { selector: Some(selector), share_bps: *share_bps, hold_ms: *hold_ms }
}

pub(super) fn heard(heard: Heard) -> wire::RolloutHeard {
    let Heard { listening_since_ms, count, unwell, waits_for } = heard;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    wire::RolloutHeard {
        listening_since_ms,
        instances: number(count.all()),
        applied: number(count.applied),
        refused: number(count.refused),
        needs_restart: number(count.needs_restart),
        unwell: number(unwell),
        waiting: number(count.waiting),
        waits_for,
    }
}
