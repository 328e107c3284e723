//! Commands, field by field. The tags are on disk: they never change and are never used again.

use keeper_registry::{
    AcknowledgeControl, BindTopics, CloseInstance, Command, DocumentAction, DocumentChange, Epoch, Format, Frame,
    Incarnation, Kick, OpenInstance, Publish, Register, RequestId, Revision, SendControl, SessionKey, SessionOperation,
    StateId, Unregister,
};

use crate::codec::{DecodeError, Input, Output};

type Decoded<T> = Result<T, DecodeError>;

mod tag {
    pub(super) const FOUND: u8 = 1;
    pub(super) const FRAME: u8 = 2;
    pub(super) const KICK: u8 = 3;
    pub(super) const OPEN_INSTANCE: u8 = 4;
    pub(super) const CLOSE_INSTANCE: u8 = 5;
    pub(super) const EXPIRE: u8 = 6;
    pub(super) const REAP: u8 = 7;
    pub(super) const PUBLISH: u8 = 8;
    pub(super) const SEND_CONTROL: u8 = 9;
    pub(super) const ACKNOWLEDGE_CONTROL: u8 = 10;

    pub(super) const REGISTER: u8 = 1;
    pub(super) const UNREGISTER: u8 = 2;
    pub(super) const BIND: u8 = 3;
    pub(super) const UNBIND: u8 = 4;

    pub(super) const PUT: u8 = 1;
    pub(super) const DELETE: u8 = 2;
}

pub(super) fn write(out: &mut Output, command: &Command) {
    match command {
        Command::Found(state) => {
            out.u8(tag::FOUND);
            out.u64(state.0);
        }
        Command::Frame(frame) => {
            out.u8(tag::FRAME);
            write_frame(out, frame);
        }
        Command::Kick(kick) => {
            out.u8(tag::KICK);
            write_kick(out, kick);
        }
        Command::OpenInstance(open) => {
            out.u8(tag::OPEN_INSTANCE);
            write_open(out, open);
        }
        Command::CloseInstance(close) => {
            out.u8(tag::CLOSE_INSTANCE);
            out.u64(close.incarnation.0);
            out.str(&close.reason);
        }
        Command::Expire(incarnation) => {
            out.u8(tag::EXPIRE);
            out.u64(incarnation.0);
        }
        Command::Reap => out.u8(tag::REAP),
        Command::Publish(publish) => {
            out.u8(tag::PUBLISH);
            write_publish(out, publish);
        }
        Command::SendControl(control) => {
            out.u8(tag::SEND_CONTROL);
            write_control(out, control);
        }
        Command::AcknowledgeControl(acknowledge) => {
            out.u8(tag::ACKNOWLEDGE_CONTROL);
            out.u64(acknowledge.control);
            out.u64(acknowledge.incarnation.0);
            out.flag(acknowledge.done);
            out.str(&acknowledge.message);
        }
    }
}

pub(super) fn read(input: &mut Input) -> Decoded<Command> {
    Ok(match input.u8()? {
        tag::FOUND => Command::Found(StateId(input.u64()?)),
        tag::FRAME => Command::Frame(read_frame(input)?),
        tag::KICK => Command::Kick(read_kick(input)?),
        tag::OPEN_INSTANCE => Command::OpenInstance(read_open(input)?),
        tag::CLOSE_INSTANCE => {
            Command::CloseInstance(CloseInstance { incarnation: Incarnation(input.u64()?), reason: input.str()? })
        }
        tag::EXPIRE => Command::Expire(Incarnation(input.u64()?)),
        tag::REAP => Command::Reap,
        tag::PUBLISH => Command::Publish(read_publish(input)?),
        tag::SEND_CONTROL => Command::SendControl(read_control(input)?),
        tag::ACKNOWLEDGE_CONTROL => Command::AcknowledgeControl(AcknowledgeControl {
            control: input.u64()?,
            incarnation: Incarnation(input.u64()?),
            done: input.flag()?,
            message: input.str()?,
        }),
        _ => return Err(unknown_tag(input, "the tag of a command")),
    })
}

fn unknown_tag(input: &Input, what: &'static str) -> DecodeError {
    DecodeError::OutOfRange { what, at: input.position() }
}

fn write_frame(out: &mut Output, frame: &Frame) {
    out.u64(frame.incarnation.0);
    out.u64(frame.sequence);
    out.u64(frame.state.0);
    out.list(frame.operations.iter(), write_operation);
}

fn read_frame(input: &mut Input) -> Decoded<Frame> {
    Ok(Frame {
        incarnation: Incarnation(input.u64()?),
        sequence: input.u64()?,
        state: StateId(input.u64()?),
        operations: input.list(read_operation)?,
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
        }
        SessionOperation::Unregister(unregister) => {
            out.u8(tag::UNREGISTER);
            write_key(out, &unregister.key);
            write_epoch(out, unregister.epoch);
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
        }),
        tag::UNREGISTER => {
            SessionOperation::Unregister(Unregister { key: read_key(input)?, epoch: read_epoch(input)? })
        }
        tag::BIND => SessionOperation::Bind(read_bind(input)?),
        tag::UNBIND => SessionOperation::Unbind(read_bind(input)?),
        _ => return Err(unknown_tag(input, "the tag of a session operation")),
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

pub(super) fn write_key(out: &mut Output, key: &SessionKey) {
    out.bytes(&key.user);
    out.bytes(&key.slot);
}

pub(super) fn read_key(input: &mut Input) -> Decoded<SessionKey> {
    Ok(SessionKey { user: input.bytes()?, slot: input.bytes()? })
}

pub(super) fn write_epoch(out: &mut Output, epoch: Epoch) {
    out.u64(epoch.revision.0);
    out.u32(epoch.position);
}

pub(super) fn read_epoch(input: &mut Input) -> Decoded<Epoch> {
    Ok(Epoch { revision: Revision(input.u64()?), position: input.u32()? })
}

fn write_kick(out: &mut Output, kick: &Kick) {
    out.bytes(&kick.user);
    out.option(kick.slot.as_ref(), |out, slot| out.bytes(slot));
    out.str(&kick.reason);
    out.str(&kick.author);
    write_request(out, kick.request);
}

fn read_kick(input: &mut Input) -> Decoded<Kick> {
    Ok(Kick {
        user: input.bytes()?,
        slot: input.option(Input::bytes)?,
        reason: input.str()?,
        author: input.str()?,
        request: read_request(input)?,
    })
}

fn write_open(out: &mut Output, open: &OpenInstance) {
    out.str(&open.service);
    out.str(&open.id);
    out.list(open.endpoints.iter(), |out, endpoint| out.str(endpoint));
    out.str(&open.zone);
    out.u32(open.weight);
    write_labels(out, &open.labels);
    out.str(&open.version);
    out.u32(open.ttl_ms);
    write_request(out, open.request);
}

fn read_open(input: &mut Input) -> Decoded<OpenInstance> {
    Ok(OpenInstance {
        service: input.str()?,
        id: input.str()?,
        endpoints: input.list(Input::str)?,
        zone: input.str()?,
        weight: input.u32()?,
        labels: read_labels(input)?,
        version: input.str()?,
        ttl_ms: input.u32()?,
        request: read_request(input)?,
    })
}

pub(super) fn write_labels(out: &mut Output, labels: &[(String, String)]) {
    out.list(labels.iter(), |out, (name, value)| {
        out.str(name);
        out.str(value);
    });
}

pub(super) fn read_labels(input: &mut Input) -> Decoded<Vec<(String, String)>> {
    input.list(|input| Ok((input.str()?, input.str()?)))
}

fn write_publish(out: &mut Output, publish: &Publish) {
    out.list(publish.changes.iter(), |out, change| {
        out.str(&change.path);
        out.option(change.expected, |out, revision| out.u64(revision.0));
        match &change.action {
            DocumentAction::Put { format, text, value } => {
                out.u8(tag::PUT);
                out.u8(format.number());
                out.bytes(text);
                out.bytes(value);
            }
            DocumentAction::Delete => out.u8(tag::DELETE),
        }
    });
    out.str(&publish.author);
    out.str(&publish.message);
    write_request(out, publish.request);
}

fn read_publish(input: &mut Input) -> Decoded<Publish> {
    Ok(Publish {
        changes: input.list(read_change)?,
        author: input.str()?,
        message: input.str()?,
        request: read_request(input)?,
    })
}

fn read_change(input: &mut Input) -> Decoded<DocumentChange> {
    Ok(DocumentChange {
        path: input.str()?,
        expected: input.option(|input| Ok(Revision(input.u64()?)))?,
        action: match input.u8()? {
            tag::PUT => {
                DocumentAction::Put { format: read_format(input)?, text: input.bytes()?, value: input.bytes()? }
            }
            tag::DELETE => DocumentAction::Delete,
            _ => return Err(unknown_tag(input, "the tag of a document's action")),
        },
    })
}

pub(super) fn read_format(input: &mut Input) -> Decoded<Format> {
    let number = input.u8()?;
    Format::from_number(number).ok_or_else(|| unknown_tag(input, "a format"))
}

fn write_control(out: &mut Output, control: &SendControl) {
    out.str(&control.service);
    out.str(&control.id);
    out.str(&control.action);
    out.bytes(&control.argument);
    out.u32(control.deadline_ms);
    out.str(&control.author);
    write_request(out, control.request);
}

fn read_control(input: &mut Input) -> Decoded<SendControl> {
    Ok(SendControl {
        service: input.str()?,
        id: input.str()?,
        action: input.str()?,
        argument: input.bytes()?,
        deadline_ms: input.u32()?,
        author: input.str()?,
        request: read_request(input)?,
    })
}

pub(super) fn write_request(out: &mut Output, request: Option<RequestId>) {
    out.option(request, |out, request| out.raw(&request.0));
}

pub(super) fn read_request(input: &mut Input) -> Decoded<Option<RequestId>> {
    input.option(|input| {
        let mut id = [0; 16];
        id.copy_from_slice(&input.raw(16)?);
        Ok(RequestId(id))
    })
}
