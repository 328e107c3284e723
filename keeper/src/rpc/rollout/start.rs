//! Starting a rollout.

use std::collections::BTreeSet;

use keeper_proto::v1 as wire;
use keeper_registry::{Gates, InstanceSelector, Layer, Stage, State, limits};

use super::{RolloutService, told};
use crate::problem::Problem;
use crate::publish::{Draft, Started};
use crate::rpc::config::{self, published};
use crate::rpc::from_proto::invalid;

/// All of them.
pub(super) const WHOLE_BPS: u32 = 10_000;

impl RolloutService {
    pub(super) async fn begin(&self, request: wire::StartRolloutRequest) -> Result<wire::StartRolloutReply, Problem> {
        let wire::StartRolloutRequest { publish, stages, applied_bps } = request;
        let publish = publish.ok_or_else(|| invalid("publish", "`publish` is missing: it says what is rolled out"))?;
        let dry_run = publish.dry_run;
        let draft = config::read(&self.publisher, publish).await.map_err(inside)?;
        let stages = read_stages(stages)?;
        if dry_run {
            return self.weigh(draft, &stages).await;
        }
        let gates = Gates { applied_bps: if applied_bps == 0 { WHOLE_BPS } else { applied_bps } };
        let Started { rollout, judged } = self.publisher.start_rollout(draft, &stages, gates).await?;
        let (rollout, stage_instances) = self.view.read(|state| {
            let rollout = state.rollout(rollout);
            let keys = rollout.map(|it| it.candidates.iter().map(|candidate| candidate.change().path.as_str()));
            (rollout.map(|it| told::rollout(it)), instances(state, keys.into_iter().flatten(), &stages))
        });
        Ok(wire::StartRolloutReply { rollout, verdict: Some(published(judged)), stage_instances })
    }

    /// What it would do, and for whom.
    async fn weigh(&self, draft: Draft, stages: &[Stage]) -> Result<wire::StartRolloutReply, Problem> {
        let (publish, judged) = self.publisher.try_rollout(draft).await?;
        let keys = publish.changes.iter().map(|change| change.path.as_str());
        let stage_instances = self.view.read(|state| instances(state, keys, stages));
        Ok(wire::StartRolloutReply { rollout: None, verdict: Some(published(judged)), stage_instances })
    }
}

/// The field of a publish that lies inside of a request.
fn inside(problem: Problem) -> Problem {
    let Problem::Invalid { field, message } = problem else { return problem };
    Problem::Invalid { field: format!("publish.{field}"), message }
}

pub(super) fn read_stages(stages: Vec<wire::Stage>) -> Result<Vec<Stage>, Problem> {
    if stages.is_empty() || stages.len() > limits::STAGES_MAX {
        let message = format!("{} stages; a rollout has 1 to {}", stages.len(), limits::STAGES_MAX);
        return Err(invalid("stages", message));
    }
    let read = |(place, stage): (usize, wire::Stage)| {
        let wire::Stage { selector, share_bps, hold_ms } = stage;
        if share_bps == 0 || share_bps > WHOLE_BPS {
            let message = format!("stage {} has a share of {share_bps}; it lies between 1 and {WHOLE_BPS}", place + 1);
            return Err(invalid(format!("stages[{place}].share_bps"), message));
        }
        if hold_ms.is_some_and(|hold_ms| hold_ms > limits::STAGE_HOLD_MS_MAX) {
            let limit = limits::STAGE_HOLD_MS_MAX;
            let message = format!("stage {} is held for longer than {limit} ms, which is the limit", place + 1);
            return Err(invalid(format!("stages[{place}].hold_ms"), message));
        }
        Ok(Stage { selector: selector.map(read_selector).unwrap_or_default(), share_bps, hold_ms })
    };
    stages.into_iter().enumerate().map(read).collect()
}

fn read_selector(reader: wire::Reader) -> InstanceSelector {
    let named = |word: String| (!word.is_empty()).then_some(word);
    let wire::Reader { service, id, zone, labels } = reader;
    InstanceSelector { service: named(service), id: named(id), zone: named(zone), labels: labels.into_iter().collect() }
}

/// Of the open instances that read what is rolled out, and that it is for, how many each stage has with those before
/// it.
fn instances<'a>(state: &State, keys: impl Iterator<Item = &'a str>, stages: &[Stage]) -> Vec<u32> {
    let mut first = vec![0_u32; stages.len()];
    let mut counted = BTreeSet::new();
    for key in keys {
        let Ok((path, layer)) = Layer::of_key(key) else { continue };
        let readers = state.consumers(path).flat_map(|group| group.incarnations());
        for instance in readers.filter_map(|incarnation| state.instance(incarnation)) {
            if !layer.matches(instance) || !counted.insert(instance.incarnation) {
                continue;
            }
            if let Some(stage) = stages.iter().position(|stage| stage.takes(instance)) {
                first[stage] += 1;
            }
        }
    }
    first
        .into_iter()
        .scan(0, |sum: &mut u32, count: u32| {
            *sum += count;
            Some(*sum)
        })
        .collect()
}
