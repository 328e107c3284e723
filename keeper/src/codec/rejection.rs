//! Decisions against, as the state keeps them for a retry. The tags are on disk: they never change and are never used
//! again.

use keeper_registry::{Incarnation, Level, Rejection, Revision, StateId};

use crate::codec::answer::{read_holder, read_standing, write_holder, write_standing};
use crate::codec::command::{read_shortage, read_witness, unknown, write_shortage, write_witness};
use crate::codec::{DecodeError, Input, Output, names};

type Decoded<T> = Result<T, DecodeError>;

mod tag {
    pub(super) const ALREADY_FOUNDED: u8 = 1;
    pub(super) const TOO_LARGE: u8 = 2;
    pub(super) const OUT_OF_RANGE: u8 = 3;
    pub(super) const BAD_NAME: u8 = 4;
    pub(super) const REPEATED: u8 = 5;
    pub(super) const FOREIGN_STATE: u8 = 6;
    pub(super) const INCARNATION_CLOSED: u8 = 7;
    pub(super) const SEQUENCE_GAP: u8 = 8;
    pub(super) const REPLY_FORGOTTEN: u8 = 9;
    pub(super) const REQUEST_ID_REUSED: u8 = 10;
    pub(super) const STALE_EPOCH: u8 = 11;
    pub(super) const STALE_CONN_SEQ: u8 = 12;
    pub(super) const TOO_MANY_SLOTS: u8 = 13;
    pub(super) const NOT_BOUND: u8 = 14;
    pub(super) const NOT_FOUND: u8 = 15;
    pub(super) const REVISION_MISMATCH: u8 = 16;
    pub(super) const FULL: u8 = 17;
    pub(super) const QUOTA: u8 = 18;
    pub(super) const SHORTAGE: u8 = 19;
    pub(super) const LEVEL_TOO_LOW: u8 = 20;
    pub(super) const MOVED: u8 = 30;
    pub(super) const ROLLING_OUT: u8 = 31;
    pub(super) const ROLLOUT_IS: u8 = 32;
}

/// Writes a decision against.
pub(super) fn write_rejection(out: &mut Output, rejection: &Rejection) {
    match rejection {
        Rejection::AlreadyFounded(state) => write_number(out, tag::ALREADY_FOUNDED, state.0),
        Rejection::TooLarge { field, actual, limit } => write_named(out, tag::TOO_LARGE, field, &[*actual, *limit]),
        Rejection::OutOfRange { field, actual, min, max } => {
            write_named(out, tag::OUT_OF_RANGE, field, &[*actual, *min, *max]);
        }
        Rejection::BadName { field } => write_named(out, tag::BAD_NAME, field, &[]),
        Rejection::Repeated { field } => write_named(out, tag::REPEATED, field, &[]),
        Rejection::ForeignState { present } => write_number(out, tag::FOREIGN_STATE, present.0),
        Rejection::IncarnationClosed(incarnation) => write_number(out, tag::INCARNATION_CLOSED, incarnation.0),
        Rejection::SequenceGap { expected } => write_number(out, tag::SEQUENCE_GAP, *expected),
        Rejection::ReplyForgotten { last } => write_number(out, tag::REPLY_FORGOTTEN, *last),
        Rejection::RequestIdReused => out.u8(tag::REQUEST_ID_REUSED),
        Rejection::StaleEpoch(holder) => {
            out.u8(tag::STALE_EPOCH);
            out.option(holder.as_ref(), write_holder);
        }
        Rejection::StaleConnSeq { given, present, holder } => {
            out.u8(tag::STALE_CONN_SEQ);
            out.u64(*given);
            out.u64(*present);
            write_holder(out, holder);
        }
        Rejection::TooManySlots { limit } => write_number(out, tag::TOO_MANY_SLOTS, *limit),
        Rejection::NotBound { topic } => {
            out.u8(tag::NOT_BOUND);
            out.bytes(topic);
        }
        Rejection::NotFound { what } => write_named(out, tag::NOT_FOUND, what, &[]),
        Rejection::RevisionMismatch { path, expected, present } => {
            write_named(out, tag::REVISION_MISMATCH, path, &[expected.0, present.0]);
        }
        Rejection::Shortage(shortage) => {
            out.u8(tag::SHORTAGE);
            write_shortage(out, *shortage);
        }
        Rejection::LevelTooLow { needed, present } => {
            out.u8(tag::LEVEL_TOO_LOW);
            out.u32(needed.0);
            out.u32(present.0);
        }
        Rejection::Moved { what, present } => {
            out.u8(tag::MOVED);
            write_witness(out, what);
            out.u64(present.0);
        }
        Rejection::RollingOut { path, rollout } => write_named(out, tag::ROLLING_OUT, path, &[*rollout]),
        Rejection::RolloutIs { rollout, state, stage } => {
            out.u8(tag::ROLLOUT_IS);
            write_standing(out, *rollout, *state, *stage);
        }
        Rejection::Quota { limit, present, max } => write_named(out, tag::QUOTA, limit, &[*present, *max]),
        Rejection::Full { what, limit } => write_named(out, tag::FULL, what, &[*limit]),
    }
}

fn write_number(out: &mut Output, tag: u8, number: u64) {
    out.u8(tag);
    out.u64(number);
}

fn write_named(out: &mut Output, tag: u8, name: &str, numbers: &[u64]) {
    out.u8(tag);
    out.str(name);
    for number in numbers {
        out.u64(*number);
    }
}

/// Reads a decision against.
pub(super) fn read_rejection(input: &mut Input) -> Decoded<Rejection> {
    Ok(match input.u8()? {
        tag::ALREADY_FOUNDED => Rejection::AlreadyFounded(StateId(input.u64()?)),
        tag::TOO_LARGE => Rejection::TooLarge { field: names::read(input)?, actual: input.u64()?, limit: input.u64()? },
        tag::OUT_OF_RANGE => Rejection::OutOfRange {
            field: names::read(input)?,
            actual: input.u64()?,
            min: input.u64()?,
            max: input.u64()?,
        },
        tag::BAD_NAME => Rejection::BadName { field: names::read(input)? },
        tag::REPEATED => Rejection::Repeated { field: names::read(input)? },
        tag::FOREIGN_STATE => Rejection::ForeignState { present: StateId(input.u64()?) },
        tag::INCARNATION_CLOSED => Rejection::IncarnationClosed(Incarnation(input.u64()?)),
        tag::SEQUENCE_GAP => Rejection::SequenceGap { expected: input.u64()? },
        tag::REPLY_FORGOTTEN => Rejection::ReplyForgotten { last: input.u64()? },
        tag::REQUEST_ID_REUSED => Rejection::RequestIdReused,
        tag::STALE_EPOCH => Rejection::StaleEpoch(input.option(read_holder)?),
        tag::STALE_CONN_SEQ => {
            Rejection::StaleConnSeq { given: input.u64()?, present: input.u64()?, holder: read_holder(input)? }
        }
        tag::TOO_MANY_SLOTS => Rejection::TooManySlots { limit: input.u64()? },
        tag::NOT_BOUND => Rejection::NotBound { topic: input.owned()? },
        tag::NOT_FOUND => Rejection::NotFound { what: names::read(input)? },
        tag::REVISION_MISMATCH => Rejection::RevisionMismatch {
            path: input.str()?,
            expected: Revision(input.u64()?),
            present: Revision(input.u64()?),
        },
        tag::SHORTAGE => Rejection::Shortage(read_shortage(input)?),
        tag::LEVEL_TOO_LOW => Rejection::LevelTooLow { needed: Level(input.u32()?), present: Level(input.u32()?) },
        tag::MOVED => Rejection::Moved { what: read_witness(input)?, present: Revision(input.u64()?) },
        tag::ROLLING_OUT => Rejection::RollingOut { path: input.str()?, rollout: input.u64()? },
        tag::ROLLOUT_IS => {
            let (rollout, state, stage) = read_standing(input)?;
            Rejection::RolloutIs { rollout, state, stage }
        }
        tag::QUOTA => Rejection::Quota { limit: input.str()?.into(), present: input.u64()?, max: input.u64()? },
        tag::FULL => Rejection::Full { what: names::read(input)?, limit: input.u64()? },
        _ => return Err(unknown(input, "the tag of a rejection")),
    })
}
