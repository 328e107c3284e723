//! Answers that the state keeps for a retry: replies, rejections, results of frames. The tags are on disk: they never
//! change and are never used again.

use std::sync::Arc;

use keeper_registry::{Holder, Incarnation, Kicked, OperationResult, Rejection, Reply, Revision, StateId};

use crate::codec::command::{read_epoch, read_key, write_epoch, write_key};
use crate::codec::{DecodeError, Input, Output, names};

type Decoded<T> = Result<T, DecodeError>;

mod tag {
    pub(super) const FOUNDED: u8 = 1;
    pub(super) const FRAME: u8 = 2;
    pub(super) const KICKED: u8 = 3;
    pub(super) const OPENED: u8 = 4;
    pub(super) const CLOSED: u8 = 5;
    pub(super) const REAPED: u8 = 6;
    pub(super) const PUBLISHED: u8 = 7;
    pub(super) const CONTROL_SENT: u8 = 8;
    pub(super) const ACKNOWLEDGED: u8 = 9;

    pub(super) const REGISTERED: u8 = 1;
    pub(super) const DONE: u8 = 2;
    pub(super) const REFUSED: u8 = 3;

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
}

fn unknown(input: &Input, what: &'static str) -> DecodeError {
    DecodeError::OutOfRange { what, at: input.position() }
}

/// Writes an answer to a request.
pub(super) fn write(out: &mut Output, answer: &Result<Reply, Rejection>) {
    match answer {
        Ok(reply) => {
            out.flag(true);
            write_reply(out, reply);
        }
        Err(rejection) => {
            out.flag(false);
            write_rejection(out, rejection);
        }
    }
}

/// Reads an answer to a request.
pub(super) fn read(input: &mut Input) -> Decoded<Result<Reply, Rejection>> {
    Ok(if input.flag()? { Ok(read_reply(input)?) } else { Err(read_rejection(input)?) })
}

fn write_reply(out: &mut Output, reply: &Reply) {
    match reply {
        Reply::Founded(state) => {
            out.u8(tag::FOUNDED);
            out.u64(state.0);
        }
        Reply::Frame { revision, results } => {
            out.u8(tag::FRAME);
            out.u64(revision.0);
            write_results(out, results);
        }
        Reply::Kicked(kicked) => {
            out.u8(tag::KICKED);
            out.list(kicked.iter(), |out, kicked| {
                write_key(out, &kicked.key);
                write_holder(out, &kicked.holder);
            });
        }
        Reply::Opened { incarnation } => {
            out.u8(tag::OPENED);
            out.u64(incarnation.0);
        }
        Reply::Closed => out.u8(tag::CLOSED),
        Reply::Reaped { removed, more } => {
            out.u8(tag::REAPED);
            out.u32(*removed);
            out.flag(*more);
        }
        Reply::Published { revision, changed } => {
            out.u8(tag::PUBLISHED);
            out.u64(revision.0);
            out.flag(*changed);
        }
        Reply::ControlSent { control, instances } => {
            out.u8(tag::CONTROL_SENT);
            out.u64(*control);
            out.u32(*instances);
        }
        Reply::Acknowledged => out.u8(tag::ACKNOWLEDGED),
    }
}

fn read_reply(input: &mut Input) -> Decoded<Reply> {
    Ok(match input.u8()? {
        tag::FOUNDED => Reply::Founded(StateId(input.u64()?)),
        tag::FRAME => Reply::Frame { revision: Revision(input.u64()?), results: read_results(input)? },
        tag::KICKED => {
            Reply::Kicked(input.list(|input| Ok(Kicked { key: read_key(input)?, holder: read_holder(input)? }))?)
        }
        tag::OPENED => Reply::Opened { incarnation: Incarnation(input.u64()?) },
        tag::CLOSED => Reply::Closed,
        tag::REAPED => Reply::Reaped { removed: input.u32()?, more: input.flag()? },
        tag::PUBLISHED => Reply::Published { revision: Revision(input.u64()?), changed: input.flag()? },
        tag::CONTROL_SENT => Reply::ControlSent { control: input.u64()?, instances: input.u32()? },
        tag::ACKNOWLEDGED => Reply::Acknowledged,
        _ => return Err(unknown(input, "the tag of a reply")),
    })
}

/// Writes the results of a frame.
pub(super) fn write_results(out: &mut Output, results: &[OperationResult]) {
    out.list(results.iter(), |out, result| match result {
        OperationResult::Registered { epoch, displaced } => {
            out.u8(tag::REGISTERED);
            write_epoch(out, *epoch);
            out.option(displaced.as_deref(), write_holder);
        }
        OperationResult::Done => out.u8(tag::DONE),
        OperationResult::Refused(rejection) => {
            out.u8(tag::REFUSED);
            write_rejection(out, rejection);
        }
    });
}

/// Reads the results of a frame.
pub(super) fn read_results(input: &mut Input) -> Decoded<Arc<[OperationResult]>> {
    let results = input.list(|input| {
        Ok(match input.u8()? {
            tag::REGISTERED => OperationResult::Registered {
                epoch: read_epoch(input)?,
                displaced: input.option(read_holder)?.map(Box::new),
            },
            tag::DONE => OperationResult::Done,
            tag::REFUSED => OperationResult::Refused(Box::new(read_rejection(input)?)),
            _ => return Err(unknown(input, "the tag of a result")),
        })
    })?;
    Ok(results.into())
}

/// Writes who holds a session.
pub(super) fn write_holder(out: &mut Output, holder: &Holder) {
    out.str(&holder.service);
    out.str(&holder.instance);
    out.u64(holder.incarnation.0);
    out.bytes(&holder.connection);
    write_epoch(out, holder.epoch);
}

/// Reads who holds a session.
pub(super) fn read_holder(input: &mut Input) -> Decoded<Holder> {
    Ok(Holder {
        service: input.str()?.into(),
        instance: input.str()?.into(),
        incarnation: Incarnation(input.u64()?),
        connection: input.owned()?,
        epoch: read_epoch(input)?,
    })
}

fn write_rejection(out: &mut Output, rejection: &Rejection) {
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

fn read_rejection(input: &mut Input) -> Decoded<Rejection> {
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
        tag::FULL => Rejection::Full { what: names::read(input)?, limit: input.u64()? },
        _ => return Err(unknown(input, "the tag of a rejection")),
    })
}
