//! Records of a frozen state, on their way to disk.

use keeper_registry::{
    AnswerState, ClosedRecord, Closing, Control, Document, Header, Instance, InstanceRecord, Notice, NoticeCause,
    Record, SessionRecord,
};

use crate::codec::command::{write_cursor, write_epoch, write_key, write_labels};
use crate::codec::{Output, answer, cluster, consumer, kick, policy, presence, rebuild, rollout};

/// The tags of records. They are on disk: they never change and are never used again.
pub(super) mod tag {
    pub(in crate::codec) const HEADER: u8 = 1;
    pub(in crate::codec) const INSTANCE: u8 = 2;
    pub(in crate::codec) const FRAME: u8 = 3;
    pub(in crate::codec) const CLOSING: u8 = 4;
    pub(in crate::codec) const TOPIC: u8 = 5;
    pub(in crate::codec) const SESSION: u8 = 6;
    pub(in crate::codec) const NOTICE: u8 = 7;
    pub(in crate::codec) const DOCUMENT: u8 = 8;
    pub(in crate::codec) const CONTROL: u8 = 9;
    pub(in crate::codec) const ANSWER: u8 = 10;
    pub(in crate::codec) const POLICY: u8 = 11;
    pub(in crate::codec) const GRACES: u8 = 12;
    pub(in crate::codec) const LINGER: u8 = 13;
    pub(in crate::codec) const PRESENCE: u8 = 14;
    pub(in crate::codec) const KICK: u8 = 15;
    pub(in crate::codec) const REBUILD: u8 = 16;
    pub(in crate::codec) const NODES: u8 = 20;
    pub(in crate::codec) const CLUSTER: u8 = 17;
    pub(in crate::codec) const HISTORY: u8 = 30;
    pub(in crate::codec) const SCHEMA: u8 = 31;
    pub(in crate::codec) const READERS: u8 = 32;
    pub(in crate::codec) const ANNOUNCEMENT: u8 = 33;
    pub(in crate::codec) const ROLLOUTS: u8 = 34;
    pub(in crate::codec) const ROLLOUT: u8 = 35;
    pub(in crate::codec) const DOCUMENT_FORCED: u8 = 36;

    pub(in crate::codec) const DISPLACED: u8 = 1;
    pub(in crate::codec) const KICKED: u8 = 2;

    pub(in crate::codec) const WAITING: u8 = 1;
    pub(in crate::codec) const DONE: u8 = 2;
    pub(in crate::codec) const REFUSED: u8 = 3;
}

pub(super) fn write(out: &mut Output, record: Record<'_>) {
    match record {
        Record::Header(header) => write_header(out, header),
        Record::Cluster(decided) => write_tagged(out, tag::CLUSTER, decided, cluster::write),
        Record::Policy(policy) => write_tagged(out, tag::POLICY, policy.as_ref(), policy::write_policy),
        Record::Graces(graces) => write_tagged(out, tag::GRACES, graces.as_ref(), policy::write_graces),
        Record::Instance(record) => write_instance_record(out, &record),
        Record::Nodes(nodes) => {
            out.u8(tag::NODES);
            out.u64(nodes.last);
        }
        Record::Rebuild(gateway) => write_tagged(out, tag::REBUILD, gateway, rebuild::write_gateway),
        Record::Frame(frame) => {
            out.u8(tag::FRAME);
            out.u64(frame.incarnation.0);
            out.u64(frame.sequence);
            out.u64(frame.revision.0);
            answer::write_results(out, frame.results);
        }
        Record::Closing(closing) => write_closing(out, closing),
        Record::Linger(linger) => {
            out.u8(tag::LINGER);
            out.u32(linger.graces);
            out.list(linger.passes.iter(), |out, pass| {
                out.u32(pass.grace_ms);
                presence::write_cursor(out, pass.after);
            });
        }
        Record::Topic(number, name) => {
            out.u8(tag::TOPIC);
            out.u32(number);
            out.bytes(name);
        }
        Record::Session(session) => write_session(out, &session),
        Record::Notice(notice) => write_notice(out, notice),
        Record::Presence(fact) => write_tagged(out, tag::PRESENCE, &fact, presence::write_fact),
        Record::Kick(job) => write_tagged(out, tag::KICK, job.as_ref(), kick::write),
        Record::History(policy) => write_tagged(out, tag::HISTORY, policy.as_ref(), policy::write_history),
        Record::Schema(schema) => {
            out.u8(tag::SCHEMA);
            out.bytes(&schema.bytes);
        }
        Record::Readers(path, changed) => {
            out.u8(tag::READERS);
            out.str(path);
            out.u64(changed.0);
        }
        Record::Announcement(record) => write_tagged(out, tag::ANNOUNCEMENT, &record, consumer::write_announcement),
        Record::Rollouts(last, floor) => {
            out.u8(tag::ROLLOUTS);
            out.u64(last);
            out.u64(floor.0);
        }
        Record::Rollout(rollout) => write_tagged(out, tag::ROLLOUT, rollout.as_ref(), rollout::write),
        Record::Document(document) => write_document(out, document),
        Record::Control(control) => write_control(out, control),
        Record::Answer(kept) => {
            out.u8(tag::ANSWER);
            out.raw(&kept.request.0);
            out.u8(kept.kind.number());
            out.u64(kept.asked);
            out.u64(kept.answered_at.0);
            answer::write(out, &kept.answer);
        }
    }
}

/// A record that has a module to write it.
fn write_tagged<T: ?Sized>(out: &mut Output, tag: u8, record: &T, write: impl FnOnce(&mut Output, &T)) {
    out.u8(tag);
    write(out, record);
}

fn write_closing(out: &mut Output, closing: &Closing) {
    out.u8(tag::CLOSING);
    out.str(&closing.service);
    out.str(&closing.id);
    out.u64(closing.incarnation.0);
    out.u64(closing.opened.0);
    out.u64(closing.closed.0);
    out.u64(closing.at.0);
    out.u8(closing.cause.number());
    out.str(&closing.reason);
}

fn write_notice(out: &mut Output, notice: &Notice) {
    out.u8(tag::NOTICE);
    write_cursor(out, notice.cursor);
    out.u64(notice.incarnation.0);
    write_key(out, &notice.key);
    write_epoch(out, notice.epoch);
    out.bytes(&notice.connection);
    write_cause(out, &notice.cause);
}

fn write_header(out: &mut Output, header: &Header) {
    out.u8(tag::HEADER);
    out.option(header.state, |out, state| out.u64(state.0));
    out.u64(header.revision.0);
    out.u64(header.time.0);
    out.u32(header.epochs);
    out.u64(header.last_incarnation.0);
    out.u64(header.closings_floor.0);
    write_cursor(out, header.latest_notice);
    presence::write_cursor(out, header.latest_presence);
    presence::write_cursor(out, header.presence_floor);
    out.u32(header.graces);
    out.u64(header.configs_floor.0);
    out.u64(header.last_control);
    out.u64(header.last_kick);
    out.u64(header.seed);
    out.option(header.rebuild, |out, rebuild| {
        out.u64(rebuild.since.0);
        out.u32(rebuild.ttl_ms_max);
    });
    out.u64(header.sessions);
    out.u64(header.hash);
}

fn write_instance_record(out: &mut Output, record: &InstanceRecord<'_>) {
    out.u8(tag::INSTANCE);
    write_instance(out, record.instance);
    out.option(record.closed, write_closed);
    out.u64(record.last_sequence);
    write_cursor(out, record.notices_floor);
    write_cursor(out, record.confirmed);
}

fn write_instance(out: &mut Output, instance: &Instance) {
    out.str(&instance.service);
    out.str(&instance.id);
    out.u64(instance.incarnation.0);
    out.list(instance.endpoints.iter(), |out, endpoint| out.str(endpoint));
    out.str(&instance.zone);
    out.u32(instance.weight);
    write_labels(out, &instance.labels);
    out.str(&instance.version);
    out.u32(instance.ttl_ms);
    out.u64(instance.opened.0);
    out.u64(instance.opened_at.0);
}

fn write_closed(out: &mut Output, closed: ClosedRecord<'_>) {
    out.u64(closed.revision.0);
    out.u64(closed.at.0);
    out.u8(closed.cause.number());
    out.u32(closed.graces);
    out.list(closed.stages.iter(), |out, grace_ms| out.u32(*grace_ms));
    out.u32(closed.stage);
    write_epoch(out, closed.after);
}

fn write_session(out: &mut Output, session: &SessionRecord<'_>) {
    out.u8(tag::SESSION);
    out.bytes(session.user);
    out.bytes(session.slot);
    out.u64(session.incarnation.0);
    out.bytes(session.connection);
    write_epoch(out, session.epoch);
    out.u64(session.registered_at.0);
    out.option(session.conn_seq, Output::u64);
    out.option(session.flushed, write_epoch);
    out.option(session.dropped, |out, dropped| {
        presence::write_cursor(out, dropped.cursor);
        out.u64(dropped.at.0);
        out.u32(dropped.graces);
    });
    out.bytes(session.attributes);
    out.list(session.topics.iter(), |out, topic| out.u32(*topic));
}

fn write_document(out: &mut Output, document: &Document) {
    out.u8(if document.forced.is_some() { tag::DOCUMENT_FORCED } else { tag::DOCUMENT });
    out.str(&document.path);
    out.u8(document.format.number());
    out.bytes(&document.text);
    out.bytes(&document.value);
    out.u64(document.revision.0);
    out.u64(document.version);
    out.str(&document.author);
    out.str(&document.message);
    out.u64(document.published_at.0);
    out.flag(document.deleted);
    if let Some(reason) = &document.forced {
        out.str(reason);
    }
}

fn write_cause(out: &mut Output, cause: &NoticeCause) {
    match cause {
        NoticeCause::DisplacedBy(holder) => {
            out.u8(tag::DISPLACED);
            answer::write_holder(out, holder);
        }
        NoticeCause::Kicked { reason, author } => {
            out.u8(tag::KICKED);
            out.str(reason);
            out.str(author);
        }
    }
}

fn write_control(out: &mut Output, control: &Control) {
    out.u8(tag::CONTROL);
    out.u64(control.number);
    out.str(&control.service);
    out.str(&control.action);
    out.bytes(&control.argument);
    out.str(&control.author);
    out.u64(control.sent_at.0);
    out.u64(control.deadline_at.0);
    out.list(control.answers.iter(), |out, answer| {
        out.str(&answer.instance);
        out.u64(answer.incarnation.0);
        match &answer.state {
            AnswerState::Waiting => out.u8(tag::WAITING),
            AnswerState::Done { message } => {
                out.u8(tag::DONE);
                out.str(message);
            }
            AnswerState::Refused { message } => {
                out.u8(tag::REFUSED);
                out.str(message);
            }
        }
    });
}
