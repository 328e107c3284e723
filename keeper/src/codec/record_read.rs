//! Records of a frozen state, on their way back.

use std::sync::Arc;

use keeper_registry::{
    AnswerState, Closing, ClosingCause, Control, ControlAnswer, Document, FrameRecord, Header, Incarnation, Instance,
    InstanceRecord, KeptAnswer, LogTime, Notice, NoticeCause, NoticeCursor, Record, RequestId, RequestKind, Revision,
    SessionRecord, StateId, Thawing,
};

use crate::codec::command::{read_epoch, read_format, read_key, read_labels};
use crate::codec::record::ReadError;
use crate::codec::record_write::tag;
use crate::codec::{DecodeError, Input, answer};

type Decoded<T> = Result<T, DecodeError>;

/// Reads one record and gives it to the state that is being rebuilt.
pub(super) fn read(input: &mut Input, thawing: &mut Thawing) -> Result<(), ReadError> {
    match input.u8()? {
        tag::HEADER => thawing.push(Record::Header(&read_header(input)?))?,
        tag::INSTANCE => {
            let instance = Arc::new(read_instance(input)?);
            thawing.push(Record::Instance(InstanceRecord {
                instance: &instance,
                closed: input.option(|input| Ok(Revision(input.u64()?)))?,
                last_sequence: input.u64()?,
                notices_floor: read_cursor(input)?,
            }))?;
        }
        tag::FRAME => {
            let (incarnation, sequence) = (Incarnation(input.u64()?), input.u64()?);
            let revision = Revision(input.u64()?);
            let results = &answer::read_results(input)?;
            thawing.push(Record::Frame(FrameRecord { incarnation, sequence, revision, results }))?;
        }
        tag::CLOSING => thawing.push(Record::Closing(&read_closing(input)?))?,
        tag::TOPIC => thawing.push(Record::Topic(input.u32()?, &input.bytes()?))?,
        tag::SESSION => read_session(input, thawing)?,
        tag::NOTICE => thawing.push(Record::Notice(&read_notice(input)?))?,
        tag::DOCUMENT => thawing.push(Record::Document(&Arc::new(read_document(input)?)))?,
        tag::CONTROL => thawing.push(Record::Control(&Arc::new(read_control(input)?)))?,
        tag::ANSWER => thawing.push(Record::Answer(&read_kept(input)?))?,
        _ => return Err(unknown(input, "the tag of a record").into()),
    }
    Ok(())
}

fn unknown(input: &Input, what: &'static str) -> DecodeError {
    DecodeError::OutOfRange { what, at: input.position() }
}

fn read_header(input: &mut Input) -> Decoded<Header> {
    Ok(Header {
        state: input.option(|input| Ok(StateId(input.u64()?)))?,
        revision: Revision(input.u64()?),
        time: LogTime(input.u64()?),
        epochs: input.u32()?,
        last_incarnation: Incarnation(input.u64()?),
        closings_floor: Revision(input.u64()?),
        latest_notice: read_cursor(input)?,
        configs_floor: Revision(input.u64()?),
        last_control: input.u64()?,
        sessions: input.u64()?,
        hash: input.u64()?,
    })
}

fn read_cursor(input: &mut Input) -> Decoded<NoticeCursor> {
    Ok(NoticeCursor { revision: Revision(input.u64()?), position: input.u32()? })
}

fn read_instance(input: &mut Input) -> Decoded<Instance> {
    Ok(Instance {
        service: input.str()?.into(),
        id: input.str()?.into(),
        incarnation: Incarnation(input.u64()?),
        endpoints: input.list(Input::str)?,
        zone: input.str()?,
        weight: input.u32()?,
        labels: read_labels(input)?,
        version: input.str()?,
        ttl_ms: input.u32()?,
        opened: Revision(input.u64()?),
        opened_at: LogTime(input.u64()?),
    })
}

fn read_closing(input: &mut Input) -> Decoded<Closing> {
    Ok(Closing {
        service: input.str()?.into(),
        id: input.str()?.into(),
        incarnation: Incarnation(input.u64()?),
        opened: Revision(input.u64()?),
        closed: Revision(input.u64()?),
        cause: {
            let number = input.u8()?;
            ClosingCause::from_number(number).ok_or_else(|| unknown(input, "why an incarnation ended"))?
        },
        reason: input.str()?.into(),
    })
}

fn read_session(input: &mut Input, thawing: &mut Thawing) -> Result<(), ReadError> {
    let (user, slot) = (input.bytes()?, input.bytes()?);
    let incarnation = Incarnation(input.u64()?);
    let connection = input.bytes()?;
    let (epoch, registered_at) = (read_epoch(input)?, LogTime(input.u64()?));
    let conn_seq = input.option(Input::u64)?;
    let attributes = input.bytes()?;
    let topics = input.list(Input::u32)?;
    thawing.push(Record::Session(SessionRecord {
        user: &user,
        slot: &slot,
        incarnation,
        connection: &connection,
        epoch,
        registered_at,
        conn_seq,
        attributes: &attributes,
        topics: &topics,
    }))?;
    Ok(())
}

fn read_notice(input: &mut Input) -> Decoded<Notice> {
    Ok(Notice {
        cursor: read_cursor(input)?,
        incarnation: Incarnation(input.u64()?),
        key: {
            let key = read_key(input)?;
            keeper_registry::SessionKey { user: owned(&key.user), slot: owned(&key.slot) }
        },
        epoch: read_epoch(input)?,
        connection: input.owned()?,
        cause: match input.u8()? {
            tag::DISPLACED => NoticeCause::DisplacedBy(answer::read_holder(input)?),
            tag::KICKED => NoticeCause::Kicked { reason: input.str()?.into(), author: input.str()?.into() },
            _ => return Err(unknown(input, "why a session ended")),
        },
    })
}

fn owned(bytes: &bytes::Bytes) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(bytes)
}

fn read_document(input: &mut Input) -> Decoded<Document> {
    Ok(Document {
        path: input.str()?.into(),
        format: read_format(input)?,
        text: input.owned()?,
        value: input.owned()?,
        revision: Revision(input.u64()?),
        version: input.u64()?,
        author: input.str()?.into(),
        message: input.str()?.into(),
        published_at: LogTime(input.u64()?),
        deleted: input.flag()?,
    })
}

fn read_control(input: &mut Input) -> Decoded<Control> {
    Ok(Control {
        number: input.u64()?,
        service: input.str()?.into(),
        action: input.str()?.into(),
        argument: input.owned()?,
        author: input.str()?.into(),
        sent_at: LogTime(input.u64()?),
        deadline_at: LogTime(input.u64()?),
        answers: input.list(|input| {
            Ok(ControlAnswer {
                instance: input.str()?.into(),
                incarnation: Incarnation(input.u64()?),
                state: match input.u8()? {
                    tag::WAITING => AnswerState::Waiting,
                    tag::DONE => AnswerState::Done { message: input.str()?.into() },
                    tag::REFUSED => AnswerState::Refused { message: input.str()?.into() },
                    _ => return Err(unknown(input, "what an instance said")),
                },
            })
        })?,
    })
}

fn read_kept(input: &mut Input) -> Decoded<KeptAnswer> {
    let mut id = [0; 16];
    id.copy_from_slice(&input.raw(16)?);
    let number = input.u8()?;
    Ok(KeptAnswer {
        request: RequestId(id),
        kind: RequestKind::from_number(number).ok_or_else(|| unknown(input, "the kind of a request"))?,
        asked: input.u64()?,
        answered_at: LogTime(input.u64()?),
        answer: answer::read(input)?,
    })
}
