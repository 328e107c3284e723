//! Steps: commands from small alphabets, so that they collide, and filled in from the state, so that they often
//! succeed.

use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{
    AcknowledgeControl, BindTopics, CloseInstance, Command, DocumentAction, DocumentChange, Epoch, Format, Frame,
    GiveUp, Incarnation, Kick, KickTarget, NoticeCursor, Notices, OpenInstance, Policy, Publish, Register, RequestId,
    Revision, SendControl, SessionKey, SessionOperation, SessionPolicy, SessionSelector, State, StateId, TopicPolicy,
    Unregister, UnregisterCause, limits,
};
use proptest::{collection::vec, option, prelude::*};

/// A command in the making.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) same_entry: bool,
    pub(crate) later_ms: u64,
    act: Act,
}

#[derive(Debug, Clone)]
enum Act {
    Open { name: u8, holds: Option<u64>, request: Option<u8> },
    Close { place: usize, expired: bool },
    Frame { place: usize, sequence: Sequence, operations: Vec<Operation>, said: Said },
    Kick { user: u8, slot: Option<u8>, request: Option<u8> },
    KickMatching { selected: Selected, request: Option<u8> },
    KickStep,
    Sweep,
    GiveUp { name: Option<u8> },
    Restore,
    Publish { changes: Vec<(u8, Option<u8>, Expected)>, request: Option<u8> },
    Decide(SessionPolicy),
    Send { all: bool, name: u8, deadline_ms: u32 },
    Acknowledge { place: usize, known: bool, done: bool },
}

/// What a frame says beside its operations.
#[derive(Debug, Clone)]
struct Said {
    confirmed: Confirmed,
    remaining: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Confirmed {
    Nothing,
    Everything,
    TheFuture,
}

#[derive(Debug, Clone)]
struct Selected {
    topic: Option<u8>,
    name: Option<u8>,
    user: Option<u8>,
    slot: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Sequence {
    Next,
    Back(u64),
    Ahead,
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    Any,
    Present,
    Absent,
    Old,
}

#[derive(Debug, Clone)]
struct Operation {
    user: u8,
    slot: u8,
    stale: bool,
    verb: Verb,
}

#[derive(Debug, Clone)]
enum Verb {
    Register { connection: u8, conn_seq: Option<u64>, topics: Vec<u8>, attributes: u8, flushed: Option<u64> },
    Unregister { lost: bool },
    Bind(Vec<u8>),
    Unbind(Vec<u8>),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let later_ms = prop_oneof![8 => 0_u64..100, 1 => 100_000_u64..400_000, 1 => Just(4_000_000)];
    let parts = (any::<bool>(), later_ms, act());
    parts.prop_map(|(same_entry, later_ms, act)| Step { same_entry, later_ms, act })
}

fn act() -> impl Strategy<Value = Act> {
    let request = || option::weighted(0.3, 0_u8..4);
    let place = || 0_usize..5;
    let sequence =
        prop_oneof![12 => Just(Sequence::Next), 2 => (0_u64..12).prop_map(Sequence::Back), 1 => Just(Sequence::Ahead)];
    let operations = prop_oneof![8 => vec(operation(), 0..8), 1 => vec(operation(), 60)];
    let expected =
        prop_oneof![Just(Expected::Any), Just(Expected::Present), Just(Expected::Absent), Just(Expected::Old)];
    prop_oneof![
        2 => (0_u8..4, option::weighted(0.3, 0_u64..4), request())
            .prop_map(|(name, holds, request)| Act::Open { name, holds, request }),
        1 => (place(), any::<bool>()).prop_map(|(place, expired)| Act::Close { place, expired }),
        10 => (place(), sequence, operations, said()).prop_map(|(place, sequence, operations, said)| {
            Act::Frame { place, sequence, operations, said }
        }),
        1 => (0_u8..4, option::of(0_u8..3), request())
            .prop_map(|(user, slot, request)| Act::Kick { user, slot, request }),
        1 => (selected(), request()).prop_map(|(selected, request)| Act::KickMatching { selected, request }),
        2 => Just(Act::KickStep),
        3 => Just(Act::Sweep),
        1 => option::weighted(0.8, 0_u8..4).prop_map(|name| Act::GiveUp { name }),
        1 => Just(Act::Restore),
        3 => (vec((0_u8..4, option::weighted(0.8, 0_u8..3), expected), 1..4), request())
            .prop_map(|(changes, request)| Act::Publish { changes, request }),
        1 => policy().prop_map(Act::Decide),
        1 => (any::<bool>(), 0_u8..4, 0_u32..1_000)
            .prop_map(|(all, name, deadline_ms)| Act::Send { all, name, deadline_ms }),
        1 => (place(), any::<bool>(), any::<bool>())
            .prop_map(|(place, known, done)| Act::Acknowledge { place, known, done }),
    ]
}

/// Of topics as the operations bind them, and graces as long as a few steps.
fn policy() -> impl Strategy<Value = SessionPolicy> {
    let grace_ms = || prop_oneof![Just(0_u32), Just(60), Just(250), Just(1_000)];
    let topic = (option::weighted(0.6, grace_ms()), option::weighted(0.1, 1_u64..4));
    let topic = topic.prop_map(|(grace_ms, sessions_max)| TopicPolicy { grace_ms, sessions_max });
    let parts = (grace_ms(), vec((0_u8..5, topic), 0..4), option::weighted(0.1, 3_u64..20));
    parts.prop_map(|(grace_ms, topics, instance_sessions_max)| {
        let named = topics.into_iter().map(|(number, topic)| (Arc::from(name(number).as_bytes()), topic));
        SessionPolicy { grace_ms, topics: named.collect(), instance_sessions_max, ..SessionPolicy::default() }
    })
}

fn decide(policy: &SessionPolicy) -> Publish {
    let text = Bytes::from(format!("{policy:?}"));
    let policy = Some(Policy::Sessions(Arc::new(policy.clone())));
    let action = DocumentAction::Put { format: Format::Toml, value: text.clone(), text, policy };
    let change = DocumentChange { path: limits::POLICY_PATH.to_owned(), expected: None, action };
    Publish { changes: vec![change], author: "ann".to_owned(), message: "why".to_owned(), ..Publish::default() }
}

fn said() -> impl Strategy<Value = Said> {
    let confirmed = prop_oneof![
        6 => Just(Confirmed::Nothing), 4 => Just(Confirmed::Everything), 1 => Just(Confirmed::TheFuture),
    ];
    (confirmed, option::weighted(0.3, 0_u64..4)).prop_map(|(confirmed, remaining)| Said { confirmed, remaining })
}

/// Of sessions, as the steps make them.
pub(crate) fn selector() -> impl Strategy<Value = SessionSelector> {
    selected().prop_map(|selected| selected.selector())
}

fn selected() -> impl Strategy<Value = Selected> {
    let parts = (
        option::weighted(0.4, 0_u8..5),
        option::weighted(0.4, 0_u8..4),
        option::weighted(0.3, 0_u8..4),
        option::weighted(0.1, 0_u8..3),
    );
    parts.prop_map(|(topic, name, user, slot)| Selected { topic, name, user, slot })
}

fn operation() -> impl Strategy<Value = Operation> {
    let topics = || vec(0_u8..5, 0..4);
    let register = (0_u8..3, option::weighted(0.4, 0_u64..6), topics(), 0_u8..9, option::weighted(0.2, 0_u64..5));
    let register = register.prop_map(|(connection, conn_seq, topics, attributes, flushed)| Verb::Register {
        connection,
        conn_seq,
        topics,
        attributes,
        flushed,
    });
    let verb = prop_oneof![
        5 => register,
        1 => any::<bool>().prop_map(|lost| Verb::Unregister { lost }),
        1 => topics().prop_map(Verb::Bind),
        1 => topics().prop_map(Verb::Unbind),
    ];
    // User 0 has many slots, so that it gets too many.
    let name = prop_oneof![3 => (Just(0_u8), 0_u8..24), 5 => (1_u8..4, 0_u8..2)];
    let parts = (name, prop::bool::weighted(0.2), verb);
    parts.prop_map(|((user, slot), stale, verb)| Operation { user, slot, stale, verb })
}

pub(crate) fn key(user: u8, slot: u8) -> SessionKey {
    let slot = if slot == 0 { Bytes::new() } else { Bytes::from(format!("slot-{slot}")) };
    SessionKey { user: Bytes::copy_from_slice(&[b'a' + user]), slot }
}

impl Step {
    pub(crate) fn command(&self, state: &State) -> Command {
        match &self.act {
            Act::Open { name, holds, request } => Command::OpenInstance(open(*name, *holds, request.map(id))),
            Act::Close { place, expired: true } => Command::Expire(incarnation(state, *place)),
            Act::Close { place, expired: false } => {
                let incarnation = incarnation(state, *place);
                Command::CloseInstance(CloseInstance { incarnation, reason: "bye".to_owned() })
            }
            Act::Frame { place, sequence, operations, said } => {
                let incarnation = incarnation(state, *place);
                let last = state.frame_sequence(incarnation).unwrap_or_default();
                let sequence = match sequence {
                    Sequence::Next => last + 1,
                    Sequence::Back(by) => last.saturating_sub(*by),
                    Sequence::Ahead => last + 2,
                };
                let history = state.state_id().unwrap_or_default();
                let operations = operations.iter().map(|one| one.operation(state)).collect();
                let confirmed = said.confirmed(state, incarnation);
                let flush_remaining = said.remaining;
                Command::Frame(Frame { incarnation, sequence, state: history, operations, confirmed, flush_remaining })
            }
            Act::Kick { user, slot, request } => {
                let SessionKey { user, slot: device } = key(*user, slot.unwrap_or_default());
                kick(KickTarget::User { user, slot: slot.map(|_| device) }, *request)
            }
            Act::KickMatching { selected, request } => kick(KickTarget::Matching(selected.selector()), *request),
            Act::KickStep => Command::KickStep,
            Act::Sweep => Command::Sweep,
            Act::GiveUp { name } => {
                let instances = name.iter().map(|name| ("room".to_owned(), format!("r{name}"))).collect();
                Command::GiveUp(GiveUp { instances, author: "ann".to_owned() })
            }
            Act::Restore => Command::Restore(StateId(state.state_id().unwrap_or_default().0 + 1)),
            Act::Publish { changes, request } => Command::Publish(publish(state, changes, request.map(id))),
            Act::Decide(policy) => Command::Publish(decide(policy)),
            Act::Send { all, name, deadline_ms } => Command::SendControl(SendControl {
                service: "room".to_owned(),
                id: if *all { String::new() } else { format!("r{name}") },
                action: "drain".to_owned(),
                argument: Bytes::from_static(b"now"),
                deadline_ms: *deadline_ms,
                author: "ann".to_owned(),
                request: None,
            }),
            Act::Acknowledge { place, known, done } => {
                let incarnation = incarnation(state, *place);
                let waiting = state.controls_for(incarnation).next().map(|control| control.number);
                let control = waiting.filter(|_| *known).unwrap_or(1);
                Command::AcknowledgeControl(AcknowledgeControl {
                    control,
                    incarnation,
                    done: *done,
                    message: String::new(),
                })
            }
        }
    }
}

impl Operation {
    fn operation(&self, state: &State) -> SessionOperation {
        let key = key(self.user, self.slot);
        let present = state.session(&key.user, &key.slot).map(|view| view.epoch()).filter(|_| !self.stale);
        let epoch = present.unwrap_or(Epoch { revision: Revision(1), position: 0 });
        match &self.verb {
            Verb::Register { connection, conn_seq, topics, attributes, flushed } => {
                SessionOperation::Register(Register {
                    key,
                    connection: Bytes::copy_from_slice(&[*connection; 3]),
                    conn_seq: *conn_seq,
                    topics: names(topics),
                    attributes: Bytes::from(vec![7; usize::from(*attributes) * 40]),
                    flushed: flushed
                        .map(|number| Epoch { revision: Revision(number / 2), position: number as u32 % 2 }),
                })
            }
            Verb::Unregister { lost } => {
                let cause = if *lost { UnregisterCause::Lost } else { UnregisterCause::Left };
                SessionOperation::Unregister(Unregister { key, epoch, cause })
            }
            Verb::Bind(topics) => SessionOperation::Bind(BindTopics { key, epoch, topics: names(topics) }),
            Verb::Unbind(topics) => SessionOperation::Unbind(BindTopics { key, epoch, topics: names(topics) }),
        }
    }
}

impl Said {
    fn confirmed(&self, state: &State, incarnation: Incarnation) -> Option<NoticeCursor> {
        match self.confirmed {
            Confirmed::Nothing => None,
            Confirmed::Everything => {
                let known = state.notices_confirmed(incarnation).unwrap_or_default();
                match state.notices_since(incarnation, known, usize::MAX) {
                    Notices::Page { next, .. } | Notices::Reset { next } => Some(next),
                    Notices::Closed => None,
                }
            }
            Confirmed::TheFuture => Some(NoticeCursor { revision: Revision(u64::MAX), position: 1 }),
        }
    }
}

impl Selected {
    fn selector(&self) -> SessionSelector {
        SessionSelector {
            topic: self.topic.and_then(|topic| names(&[topic]).pop()),
            instance: self.name.map(|name| ("room".to_owned(), format!("r{name}"))),
            user_prefix: self.user.map_or_else(Bytes::new, |user| key(user, 0).user),
            slot: self.slot.map(|slot| key(0, slot).slot),
        }
    }
}

fn kick(target: KickTarget, request: Option<u8>) -> Command {
    let (reason, author) = ("spam".to_owned(), "ann".to_owned());
    Command::Kick(Kick { target, reason, author, request: request.map(id) })
}

fn names(topics: &[u8]) -> Vec<Bytes> {
    topics.iter().map(|topic| Bytes::from(name(*topic))).collect()
}

fn name(topic: u8) -> String {
    format!("topic-{topic}")
}

fn id(number: u8) -> RequestId {
    RequestId([number; 16])
}

/// One that is open, most of the time.
fn incarnation(state: &State, place: usize) -> Incarnation {
    state.instances().nth(place).map_or(Incarnation(2), |instance| instance.incarnation)
}

fn open(name: u8, holds: Option<u64>, request: Option<RequestId>) -> OpenInstance {
    OpenInstance {
        service: "room".to_owned(),
        id: format!("r{name}"),
        endpoints: vec!["ws://h:1".to_owned()],
        zone: "z".to_owned(),
        weight: 1,
        labels: vec![("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
        version: "1".to_owned(),
        ttl_ms: 10_000,
        former_state: holds.map(|_| StateId(1)),
        flush_total: holds.unwrap_or_default(),
        request,
    }
}

fn publish(state: &State, changes: &[(u8, Option<u8>, Expected)], request: Option<RequestId>) -> Publish {
    let changes = changes.iter().map(|(path, text, expected)| {
        let path = format!("p/{path}");
        let present = state.config(&path).map_or(Revision(0), |document| document.revision);
        let expected = match expected {
            Expected::Any => None,
            Expected::Present => Some(present),
            Expected::Absent => Some(Revision(0)),
            Expected::Old => Some(Revision(1)),
        };
        let action = match text {
            None => DocumentAction::Delete,
            Some(text) => {
                let text = Bytes::from(format!("x = {text}"));
                DocumentAction::Put { format: Format::Toml, value: text.clone(), text, policy: None }
            }
        };
        DocumentChange { path, expected, action }
    });
    Publish {
        changes: changes.collect(),
        author: "ann".to_owned(),
        message: "why".to_owned(),
        request,
        ..Publish::default()
    }
}
