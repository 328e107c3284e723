//! Records of a frozen state, on their way back.

use std::sync::Arc;

use keeper_registry::{
    AnswerState, ClosedRecord, Closing, ClosingCause, Control, ControlAnswer, Document, Dropped, FrameRecord, Header,
    Incarnation, Instance, InstanceRecord, KeptAnswer, Level, LingerRecord, LogTime, Nodes, Notice, NoticeCause, Pass,
    RebuildHeader, Record, RequestId, Revision, SessionRecord, StateId, Thawing, limits,
};
use smallvec::SmallVec;

use crate::codec::command::{read_cursor, read_epoch, read_format, read_key, read_labels, read_numbered, unknown};
use crate::codec::presence::Places;
use crate::codec::record::ReadError;
use crate::codec::record_write::tag;
use crate::codec::{DecodeError, Input, answer, cluster, consumer, kick, policy, presence, rebuild, rollout};

type Decoded<T> = Result<T, DecodeError>;

/// Reads one record and gives it to the state that is being rebuilt.
pub(super) fn read(input: &mut Input, places: &mut Places, thawing: &mut Thawing) -> Result<(), ReadError> {
    match input.u8()? {
        tag::HEADER => thawing.push(Record::Header(&read_header(input)?))?,
        tag::CLUSTER => thawing.push(Record::Cluster(&cluster::read(input)?))?,
        tag::POLICY => thawing.push(Record::Policy(&Arc::new(policy::read_policy(input)?)))?,
        tag::GRACES => thawing.push(Record::Graces(&Arc::new(policy::read_graces(input)?)))?,
        tag::INSTANCE => read_instance_record(input, thawing)?,
        tag::NODES => thawing.push(Record::Nodes(Nodes { last: input.u64()? }))?,
        tag::REBUILD => thawing.push(Record::Rebuild(&rebuild::read_gateway(input)?))?,
        tag::FRAME => {
            let (incarnation, sequence) = (Incarnation(input.u64()?), input.u64()?);
            let revision = Revision(input.u64()?);
            let results = &answer::read_results(input)?;
            thawing.push(Record::Frame(FrameRecord { incarnation, sequence, revision, results }))?;
        }
        tag::CLOSING => thawing.push(Record::Closing(&read_closing(input)?))?,
        tag::LINGER => {
            let graces = input.u32()?;
            let passes = &input.list(read_pass)?;
            thawing.push(Record::Linger(LingerRecord { graces, passes }))?;
        }
        tag::TOPIC => thawing.push(Record::Topic(input.u32()?, &input.bytes()?))?,
        tag::SESSION => read_session(input, thawing)?,
        tag::NOTICE => thawing.push(Record::Notice(&read_notice(input)?))?,
        tag::PRESENCE => presence::read_fact(input, places, |fact| thawing.push(Record::Presence(fact)))??,
        tag::KICK => thawing.push(Record::Kick(&Arc::new(kick::read(input)?)))?,
        tag::DOCUMENT => thawing.push(Record::Document(&Arc::new(read_document(input)?)))?,
        tag::DOCUMENT_FORCED => {
            let document = read_document(input)?;
            let forced = Some(input.str()?.into());
            thawing.push(Record::Document(&Arc::new(Document { forced, ..document })))?;
        }
        tag::HISTORY => thawing.push(Record::History(&Arc::new(policy::read_history(input)?)))?,
        tag::SCHEMA => thawing.push(Record::Schema(&consumer::read_schema(input)?))?,
        tag::READERS => thawing.push(Record::Readers(&input.str()?, Revision(input.u64()?)))?,
        tag::ANNOUNCEMENT => consumer::read_announcement(input, thawing)?,
        tag::ROLLOUTS => thawing.push(Record::Rollouts(input.u64()?, Revision(input.u64()?)))?,
        tag::ROLLOUT => thawing.push(Record::Rollout(&Arc::new(rollout::read(input)?)))?,
        tag::CONTROL => thawing.push(Record::Control(&Arc::new(read_control(input)?)))?,
        tag::ANSWER => thawing.push(Record::Answer(&read_kept(input)?))?,
        _ => return Err(unknown(input, "the tag of a record").into()),
    }
    Ok(())
}

/// The record that every state begins with, and what the cluster has decided about itself.
pub(super) fn header(input: &mut Input) -> Decoded<(Header, Level)> {
    if input.u8()? != tag::HEADER {
        return Err(unknown(input, "the first record"));
    }
    let header = read_header(input)?;
    let is_decided = !input.is_empty() && input.u8()? == tag::CLUSTER;
    let level = if is_decided { cluster::read(input)?.level() } else { Level::FIRST };
    Ok((header, level))
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
        latest_presence: presence::read_cursor(input)?,
        presence_floor: presence::read_cursor(input)?,
        graces: input.u32()?,
        configs_floor: Revision(input.u64()?),
        last_control: input.u64()?,
        last_kick: input.u64()?,
        seed: input.u64()?,
        rebuild: input.option(|input| Ok(RebuildHeader { since: LogTime(input.u64()?), ttl_ms_max: input.u32()? }))?,
        sessions: input.u64()?,
        hash: input.u64()?,
    })
}

fn read_instance_record(input: &mut Input, thawing: &mut Thawing) -> Result<(), ReadError> {
    let instance = &Arc::new(read_instance(input)?);
    let (closed, stages) = input.option(read_closed)?.unzip();
    let stages = stages.unwrap_or_default();
    thawing.push(Record::Instance(InstanceRecord {
        instance,
        closed: closed.map(|closed| ClosedRecord { stages: &stages, ..closed }),
        last_sequence: input.u64()?,
        notices_floor: read_cursor(input)?,
        confirmed: read_cursor(input)?,
    }))?;
    Ok(())
}

/// The stages come beside the record, which borrows them.
fn read_closed(input: &mut Input) -> Decoded<(ClosedRecord<'static>, Vec<u32>)> {
    let (revision, at) = (Revision(input.u64()?), LogTime(input.u64()?));
    let cause = read_cause(input)?;
    let graces = input.u32()?;
    let stages = input.list(Input::u32)?;
    let (stage, after) = (input.u32()?, read_epoch(input)?);
    Ok((ClosedRecord { revision, at, cause, graces, stages: &[], stage, after }, stages))
}

fn read_cause(input: &mut Input) -> Decoded<ClosingCause> {
    read_numbered(input, "why an incarnation ended")
}

fn read_pass(input: &mut Input) -> Decoded<Pass> {
    Ok(Pass { grace_ms: input.u32()?, after: presence::read_cursor(input)? })
}

fn read_dropped(input: &mut Input) -> Decoded<Dropped> {
    Ok(Dropped { cursor: presence::read_cursor(input)?, at: LogTime(input.u64()?), graces: input.u32()? })
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
        at: LogTime(input.u64()?),
        cause: read_cause(input)?,
        reason: input.str()?.into(),
    })
}

/// Most of a snapshot by far: nothing is copied or allocated on the way.
fn read_session(input: &mut Input, thawing: &mut Thawing) -> Result<(), ReadError> {
    let (user, slot) = (input.span()?, input.span()?);
    let incarnation = Incarnation(input.u64()?);
    let connection = input.span()?;
    let (epoch, registered_at) = (read_epoch(input)?, LogTime(input.u64()?));
    let conn_seq = input.option(Input::u64)?;
    let (flushed, dropped) = (input.option(read_epoch)?, input.option(read_dropped)?);
    let attributes = input.span()?;
    let mut topics = SmallVec::<[u32; limits::TOPICS_PER_SESSION_MAX]>::new();
    for _ in 0..input.len()? {
        topics.push(input.u32()?);
    }
    thawing.push(Record::Session(SessionRecord {
        user: input.within(user),
        slot: input.within(slot),
        incarnation,
        connection: input.within(connection),
        epoch,
        registered_at,
        conn_seq,
        flushed,
        dropped,
        attributes: input.within(attributes),
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
        forced: None,
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
    Ok(KeptAnswer {
        request: RequestId(id),
        kind: read_numbered(input, "the kind of a request")?,
        asked: input.u64()?,
        answered_at: LogTime(input.u64()?),
        answer: answer::read(input)?,
    })
}
