//! Commands nobody in their right mind would propose.

use bytes::Bytes;
use keeper_registry::{
    AcknowledgeControl, BindTopics, CloseInstance, Command, DocumentAction, DocumentChange, Epoch, Format, Frame,
    GiveUp, Incarnation, Kick, KickTarget, Level, LogTime, NoticeCursor, OpenInstance, Publish, RaiseLevel, Register,
    RequestId, Revision, SendControl, SessionKey, SessionOperation, SessionSelector, Stamp, StateId, Unregister,
    UnregisterCause,
};
use proptest::{collection::vec, option, prelude::*};

use crate::configs;

pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..8, Just(u64::MAX), Just(u64::MAX - 1), Just(1 << 32), any::<u64>()]
}

pub(crate) fn bytes() -> impl Strategy<Value = Bytes> {
    let lengths = prop_oneof![Just(0_usize), 1_usize..3, Just(32), Just(33), Just(64), Just(65), Just(129), Just(600)];
    (any::<u8>(), lengths).prop_map(|(byte, length)| Bytes::from(vec![byte; length]))
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,3}", "\\PC{0,70}", Just("room".to_owned()), Just("a/b".to_owned()), Just("x".repeat(2_000))]
}

pub(crate) fn request() -> impl Strategy<Value = Option<RequestId>> {
    option::of((0_u8..3).prop_map(|number| RequestId([number; 16])))
}

pub(crate) fn stamp() -> impl Strategy<Value = Stamp> {
    (number(), number()).prop_map(|(revision, time)| Stamp { revision: Revision(revision), time: LogTime(time) })
}

pub(crate) fn incarnation() -> impl Strategy<Value = Incarnation> {
    number().prop_map(Incarnation)
}

fn key() -> impl Strategy<Value = SessionKey> {
    (bytes(), bytes()).prop_map(|(user, slot)| SessionKey { user, slot })
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (number(), any::<u32>()).prop_map(|(revision, position)| Epoch { revision: Revision(revision), position })
}

fn operation() -> BoxedStrategy<SessionOperation> {
    let topics = || vec(bytes(), 0..20);
    let register = (key(), bytes(), option::of(number()), topics(), bytes(), option::of(epoch()));
    let cause = || prop_oneof![Just(UnregisterCause::Left), Just(UnregisterCause::Lost)];
    let unregister = (key(), epoch(), cause()).prop_map(|(key, epoch, cause)| Unregister { key, epoch, cause });
    let bind = || (key(), epoch(), topics()).prop_map(|(key, epoch, topics)| BindTopics { key, epoch, topics });
    prop_oneof![
        3 => register.prop_map(|(key, connection, conn_seq, topics, attributes, flushed)| {
            SessionOperation::Register(Register { key, connection, conn_seq, topics, attributes, flushed })
        }),
        1 => unregister.prop_map(SessionOperation::Unregister),
        1 => bind().prop_map(SessionOperation::Bind),
        1 => bind().prop_map(SessionOperation::Unbind),
    ]
    .boxed()
}

pub(crate) fn change() -> impl Strategy<Value = DocumentChange> {
    let format = prop_oneof![Just(Format::Toml), Just(Format::Ini)];
    let put = (format, bytes(), bytes()).prop_map(|(format, text, value)| DocumentAction::Put {
        format,
        text,
        value,
        policy: None,
    });
    let action = prop_oneof![3 => put, 1 => Just(DocumentAction::Delete)];
    let key = prop_oneof![2 => text(), 1 => Just("a@zone=z".to_owned()), 1 => Just("a@label.b=c".to_owned())];
    let parts = (key, option::of(number().prop_map(Revision)), action);
    parts.prop_map(|(path, expected, action)| DocumentChange { path, expected, action })
}

fn frame() -> impl Strategy<Value = Frame> {
    let state = prop_oneof![4 => Just(StateId(7)), 1 => number().prop_map(StateId)];
    let cursor = epoch().prop_map(|Epoch { revision, position }| NoticeCursor { revision, position });
    let parts = (incarnation(), number(), state, vec(operation(), 0..10), option::of(cursor), option::of(number()));
    parts.prop_map(|(incarnation, sequence, state, operations, confirmed, flush_remaining)| Frame {
        incarnation,
        sequence,
        state,
        operations,
        confirmed,
        flush_remaining,
    })
}

fn open() -> impl Strategy<Value = OpenInstance> {
    let labels = vec((text(), text()), 0..18);
    let ttl_ms = prop_oneof![3 => Just(10_000_u32), 1 => any::<u32>()];
    let former = (option::of(number().prop_map(StateId)), number());
    let parts =
        ((text(), text()), vec(text(), 0..10), text(), any::<u32>(), labels, (text(), ttl_ms), former, request());
    parts.prop_map(|((service, id), endpoints, zone, weight, labels, (version, ttl_ms), former, request)| {
        OpenInstance {
            service,
            id,
            endpoints,
            zone,
            weight,
            labels,
            version,
            ttl_ms,
            former_state: former.0,
            flush_total: former.1,
            request,
        }
    })
}

fn send() -> impl Strategy<Value = SendControl> {
    let parts = (text(), text(), text(), bytes(), any::<u32>(), text(), request());
    parts.prop_map(|(service, id, action, argument, deadline_ms, author, request)| SendControl {
        service,
        id,
        action,
        argument,
        deadline_ms,
        author,
        request,
    })
}

fn kick() -> impl Strategy<Value = Kick> {
    let instance = option::of((text(), text()));
    let matching = (option::of(bytes()), instance, bytes(), option::of(bytes()));
    let matching = matching.prop_map(|(topic, instance, user_prefix, slot)| {
        KickTarget::Matching(SessionSelector { topic, instance, user_prefix, slot })
    });
    let user = (bytes(), option::of(bytes())).prop_map(|(user, slot)| KickTarget::User { user, slot });
    let parts = (prop_oneof![user, matching], text(), text(), request());
    parts.prop_map(|(target, reason, author, request)| Kick { target, reason, author, request })
}

/// Boxed, because a debug build would keep all of it on a test thread's stack.
pub(crate) fn command() -> BoxedStrategy<Command> {
    let publish = (vec(change(), 0..6), text(), text(), request());
    let acknowledge = (number(), incarnation(), any::<bool>(), text());
    prop_oneof![
        1 => number().prop_map(|state| Command::Found(StateId(state))),
        6 => frame().prop_map(Command::Frame).boxed(),
        2 => kick().prop_map(Command::Kick).boxed(),
        1 => Just(Command::KickStep),
        1 => (vec((text(), text()), 0..3), text()).prop_map(|(instances, author)| {
            Command::GiveUp(GiveUp { instances, author })
        }),
        1 => number().prop_map(|state| Command::Restore(StateId(state))),
        1 => (any::<u32>(), text(), text()).prop_map(|(to, needs, author)| {
            Command::RaiseLevel(RaiseLevel { to: Level(to), needs, author })
        }),
        3 => open().prop_map(Command::OpenInstance).boxed(),
        1 => (incarnation(), text()).prop_map(|(incarnation, reason)| {
            Command::CloseInstance(CloseInstance { incarnation, reason })
        }),
        1 => incarnation().prop_map(Command::Expire),
        1 => Just(Command::Sweep),
        2 => publish.prop_map(|(changes, author, message, request)| {
            Command::Publish(Publish { changes, author, message, request, ..Publish::default() })
        }),
        1 => send().prop_map(Command::SendControl).boxed(),
        8 => configs::hostile().boxed(),
        1 => number().prop_map(Command::ReserveNode),
        1 => number().prop_map(Command::RetireNode),
        1 => acknowledge.prop_map(|(control, incarnation, done, message)| {
            Command::AcknowledgeControl(AcknowledgeControl { control, incarnation, done, message })
        }),
    ]
    .boxed()
}
