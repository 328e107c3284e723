//! A state of everything there is, frozen, written, read and thawed.

use std::collections::BTreeMap;

use bytes::Bytes;
use keeper_registry::{
    AcknowledgeControl, AdvanceRollout, CloseInstance, Command, Frame, Incarnation, Kick, KickTarget, Level, LogTime,
    NoticeCursor, Notices, OpenInstance, OperationResult, PresenceLimits, Publish, RaiseLevel, Reply, RequestId,
    Revision, SendControl, SessionOperation, SessionSelector, Stamp, StartRollout, State, StateId, StopCause,
    StopRollout, Unregister, UnregisterCause,
};

use super::samples::{announce, bytes, open, publish, publish_judged, register, start_rollout};
use super::{compare, hex};
use crate::codec::record;

const HISTORY: StateId = StateId(0xFEED);
const RESTORED: StateId = StateId(0xBEEF);

/// A state that is being written to.
struct Writer {
    state: State,
    revision: u64,
    time: u64,
    sequences: BTreeMap<Incarnation, u64>,
}

impl Writer {
    fn apply(&mut self, command: Command) -> Reply {
        self.revision += 1;
        self.time += 100;
        let at = Stamp { revision: Revision(self.revision), time: LogTime(self.time) };
        self.state.apply(at, &command).reply.expect("the command is sound")
    }

    fn open(&mut self, open: OpenInstance) -> Incarnation {
        let Reply::Opened { incarnation } = self.apply(Command::OpenInstance(open)) else { panic!("opened") };
        incarnation
    }

    /// A frame that has acted upon every notice of its gateway.
    fn frame(&mut self, incarnation: Incarnation, operations: Vec<SessionOperation>) -> Vec<OperationResult> {
        let sequence = self.sequences.entry(incarnation).or_default();
        *sequence += 1;
        let (sequence, state) = (*sequence, self.state.state_id().expect("it is founded"));
        let confirmed = match self.state.notices_since(incarnation, NoticeCursor::default(), usize::MAX) {
            Notices::Page { notices, .. } => notices.last().map(|notice| notice.cursor),
            Notices::Reset { .. } | Notices::Closed => None,
        };
        let frame = Frame { incarnation, sequence, state, operations, confirmed, flush_remaining: None };
        let Reply::Frame { results, .. } = self.apply(Command::Frame(frame)) else { panic!("a frame") };
        results.to_vec()
    }

    fn register(&mut self, incarnation: Incarnation, user: &'static str) -> SessionOperation {
        let results = self.frame(incarnation, vec![SessionOperation::Register(register(user))]);
        let Some(OperationResult::Registered { epoch, .. }) = results.first() else {
            panic!("registered: {results:?}")
        };
        let lost = Unregister { key: register(user).key, epoch: *epoch, cause: UnregisterCause::Lost };
        SessionOperation::Unregister(lost)
    }
}

/// Something of every kind.
fn full() -> State {
    let mut writer = Writer {
        state: State::new(PresenceLimits::default()),
        revision: 0,
        time: 1_000_000,
        sequences: BTreeMap::new(),
    };
    writer.apply(Command::Found(HISTORY));
    let first = writer.open(open("gateway", "a"));
    let lost = writer.register(first, "ada");
    writer.register(first, "bob");
    let mut publish = publish();
    publish.changes.truncate(1);
    writer.apply(Command::Publish(publish));
    writer.register(first, "eve");
    writer.frame(first, vec![lost]);
    let second = writer.open(OpenInstance { request: Some(RequestId([7; 16])), ..open("gateway", "b") });
    writer.register(second, "bob");
    let control = SendControl {
        service: "gateway".to_owned(),
        id: String::new(),
        action: "drain".to_owned(),
        argument: bytes("now"),
        deadline_ms: 60_000,
        author: "ops".to_owned(),
        request: None,
    };
    let Reply::ControlSent { control, .. } = writer.apply(Command::SendControl(control)) else { panic!("sent") };
    let message = "going".to_owned();
    let acknowledge = AcknowledgeControl { control, incarnation: first, done: true, message };
    writer.apply(Command::AcknowledgeControl(acknowledge));
    let kick = |target| {
        let request = Some(RequestId([3; 16]));
        Command::Kick(Kick { target, reason: "spam".to_owned(), author: "ops".to_owned(), request })
    };
    writer.apply(kick(KickTarget::User { user: bytes("eve"), slot: None }));
    let kick = |target| Command::Kick(Kick { target, reason: String::new(), author: String::new(), request: None });
    let selector = SessionSelector { topic: Some(bytes("news")), ..SessionSelector::default() };
    writer.apply(kick(KickTarget::Matching(selector)));
    writer.frame(first, Vec::new());
    let third = writer.open(OpenInstance { request: None, ..open("gateway", "c") });
    writer.register(third, "joe");
    writer.apply(Command::CloseInstance(CloseInstance { incarnation: third, reason: "upgrade".to_owned() }));
    writer.state
}

fn chunks(state: &State) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let written: Result<(), std::convert::Infallible> = record::write(state.freeze(), |chunk| {
        chunks.push(chunk);
        Ok(())
    });
    written.expect("writing to a list does not fail");
    chunks
}

fn read(chunks: Vec<Bytes>) -> Result<State, record::ReadError> {
    let mut reader = record::Reader::new(PresenceLimits::default());
    chunks.into_iter().try_for_each(|chunk| reader.push(chunk))?;
    reader.finish()
}

#[test]
fn a_state_comes_back_as_it_was_frozen() {
    let state = full();
    let thawed = read(chunks(&state)).expect("what was written can be read");
    assert_eq!(thawed.hash(), state.hash());
    assert_eq!(chunks(&thawed), chunks(&state));
}

#[test]
fn a_restored_state_comes_back_as_it_was_frozen() {
    let mut state = full();
    let at = Stamp { revision: Revision(1 << 32), time: state.time() };
    state.apply(at, &Command::Restore(RESTORED)).reply.expect("a restored cluster begins another history");
    let thawed = read(chunks(&state)).expect("what was written can be read");
    assert_eq!(thawed.hash(), state.hash());
    assert_eq!(chunks(&thawed), chunks(&state));
}

#[test]
fn a_state_of_the_second_level_comes_back_as_it_was_frozen() {
    let state = raised();
    let thawed = read(chunks(&state)).expect("what was written can be read");
    assert_eq!((thawed.hash(), thawed.level()), (state.hash(), Level::NAMED));
    assert_eq!(chunks(&thawed), chunks(&state));
    let lines: Vec<_> = chunks(&state).into_iter().map(|chunk| ("chunk", chunk)).collect();
    compare("snapshot_2.txt", &lines);
    let header = record::header(lines[0].1.clone()).expect("its header").1;
    assert_eq!(header, Level::NAMED);
    assert_eq!(record::header(chunks(&full()).swap_remove(0)).expect("its header").1, Level::FIRST);
}

fn raised() -> State {
    let mut state = full();
    let at = Stamp { revision: Revision(1_000), time: state.time() };
    let raise = RaiseLevel { to: Level::NAMED, needs: "0.2.0".to_owned(), author: "ops".to_owned() };
    state.apply(at, &Command::RaiseLevel(raise)).reply.expect("a raise");
    state.apply(at, &Command::ReserveNode(3)).reply.expect("a node is given a number");
    state
}

#[test]
fn a_state_of_the_third_level_comes_back_as_it_was_frozen() {
    let state = configured();
    let thawed = read(chunks(&state)).expect("what was written can be read");
    assert_eq!((thawed.hash(), thawed.level()), (state.hash(), Level::CONFIGS));
    assert_eq!(chunks(&thawed), chunks(&state));
    let lines: Vec<_> = chunks(&state).into_iter().map(|chunk| ("chunk", chunk)).collect();
    assert_eq!(lines[0].1[0], 3);
    compare("snapshot_3.txt", &lines);
}

/// With consumers, rollouts, and a document that was forced.
fn configured() -> State {
    let mut state = full();
    let mut revision = 1_000;
    let mut apply = |command| {
        revision += 1;
        let at = Stamp { revision: Revision(revision), time: state.time() };
        state.apply(at, &command).reply.expect("the command is sound")
    };
    let raise = RaiseLevel { to: Level::CONFIGS, needs: "0.3.0".to_owned(), author: "ops".to_owned() };
    apply(Command::RaiseLevel(raise));
    apply(Command::Publish(Publish { judged: Vec::new(), ..publish_judged() }));
    apply(Command::Announce(announce(Incarnation(1))));
    let start = start_rollout();
    let rollout = |request| {
        let publish = Publish { request: Some(RequestId([request; 16])), ..start.publish.clone() };
        Command::StartRollout(StartRollout { publish, ..start.clone() })
    };
    let Reply::Rollout { rollout: first, .. } = apply(rollout(11)) else { panic!("started") };
    let reason = "one refused".to_owned();
    let stop = StopRollout { rollout: first, cause: StopCause::Failed, reason, author: String::new() };
    apply(Command::StopRollout(stop));
    let Reply::Rollout { rollout: second, .. } = apply(rollout(12)) else { panic!("started") };
    apply(Command::AdvanceRollout(AdvanceRollout { rollout: second, from_stage: 0, author: "ops".to_owned() }));
    state
}

#[test]
fn a_snapshot_of_every_earlier_build_is_read_and_written_alike() {
    let snapshot = chunks(&full());
    let lines: Vec<_> = snapshot.iter().map(|chunk| ("chunk", chunk.clone())).collect();
    compare("snapshot_1.txt", &lines);
}

#[test]
fn a_cut_snapshot_is_refused() {
    let whole = chunks(&full()).concat();
    for length in (0..whole.len()).step_by(3) {
        let cut = Bytes::copy_from_slice(&whole[..length]);
        assert!(read(vec![cut]).is_err(), "cut at {length} of {}: {}", whole.len(), hex(&whole[..length]));
    }
}
