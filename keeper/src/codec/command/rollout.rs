//! What is asked about rollouts.

use keeper_registry::{
    AdvanceRollout, Gates, InstanceSelector, PromoteRollout, Stage, StartRollout, StepRollout, StopRollout,
};

use super::config::{read_judged_publish, read_witness, write_judged_publish, write_witness};
use super::instance::{read_labels, write_labels};
use super::{Decoded, read_numbered};
use crate::codec::{Input, Output};

pub(super) fn write_start(out: &mut Output, start: &StartRollout) {
    write_judged_publish(out, &start.publish);
    write_plan(out, &start.stages, start.gates);
}

pub(super) fn read_start(input: &mut Input) -> Decoded<StartRollout> {
    let publish = read_judged_publish(input)?;
    let (stages, gates) = read_plan(input)?;
    Ok(StartRollout { publish, stages, gates })
}

pub(super) fn write_advance(out: &mut Output, advance: &AdvanceRollout) {
    out.u64(advance.rollout);
    out.u32(advance.from_stage);
    out.str(&advance.author);
}

pub(super) fn read_advance(input: &mut Input) -> Decoded<AdvanceRollout> {
    Ok(AdvanceRollout { rollout: input.u64()?, from_stage: input.u32()?, author: input.str()? })
}

pub(super) fn write_step(out: &mut Output, step: &StepRollout) {
    out.u64(step.rollout);
    out.str(&step.author);
}

pub(super) fn read_step(input: &mut Input) -> Decoded<StepRollout> {
    Ok(StepRollout { rollout: input.u64()?, author: input.str()? })
}

pub(super) fn write_stop(out: &mut Output, stop: &StopRollout) {
    out.u64(stop.rollout);
    out.u8(stop.cause.number());
    out.str(&stop.reason);
    out.str(&stop.author);
}

pub(super) fn read_stop(input: &mut Input) -> Decoded<StopRollout> {
    Ok(StopRollout {
        rollout: input.u64()?,
        cause: read_numbered(input, "why a rollout is stopped")?,
        reason: input.str()?,
        author: input.str()?,
    })
}

pub(super) fn write_promote(out: &mut Output, promote: &PromoteRollout) {
    out.u64(promote.rollout);
    out.option(promote.from_stage, Output::u32);
    out.list(promote.judged.iter(), write_witness);
    out.option(promote.forced.as_deref(), Output::str);
    out.str(&promote.author);
}

pub(super) fn read_promote(input: &mut Input) -> Decoded<PromoteRollout> {
    Ok(PromoteRollout {
        rollout: input.u64()?,
        from_stage: input.option(Input::u32)?,
        judged: input.list(read_witness)?,
        forced: input.option(Input::str)?,
        author: input.str()?,
    })
}

/// Stages, and what opens them.
pub(in crate::codec) fn write_plan(out: &mut Output, stages: &[Stage], gates: Gates) {
    out.list(stages.iter(), |out, Stage { selector, share_bps, hold_ms }| {
        for part in [&selector.service, &selector.id, &selector.zone] {
            out.option(part.as_deref(), Output::str);
        }
        write_labels(out, &selector.labels);
        out.u32(*share_bps);
        out.option(*hold_ms, Output::u64);
    });
    out.u32(gates.applied_bps);
}

pub(in crate::codec) fn read_plan(input: &mut Input) -> Decoded<(Vec<Stage>, Gates)> {
    let stages = input.list(|input| {
        let selector = InstanceSelector {
            service: input.option(Input::str)?,
            id: input.option(Input::str)?,
            zone: input.option(Input::str)?,
            labels: read_labels(input)?,
        };
        Ok(Stage { selector, share_bps: input.u32()?, hold_ms: input.option(Input::u64)? })
    })?;
    Ok((stages, Gates { applied_bps: input.u32()? }))
}
