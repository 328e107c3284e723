//! One of every kind, with every field set to something of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{
    AcknowledgeControl, AdvanceRollout, Announce, BindTopics, CloseInstance, Command, Consumed, DocumentAction,
    DocumentChange, Epoch, Format, Frame, Gates, GiveUp, HistoryPolicy, Holder, Incarnation, InstanceSelector, Keep,
    Kick, KickTarget, Kicked, Level, NoticeCursor, OpenInstance, OperationResult, Policy, PromoteRollout, Publish,
    RaiseLevel, Register, Rejection, Reply, RequestId, Revision, RolloutState, SchemaHash, SendControl, SessionKey,
    SessionOperation, SessionPolicy, SessionSelector, Shortage, Stage, StartRollout, StateId, StepRollout, StopCause,
    StopRollout, TopicPolicy, Unregister, UnregisterCause, Witness,
};

pub(super) type Answer = Result<Reply, Rejection>;

pub(super) fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(super) fn key(user: &'static str) -> SessionKey {
    SessionKey { user: bytes(user), slot: bytes("phone") }
}

pub(super) fn epoch(revision: u64, position: u32) -> Epoch {
    Epoch { revision: Revision(revision), position }
}

pub(super) fn register(user: &'static str) -> Register {
    Register {
        key: key(user),
        connection: bytes("conn-1"),
        conn_seq: Some(300),
        topics: vec![bytes("news"), bytes("chat")],
        attributes: bytes("attributes"),
        flushed: None,
    }
}

pub(super) fn open(service: &str, id: &str) -> OpenInstance {
    OpenInstance {
        service: service.to_owned(),
        id: id.to_owned(),
        endpoints: vec!["ws://a:1".to_owned()],
        zone: "east".to_owned(),
        weight: 5,
        labels: vec![("tier".to_owned(), "gold".to_owned())],
        version: "1.2.3".to_owned(),
        ttl_ms: 10_000,
        former_state: None,
        flush_total: 0,
        request: Some(RequestId([9; 16])),
    }
}

pub(super) fn policy() -> SessionPolicy {
    let topic = TopicPolicy { grace_ms: Some(3_000), sessions_max: Some(50_000) };
    SessionPolicy {
        grace_ms: 10_000,
        topics: BTreeMap::from([
            (Arc::from(&b"news"[..]), topic),
            (Arc::from(&b"raw\xff"[..]), TopicPolicy { grace_ms: None, sessions_max: None }),
        ]),
        instance_sessions_max: Some(1_000_000),
        instances: BTreeMap::from([(("gateway".into(), "a".into()), 500_000)]),
        expected: vec![("gateway".into(), "b".into())],
    }
}

pub(super) fn publish() -> Publish {
    let put = DocumentAction::Put {
        format: Format::Toml,
        text: bytes("grace_ms = 10000\n"),
        value: bytes("{\"grace_ms\":10000}"),
        policy: Some(Policy::Sessions(Arc::new(policy()))),
    };
    Publish {
        changes: vec![
            DocumentChange { path: "keeper/sessions".to_owned(), expected: Some(Revision(0)), action: put },
            DocumentChange { path: "app/old".to_owned(), expected: None, action: DocumentAction::Delete },
        ],
        author: "ann".to_owned(),
        message: "longer graces".to_owned(),
        ..Publish::default()
    }
}

fn frame() -> Frame {
    let bind = BindTopics { key: key("ada"), epoch: epoch(9, 2), topics: vec![bytes("news")] };
    let unregister =
        |cause| SessionOperation::Unregister(Unregister { key: key("bob"), epoch: epoch(1 << 40, 3), cause });
    Frame {
        incarnation: Incarnation(3),
        sequence: 70_000,
        state: StateId(u64::MAX),
        operations: vec![
            SessionOperation::Register(register("ada")),
            SessionOperation::Register(Register { flushed: Some(epoch(8, 1)), conn_seq: None, ..register("eve") }),
            unregister(UnregisterCause::Left),
            unregister(UnregisterCause::Lost),
            SessionOperation::Bind(bind.clone()),
            SessionOperation::Unbind(bind),
        ],
        confirmed: Some(NoticeCursor { revision: Revision(12), position: 4 }),
        flush_remaining: Some(251),
    }
}

fn kick(target: KickTarget) -> Command {
    let (reason, author) = ("spam".to_owned(), "ops".to_owned());
    Command::Kick(Kick { target, reason, author, request: Some(RequestId([1; 16])) })
}

pub(super) fn commands() -> Vec<(&'static str, Command)> {
    let selector = SessionSelector {
        topic: Some(bytes("news")),
        instance: Some(("gateway".to_owned(), "a".to_owned())),
        user_prefix: bytes("a"),
        slot: Some(Bytes::new()),
    };
    let control = SendControl {
        service: "gateway".to_owned(),
        id: "a".to_owned(),
        action: "drain".to_owned(),
        argument: bytes("now"),
        deadline_ms: 60_000,
        author: "ops".to_owned(),
        request: None,
    };
    let acknowledge =
        AcknowledgeControl { control: 40, incarnation: Incarnation(3), done: true, message: "done".to_owned() };
    vec![
        ("found", Command::Found(StateId(0xFEED))),
        ("frame", Command::Frame(frame())),
        (
            "frame_empty",
            Command::Frame(Frame { operations: Vec::new(), confirmed: None, flush_remaining: None, ..frame() }),
        ),
        ("kick_user", kick(KickTarget::User { user: bytes("ada"), slot: Some(bytes("phone")) })),
        ("kick_matching", kick(KickTarget::Matching(selector))),
        ("kick_step", Command::KickStep),
        ("open", Command::OpenInstance(open("gateway", "a"))),
        (
            "open_flushing",
            Command::OpenInstance(OpenInstance {
                former_state: Some(StateId(5)),
                flush_total: 9,
                ..open("gateway", "a")
            }),
        ),
        ("close", Command::CloseInstance(CloseInstance { incarnation: Incarnation(3), reason: "upgrade".to_owned() })),
        ("expire", Command::Expire(Incarnation(3))),
        ("sweep", Command::Sweep),
        (
            "give_up",
            Command::GiveUp(GiveUp {
                instances: vec![("gateway".to_owned(), "b".to_owned())],
                author: "ops".to_owned(),
            }),
        ),
        ("restore", Command::Restore(StateId(0xBEEF))),
        ("publish", Command::Publish(publish())),
        ("send_control", Command::SendControl(control)),
        ("acknowledge_control", Command::AcknowledgeControl(acknowledge)),
    ]
}

fn shortage() -> Shortage {
    Shortage { node: 2, free_bytes: 40 << 20, needed_bytes: 64 << 20 }
}

/// Those that came with the second feature level.
pub(super) fn commands_named() -> Vec<(&'static str, Command)> {
    let raise = RaiseLevel { to: Level::NAMED, needs: "0.2.0".to_owned(), author: "ops".to_owned() };
    vec![
        ("raise_level", Command::RaiseLevel(raise)),
        ("reserve_node", Command::ReserveNode(300)),
        ("retire_node", Command::RetireNode(3)),
        ("frame_sparing", Command::FrameSparing(frame(), shortage())),
    ]
}

/// With a past of its own, and forced.
pub(super) fn publish_judged() -> Publish {
    let keep = |versions_max, age_ms_max| Keep { versions_max, age_ms_max };
    let policy = HistoryPolicy {
        all: keep(Some(20), None),
        prefixes: BTreeMap::from([("app/".into(), keep(None, Some(86_400_000)))]),
    };
    let put = DocumentAction::Put {
        format: Format::Toml,
        text: bytes("versions_max = 20\n"),
        value: bytes("{\"versions_max\":20}"),
        policy: Some(Policy::History(Arc::new(policy))),
    };
    Publish {
        changes: vec![
            DocumentChange { path: "keeper/history".to_owned(), expected: Some(Revision(0)), action: put },
            put_text("app/a.toml@label.app=x,label.ring=canary", "n = 1\n"),
        ],
        judged: witnesses(),
        forced: Some("the old one is gone tomorrow".to_owned()),
        ..publish()
    }
}

fn put_text(path: &str, text: &'static str) -> DocumentChange {
    let put = DocumentAction::Put { format: Format::Toml, text: bytes(text), value: bytes("{\"n\":1}"), policy: None };
    DocumentChange { path: path.to_owned(), expected: None, action: put }
}

fn witnesses() -> Vec<Witness> {
    let path = || "app/a.toml".to_owned();
    vec![
        Witness::Document { path: path(), revision: Revision(0) },
        Witness::Layers { path: path(), revision: Revision(300) },
        Witness::Schemas { revision: Revision(70_000) },
        Witness::Consumers { path: path(), revision: Revision(1 << 40) },
    ]
}

pub(super) fn announce(incarnation: Incarnation) -> Announce {
    let schema = bytes("{\"type\":\"object\"}");
    let reads = |path: &str, schema| Consumed { path: path.into(), schema };
    Announce {
        incarnation,
        documents: vec![reads("app/a.toml", Some(SchemaHash::of(&schema))), reads("app/b.toml", None)],
        schemas: vec![schema],
    }
}

pub(super) fn start_rollout() -> StartRollout {
    let selector = InstanceSelector {
        service: Some("gateway".to_owned()),
        id: None,
        zone: Some("east".to_owned()),
        labels: vec![("tier".to_owned(), "gold".to_owned())],
    };
    StartRollout {
        publish: Publish {
            changes: vec![
                put_text("app/b.toml", "n = 2\n"),
                DocumentChange {
                    path: "app/c.toml@zone=east".to_owned(),
                    expected: Some(Revision(0)),
                    action: put_text("", "n = 3\n").action,
                },
            ],
            author: "ann".to_owned(),
            message: "carefully".to_owned(),
            request: Some(RequestId([5; 16])),
            judged: Vec::new(),
            forced: None,
        },
        stages: vec![
            Stage { selector, share_bps: 500, hold_ms: Some(600_000) },
            Stage { selector: InstanceSelector::default(), share_bps: 10_000, hold_ms: None },
        ],
        gates: Gates { applied_bps: 9_900 },
    }
}

/// Those that came with the third feature level.
pub(super) fn commands_configs() -> Vec<(&'static str, Command)> {
    let author = || "ops".to_owned();
    let step = || StepRollout { rollout: 300, author: author() };
    let stop =
        |cause| Command::StopRollout(StopRollout { rollout: 300, cause, reason: "slow".to_owned(), author: author() });
    let promote = PromoteRollout {
        rollout: 300,
        from_stage: Some(1),
        judged: witnesses(),
        forced: Some("it must".to_owned()),
        author: author(),
    };
    vec![
        ("publish_judged", Command::Publish(publish_judged())),
        ("announce", Command::Announce(announce(Incarnation(3)))),
        ("start_rollout", Command::StartRollout(start_rollout())),
        (
            "advance_rollout",
            Command::AdvanceRollout(AdvanceRollout { rollout: 300, from_stage: 1, author: String::new() }),
        ),
        ("pause_rollout", Command::PauseRollout(step())),
        ("resume_rollout", Command::ResumeRollout(step())),
        ("abort_rollout", stop(StopCause::Aborted)),
        ("stop_rollout", stop(StopCause::Failed)),
        ("promote_rollout", Command::PromoteRollout(promote)),
    ]
}

fn holder() -> Holder {
    Holder {
        service: "gateway".into(),
        instance: "a".into(),
        incarnation: Incarnation(3),
        connection: bytes("conn-1"),
        epoch: epoch(9, 2),
    }
}

pub(super) fn answers() -> Vec<(&'static str, Answer)> {
    let results = [
        OperationResult::Registered { epoch: epoch(9, 1), displaced: Some(Box::new(holder())) },
        OperationResult::Registered { epoch: epoch(9, 2), displaced: None },
        OperationResult::Done,
        OperationResult::Refused(Box::new(Rejection::TooManySlots { limit: 16 })),
    ];
    let replies = [
        ("founded", Reply::Founded(StateId(0xFEED))),
        ("frame", Reply::Frame { revision: Revision(9), results: results.into() }),
        ("kicked", Reply::Kicked { job: 77, kicked: vec![Kicked { key: key("ada"), holder: holder() }] }),
        ("kick_stepped", Reply::KickStepped { closed: 500, more: true }),
        ("opened", Reply::Opened { incarnation: Incarnation(3) }),
        ("closed", Reply::Closed),
        ("swept", Reply::Swept { rows: 1_000, more: false }),
        ("given_up", Reply::GivenUp),
        ("restored", Reply::Restored(StateId(0xBEEF))),
        ("node_reserved", Reply::NodeReserved { node: 301 }),
        ("node_retired", Reply::NodeRetired),
        ("published", Reply::Published { revision: Revision(9), changed: true }),
        ("control_sent", Reply::ControlSent { control: 40, instances: 2 }),
        ("acknowledged", Reply::Acknowledged),
        ("level_raised", Reply::LevelRaised { level: Level::NAMED }),
    ];
    let rejections = rejections().into_iter().map(|(name, rejection)| (name, Err(rejection)));
    replies.into_iter().map(|(name, reply)| (name, Ok(reply))).chain(rejections).collect()
}

fn rejections() -> Vec<(&'static str, Rejection)> {
    vec![
        ("already_founded", Rejection::AlreadyFounded(StateId(0xFEED))),
        ("too_large", Rejection::TooLarge { field: "user", actual: 129, limit: 128 }),
        ("out_of_range", Rejection::OutOfRange { field: "ttl_ms", actual: 1, min: 1_000, max: 600_000 }),
        ("bad_name", Rejection::BadName { field: "service" }),
        ("repeated", Rejection::Repeated { field: "topics" }),
        ("foreign_state", Rejection::ForeignState { present: StateId(0xBEEF) }),
        ("incarnation_closed", Rejection::IncarnationClosed(Incarnation(3))),
        ("sequence_gap", Rejection::SequenceGap { expected: 4 }),
        ("reply_forgotten", Rejection::ReplyForgotten { last: 20 }),
        ("request_id_reused", Rejection::RequestIdReused),
        ("stale_epoch", Rejection::StaleEpoch(Some(holder()))),
        ("stale_epoch_free", Rejection::StaleEpoch(None)),
        ("stale_conn_seq", Rejection::StaleConnSeq { given: 1, present: 2, holder: holder() }),
        ("too_many_slots", Rejection::TooManySlots { limit: 16 }),
        ("not_bound", Rejection::NotBound { topic: bytes("news") }),
        ("not_found", Rejection::NotFound { what: "kick" }),
        (
            "revision_mismatch",
            Rejection::RevisionMismatch { path: "app/a".to_owned(), expected: Revision(1), present: Revision(2) },
        ),
        ("quota", Rejection::Quota { limit: "topics.news.sessions_max".into(), present: 5, max: 5 }),
        ("shortage", Rejection::Shortage(shortage())),
        ("level_too_low", Rejection::LevelTooLow { needed: Level(3), present: Level::NAMED }),
        ("full", Rejection::Full { what: "sessions", limit: 1 << 31 }),
    ]
}

/// Those that came with the third feature level.
pub(super) fn answers_configs() -> Vec<(&'static str, Answer)> {
    let (rollout, stage) = (300, 1);
    let moved = witnesses().into_iter().map(|what| Err(Rejection::Moved { what, present: Revision(9) }));
    let moved = ["moved_document", "moved_layers", "moved_schemas", "moved_consumers"].into_iter().zip(moved);
    let states = [
        RolloutState::Running,
        RolloutState::Paused,
        RolloutState::Promoted,
        RolloutState::Aborted,
        RolloutState::Stopped,
    ];
    let replies = states.into_iter().map(|state| ("rollout", Ok(Reply::Rollout { rollout, state, stage })));
    let others = [
        ("announced", Ok(Reply::Announced)),
        ("rolling_out", Err(Rejection::RollingOut { path: "app/a.toml".to_owned(), rollout })),
        ("rollout_is", Err(Rejection::RolloutIs { rollout, state: RolloutState::Paused, stage })),
    ];
    replies.chain(moved).chain(others).collect()
}
