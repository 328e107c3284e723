//! Rollouts, as a snapshot holds them.

use std::sync::Arc;

use keeper_registry::{Candidate, LogTime, Revision, Rollout, Stamp};

use crate::codec::command::{read_change, read_numbered, read_plan, unknown, write_change, write_plan};
use crate::codec::{DecodeError, Input, Output};

type Decoded<T> = Result<T, DecodeError>;

/// Writes a rollout.
pub(super) fn write(out: &mut Output, rollout: &Rollout) {
    out.u64(rollout.id);
    out.str(&rollout.author);
    out.str(&rollout.message);
    out.option(rollout.forced.as_deref(), Output::str);
    out.list(rollout.candidates.iter(), |out, candidate| write_change(out, candidate.change()));
    write_plan(out, &rollout.stages, rollout.gates);
    out.list(rollout.opened.iter(), write_stamp);
    out.u8(rollout.state.number());
    write_stamp(out, &rollout.changed);
    out.str(&rollout.by);
    out.str(&rollout.reason);
}

/// Reads a rollout.
pub(super) fn read(input: &mut Input) -> Decoded<Rollout> {
    let id = input.u64()?;
    let (author, message) = (input.str()?.into(), input.str()?.into());
    let forced = input.option(Input::str)?.map(Arc::from);
    let candidates = input.list(|input| {
        let change = read_change(input)?;
        Candidate::of(&change).map_err(|_| unknown(input, "the layer of a rollout's change"))
    })?;
    let (stages, gates) = read_plan(input)?;
    Ok(Rollout {
        id,
        author,
        message,
        forced,
        candidates: candidates.into(),
        stages: stages.into(),
        gates,
        opened: input.list(read_stamp)?,
        state: read_numbered(input, "how far a rollout is")?,
        changed: read_stamp(input)?,
        by: input.str()?.into(),
        reason: input.str()?.into(),
    })
}

fn write_stamp(out: &mut Output, stamp: &Stamp) {
    out.u64(stamp.revision.0);
    out.u64(stamp.time.0);
}

fn read_stamp(input: &mut Input) -> Decoded<Stamp> {
    Ok(Stamp { revision: Revision(input.u64()?), time: LogTime(input.u64()?) })
}
