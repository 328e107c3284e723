//! Presence at its bounds: the ring's floor, and sweeps larger than one slice.

use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{
    Command, DocumentAction, Format, Incarnation, LogTime, Policy, PresenceCursor, PresenceLimits, PresenceWhat,
    Rejection, Reply, Revision, SessionKey, SessionOperation, SessionPolicy, Stamp, State, StateId, TopicPolicy,
    Unregister, UnregisterCause, limits,
};

use crate::machine::{Machine, register};

/// Sessions of a frame.
const FRAME: usize = 1_000;

/// Sessions that one sweep looks at.
const SLICE: usize = limits::SWEEP_SLICE as usize;

fn machine(facts: usize, bytes: usize) -> Machine {
    let mut machine = Machine { state: State::new(PresenceLimits { facts, bytes }), at: Stamp::default() };
    machine.apply(Command::Found(StateId(7))).expect("a new state can be founded");
    machine
}

fn decide(machine: &mut Machine, grace_ms: u32, topics: &[(&str, u32)]) -> Result<Reply, Rejection> {
    let named = topics.iter().map(|(name, grace_ms)| {
        (Arc::from(name.as_bytes()), TopicPolicy { grace_ms: Some(*grace_ms), sessions_max: None })
    });
    let policy = SessionPolicy { grace_ms, topics: named.collect(), ..SessionPolicy::default() };
    let text = Bytes::from(format!("{policy:?}"));
    let policy = Some(Policy::Sessions(Arc::new(policy)));
    machine
        .publish(limits::POLICY_PATH, DocumentAction::Put { format: Format::Json, value: text.clone(), text, policy })
}

fn drop_all(machine: &mut Machine, gateway: Incarnation, users: std::ops::Range<usize>) {
    let lost = |user: usize| {
        let key = SessionKey { user: Bytes::from(format!("user-{user}")), slot: Bytes::new() };
        let epoch = machine.state.session(&key.user, &key.slot).expect("it is live").epoch();
        SessionOperation::Unregister(Unregister { key, epoch, cause: UnregisterCause::Lost })
    };
    let operations = users.map(lost).collect();
    machine.frame(gateway, operations);
}

fn sweep(machine: &mut Machine) -> (u32, bool) {
    match machine.apply(Command::Sweep) {
        Ok(Reply::Swept { rows, more }) => (rows, more),
        other => panic!("a sweep says what it did, not {other:?}"),
    }
}

/// All facts of both, whatever their rings keep beyond what both have.
fn assert_same_facts(one: &Machine, other: &Machine) {
    let floor = one.state.presence().floor().max(other.state.presence().floor());
    let of = |machine: &Machine| machine.state.presence().read_after(floor, usize::MAX).expect("it is above the floor");
    assert!(of(one).iter().eq(of(other).iter()), "the facts differ");
    assert_eq!(one.state.hash(), other.state.hash());
}

#[test]
fn the_ring_forgets_its_oldest_facts_and_says_so() {
    for (facts, bytes) in [(1_000, usize::MAX), (usize::MAX, 64 << 10)] {
        let (mut machine, mut large) = (machine(facts, bytes), Machine::new());
        let (one, other) = (machine.open("a"), large.open("a"));
        for frame in 0..5 {
            machine.register(one, frame * FRAME..(frame + 1) * FRAME);
            large.register(other, frame * FRAME..(frame + 1) * FRAME);
        }
        assert_same_facts(&machine, &large);
        let ring = machine.state.presence();
        assert!(ring.facts() <= facts.saturating_add(128) && ring.bytes() <= bytes.saturating_add(16 << 10));
        let below = PresenceCursor { position: ring.floor().position - 1, ..ring.floor() };
        assert!(ring.read_after(below, 1).is_none(), "facts after it are gone");

        // From any cursor above the floor, in pages of any size, each fact once and in order.
        let all: Vec<_> = ring.read_all().iter().map(|fact| fact.cursor).collect();
        assert_eq!(all.len(), ring.facts());
        for (start, size) in [(0, 1), (7, 127), (130, 128), (200, 500)] {
            let (mut cursor, mut read) = (all[start], Vec::new());
            loop {
                let page = ring.read_after(cursor, size).expect("it is above the floor");
                assert_eq!(page.iter().count(), page.len());
                read.extend(page.iter().map(|fact| fact.cursor));
                let Some(last) = page.last() else { break };
                cursor = last;
            }
            assert_eq!(read, all[start + 1..]);
        }
    }
}

#[test]
fn a_reader_keeps_what_it_took() {
    let mut machine = machine(500, usize::MAX);
    let gateway = machine.open("a");
    machine.register(gateway, 0..300);
    let taken = machine.state.presence().read_all();
    let told: Vec<_> = taken.iter().map(|fact| Bytes::copy_from_slice(fact.user)).collect();
    machine.register(gateway, 300..1_300);
    assert!(machine.state.presence().floor() > taken.last().expect("there were facts"), "all of it is forgotten");
    assert!(taken.iter().map(|fact| Bytes::copy_from_slice(fact.user)).eq(told));
}

#[test]
fn a_snapshot_carries_the_newest_facts() {
    let mut machine = Machine::new();
    let gateway = machine.open("a");
    for _ in 0..limits::PRESENCE_FACTS_FROZEN / FRAME + 5 {
        machine.register(gateway, 0..FRAME);
    }
    let (before, last) = (machine.state.presence().clone(), machine.state.presence().latest());
    machine.rebuild();
    let ring = machine.state.presence();
    assert!(ring.facts() <= limits::PRESENCE_FACTS_FROZEN && ring.facts() > limits::PRESENCE_FACTS_FROZEN - 256);
    assert_eq!(ring.latest(), last);
    assert!(ring.read_after(PresenceCursor::default(), 1).is_none(), "older ones are not there");
    let rest = before.read_after(ring.floor(), usize::MAX).expect("it is above the floor");
    assert!(ring.read_all().iter().eq(rest.iter()));
}

#[test]
fn a_gateways_sessions_are_swept_in_slices_for_each_grace() {
    let (mut machine, mut other) = (Machine::new(), Machine::new());
    for (machine, snapshots) in [(&mut machine, true), (&mut other, false)] {
        decide(machine, 0, &[("slow", 3_000), ("even", 1_000)]).expect("it is within its bounds");
        let (gateway, next) = (machine.open("a"), machine.open("b"));
        for frame in 0..3 {
            let users = frame * SLICE..(frame + 1) * SLICE;
            let topics = ["slow", "even", "none"];
            machine.frame(gateway, users.map(|user| register(user, Some(topics[user % 3]))).collect());
        }
        let told = machine.state.presence().latest();
        machine.apply(Command::Expire(gateway)).expect("it is open");
        let said = machine.state.presence().read_after(told, usize::MAX).expect("it is the newest one");
        assert_eq!(said.len(), 1, "closing says that it closed, and nothing of single sessions, however many");
        for (time, slices) in [(0, [SLICE; 3]), (1_000, [SLICE, SLICE, 0]), (3_000, [SLICE, 0, 0])] {
            machine.at.time = LogTime(time);
            for rows in slices {
                // Somebody of each kind is back in the middle of it.
                machine.register(next, rows / 100..rows / 100 + 3);
                let (swept, _) = sweep(machine);
                assert!(swept.abs_diff(rows as u32) <= 20, "{swept} rows, not {rows}, at {time} ms");
                if snapshots {
                    machine.rebuild();
                }
            }
        }
        assert_eq!(machine.state.sessions_absent(), 0);
    }
    assert_same_facts(&machine, &other);
}

#[test]
fn those_who_linger_are_swept_in_slices() {
    let (mut machine, mut other) = (Machine::new(), Machine::new());
    for (machine, snapshots) in [(&mut machine, true), (&mut other, false)] {
        decide(machine, 1_000, &[]).expect("it is within its bounds");
        let gateway = machine.open("a");
        for frame in 0..3 {
            machine.register(gateway, frame * SLICE..(frame + 1) * SLICE);
            machine.at.time = LogTime(frame as u64 * 10);
            drop_all(machine, gateway, frame * SLICE..(frame + 1) * SLICE);
        }
        machine.register(gateway, 10..20);
        assert_eq!(machine.state.next_sweep(), Some(LogTime(1_000)));
        machine.at.time = LogTime(1_010);
        assert_eq!(sweep(machine), (limits::SWEEP_SLICE, true));
        if snapshots {
            machine.rebuild();
        }
        machine.register(gateway, SLICE + 50..SLICE + 60);
        assert_eq!(sweep(machine), (limits::SWEEP_SLICE - 20, false));
        assert_eq!(machine.state.next_sweep(), Some(LogTime(1_020)));
        machine.at.time = LogTime(1_020);
        assert_eq!(sweep(machine), (limits::SWEEP_SLICE, false));
        assert_eq!((machine.state.sessions_absent(), machine.state.sessions_live()), (0, 20));
    }
    assert_same_facts(&machine, &other);
    let facts = machine.state.presence().read_all();
    let offline = facts.iter().filter(|fact| matches!(fact.what, PresenceWhat::Offline(_))).count();
    assert_eq!(offline, 3 * SLICE - 10, "ten were back in time, ten when it was due already");
}

#[test]
fn versions_of_graces_in_use_are_bounded() {
    let mut machine = Machine::new();
    let gateway = machine.open("a");
    for version in 0..limits::GRACES_KEPT {
        decide(&mut machine, 1_000 + version as u32, &[]).expect("there is room");
        machine.register(gateway, version..version + 1);
        drop_all(&mut machine, gateway, version..version + 1);
    }
    for _ in 0..2 {
        assert!(matches!(decide(&mut machine, 7, &[]), Err(Rejection::Full { .. })), "each has its own sweeps");
        machine.rebuild();
    }
    machine.at.time = LogTime(1_000);
    assert_eq!(sweep(&mut machine), (1, false));
    decide(&mut machine, 7, &[]).expect("the oldest has passed");
    assert!(machine.state.revision() > Revision(0));
}
