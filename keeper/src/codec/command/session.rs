//! What is asked about sessions: frames and kicks.

use keeper_registry::{
    BindTopics, Epoch, Frame, Incarnation, Kick, KickTarget, NoticeCursor, Register, Revision, SessionKey,
    SessionOperation, SessionSelector, StateId, Unregister,
};

use super::instance::{read_name, write_name};
use super::{Decoded, read_numbered, read_request, unknown, write_request};
use crate::codec::{Input, Output};

mod tag {
    pub(super) const REGISTER: u8 = 1;
    pub(super) const UNREGISTER: u8 = 2;
    pub(super) const BIND: u8 = 3;
    pub(super) const UNBIND: u8 = 4;

    pub(super) const USER: u8 = 1;
    pub(super) const MATCHING: u8 = 2;
}

pub(super) fn write_frame(out: &mut Output, frame: &Frame) {
    out.u64(frame.incarnation.0);
    out.u64(frame.sequence);
    out.u64(frame.state.0);
    out.list(frame.operations.iter(), write_operation);
    out.option(frame.confirmed, write_cursor);
    out.option(frame.flush_remaining, Output::u64);
}

pub(super) fn read_frame(input: &mut Input) -> Decoded<Frame> {
    Ok(Frame {
        incarnation: Incarnation(input.u64()?),
        sequence: input.u64()?,
        state: StateId(input.u64()?),
        operations: input.list(read_operation)?,
        confirmed: input.option(read_cursor)?,
        flush_remaining: input.option(Input::u64)?,
    })
}

fn write_operation(out: &mut Output, operation: &SessionOperation) {
    match operation {
        SessionOperation::Register(register) => {
            out.u8(tag::REGISTER);
            write_key(out, &register.key);
            out.bytes(&register.connection);
            out.option(register.conn_seq, Output::u64);
            out.list(register.topics.iter(), |out, topic| out.bytes(topic));
            out.bytes(&register.attributes);
            out.option(register.flushed, write_epoch);
        }
        SessionOperation::Unregister(unregister) => {
            out.u8(tag::UNREGISTER);
            write_key(out, &unregister.key);
            write_epoch(out, unregister.epoch);
            out.u8(unregister.cause.number());
        }
        SessionOperation::Bind(bind) => {
            out.u8(tag::BIND);
            write_bind(out, bind);
        }
        SessionOperation::Unbind(unbind) => {
            out.u8(tag::UNBIND);
            write_bind(out, unbind);
        }
    }
}

fn read_operation(input: &mut Input) -> Decoded<SessionOperation> {
    Ok(match input.u8()? {
        tag::REGISTER => SessionOperation::Register(Register {
            key: read_key(input)?,
            connection: input.bytes()?,
            conn_seq: input.option(Input::u64)?,
            topics: input.list(Input::bytes)?,
            attributes: input.bytes()?,
            flushed: input.option(read_epoch)?,
        }),
        tag::UNREGISTER => SessionOperation::Unregister(Unregister {
            key: read_key(input)?,
            epoch: read_epoch(input)?,
            cause: read_numbered(input, "why a session is given up")?,
        }),
        tag::BIND => SessionOperation::Bind(read_bind(input)?),
        tag::UNBIND => SessionOperation::Unbind(read_bind(input)?),
        _ => return Err(unknown(input, "the tag of a session operation")),
    })
}

fn write_bind(out: &mut Output, bind: &BindTopics) {
    write_key(out, &bind.key);
    write_epoch(out, bind.epoch);
    out.list(bind.topics.iter(), |out, topic| out.bytes(topic));
}

fn read_bind(input: &mut Input) -> Decoded<BindTopics> {
    Ok(BindTopics { key: read_key(input)?, epoch: read_epoch(input)?, topics: input.list(Input::bytes)? })
}

pub(in crate::codec) fn write_key(out: &mut Output, key: &SessionKey) {
    out.bytes(&key.user);
    out.bytes(&key.slot);
}

pub(in crate::codec) fn read_key(input: &mut Input) -> Decoded<SessionKey> {
    Ok(SessionKey { user: input.bytes()?, slot: input.bytes()? })
}

pub(in crate::codec) fn write_epoch(out: &mut Output, epoch: Epoch) {
    out.u64(epoch.revision.0);
    out.u32(epoch.position);
}

pub(in crate::codec) fn read_epoch(input: &mut Input) -> Decoded<Epoch> {
    Ok(Epoch { revision: Revision(input.u64()?), position: input.u32()? })
}

pub(in crate::codec) fn write_cursor(out: &mut Output, cursor: NoticeCursor) {
    out.u64(cursor.revision.0);
    out.u32(cursor.position);
}

pub(in crate::codec) fn read_cursor(input: &mut Input) -> Decoded<NoticeCursor> {
    Ok(NoticeCursor { revision: Revision(input.u64()?), position: input.u32()? })
}

pub(super) fn write_kick(out: &mut Output, kick: &Kick) {
    write_target(out, &kick.target);
    out.str(&kick.reason);
    out.str(&kick.author);
    write_request(out, kick.request);
}

pub(super) fn read_kick(input: &mut Input) -> Decoded<Kick> {
    Ok(Kick { target: read_target(input)?, reason: input.str()?, author: input.str()?, request: read_request(input)? })
}

pub(in crate::codec) fn write_target(out: &mut Output, target: &KickTarget) {
    match target {
        KickTarget::User { user, slot } => {
            out.u8(tag::USER);
            out.bytes(user);
            out.option(slot.as_ref(), |out, slot| out.bytes(slot));
        }
        KickTarget::Matching(selector) => {
            out.u8(tag::MATCHING);
            write_selector(out, selector);
        }
    }
}

pub(in crate::codec) fn read_target(input: &mut Input) -> Decoded<KickTarget> {
    Ok(match input.u8()? {
        tag::USER => KickTarget::User { user: input.bytes()?, slot: input.option(Input::bytes)? },
        tag::MATCHING => KickTarget::Matching(read_selector(input)?),
        _ => return Err(unknown(input, "the tag of a kick's target")),
    })
}

fn write_selector(out: &mut Output, selector: &SessionSelector) {
    out.option(selector.topic.as_ref(), |out, topic| out.bytes(topic));
    out.option(selector.instance.as_ref(), write_name);
    out.bytes(&selector.user_prefix);
    out.option(selector.slot.as_ref(), |out, slot| out.bytes(slot));
}

fn read_selector(input: &mut Input) -> Decoded<SessionSelector> {
    Ok(SessionSelector {
        topic: input.option(Input::bytes)?,
        instance: input.option(read_name)?,
        user_prefix: input.bytes()?,
        slot: input.option(Input::bytes)?,
    })
}
