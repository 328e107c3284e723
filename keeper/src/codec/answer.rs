//! Answers that the state keeps for a retry: replies and results of frames. The tags are on disk: they never change and
//! are never used again.

use std::sync::Arc;

use keeper_registry::{
    Holder, Incarnation, Kicked, Level, OperationResult, Rejection, Reply, Revision, RolloutState, StateId,
};

use crate::codec::command::{read_epoch, read_key, read_numbered, unknown, write_epoch, write_key};
use crate::codec::rejection::{read_rejection, write_rejection};
use crate::codec::{DecodeError, Input, Output};

type Decoded<T> = Result<T, DecodeError>;

mod tag {
    pub(super) const FOUNDED: u8 = 1;
    pub(super) const FRAME: u8 = 2;
    pub(super) const KICKED: u8 = 3;
    pub(super) const OPENED: u8 = 4;
    pub(super) const CLOSED: u8 = 5;
    pub(super) const SWEPT: u8 = 6;
    pub(super) const PUBLISHED: u8 = 7;
    pub(super) const CONTROL_SENT: u8 = 8;
    pub(super) const ACKNOWLEDGED: u8 = 9;
    pub(super) const KICK_STEPPED: u8 = 10;
    pub(super) const GIVEN_UP: u8 = 11;
    pub(super) const RESTORED: u8 = 12;
    pub(super) const NODE_RESERVED: u8 = 20;
    pub(super) const NODE_RETIRED: u8 = 21;
    pub(super) const LEVEL_RAISED: u8 = 13;
    pub(super) const ANNOUNCED: u8 = 30;
    pub(super) const ROLLOUT: u8 = 31;

    pub(super) const REGISTERED: u8 = 1;
    pub(super) const DONE: u8 = 2;
    pub(super) const REFUSED: u8 = 3;
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
        Reply::Kicked { job, kicked } => {
            out.u8(tag::KICKED);
            out.u64(*job);
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
        Reply::KickStepped { closed, more } => {
            out.u8(tag::KICK_STEPPED);
            out.u32(*closed);
            out.flag(*more);
        }
        Reply::Swept { rows, more } => {
            out.u8(tag::SWEPT);
            out.u32(*rows);
            out.flag(*more);
        }
        Reply::GivenUp => out.u8(tag::GIVEN_UP),
        Reply::Restored(state) => {
            out.u8(tag::RESTORED);
            out.u64(state.0);
        }
        Reply::LevelRaised { level } => {
            out.u8(tag::LEVEL_RAISED);
            out.u32(level.0);
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
        Reply::Announced => out.u8(tag::ANNOUNCED),
        Reply::Rollout { rollout, state, stage } => {
            out.u8(tag::ROLLOUT);
            write_standing(out, *rollout, *state, *stage);
        }
        Reply::NodeRetired => out.u8(tag::NODE_RETIRED),
        Reply::NodeReserved { node } => {
            out.u8(tag::NODE_RESERVED);
            out.u64(*node);
        }
    }
}

fn read_reply(input: &mut Input) -> Decoded<Reply> {
    Ok(match input.u8()? {
        tag::FOUNDED => Reply::Founded(StateId(input.u64()?)),
        tag::FRAME => Reply::Frame { revision: Revision(input.u64()?), results: read_results(input)? },
        tag::KICKED => Reply::Kicked {
            job: input.u64()?,
            kicked: input.list(|input| Ok(Kicked { key: read_key(input)?, holder: read_holder(input)? }))?,
        },
        tag::KICK_STEPPED => Reply::KickStepped { closed: input.u32()?, more: input.flag()? },
        tag::OPENED => Reply::Opened { incarnation: Incarnation(input.u64()?) },
        tag::CLOSED => Reply::Closed,
        tag::SWEPT => Reply::Swept { rows: input.u32()?, more: input.flag()? },
        tag::GIVEN_UP => Reply::GivenUp,
        tag::RESTORED => Reply::Restored(StateId(input.u64()?)),
        tag::LEVEL_RAISED => Reply::LevelRaised { level: Level(input.u32()?) },
        tag::PUBLISHED => Reply::Published { revision: Revision(input.u64()?), changed: input.flag()? },
        tag::CONTROL_SENT => Reply::ControlSent { control: input.u64()?, instances: input.u32()? },
        tag::ACKNOWLEDGED => Reply::Acknowledged,
        tag::ANNOUNCED => Reply::Announced,
        tag::ROLLOUT => {
            let (rollout, state, stage) = read_standing(input)?;
            Reply::Rollout { rollout, state, stage }
        }
        tag::NODE_RETIRED => Reply::NodeRetired,
        tag::NODE_RESERVED => Reply::NodeReserved { node: input.u64()? },
        _ => return Err(unknown(input, "the tag of a reply")),
    })
}

/// Where a rollout stands.
pub(super) fn write_standing(out: &mut Output, rollout: u64, state: RolloutState, stage: u32) {
    out.u64(rollout);
    out.u8(state.number());
    out.u32(stage);
}

/// The same on its way back.
pub(super) fn read_standing(input: &mut Input) -> Decoded<(u64, RolloutState, u32)> {
    Ok((input.u64()?, read_numbered(input, "how far a rollout is")?, input.u32()?))
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
