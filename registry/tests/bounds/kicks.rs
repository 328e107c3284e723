//! Kicks larger than one step.

use std::collections::BTreeSet;

use bytes::Bytes;
use keeper_registry::{
    Command, Incarnation, Kick, KickConfirmation, KickTarget, Rejection, Reply, SessionFilter, SessionKey,
    SessionSelector, limits,
};

use crate::machine::{Machine, register};

fn kick(selector: SessionSelector) -> Command {
    let (reason, author) = ("spam".to_owned(), "ann".to_owned());
    Command::Kick(Kick { target: KickTarget::Matching(selector), reason, author, request: None })
}

fn of_topic(topic: &'static str) -> SessionSelector {
    SessionSelector { topic: Some(Bytes::from_static(topic.as_bytes())), ..SessionSelector::default() }
}

fn of_instance(id: &str) -> SessionSelector {
    SessionSelector { instance: Some(("room".to_owned(), id.to_owned())), ..SessionSelector::default() }
}

fn fill(machine: &mut Machine, gateway: Incarnation, users: std::ops::Range<usize>, topic: Option<&str>) {
    let users: Vec<_> = users.collect();
    for users in users.chunks(limits::FRAME_OPERATIONS_MAX) {
        machine.frame(gateway, users.iter().map(|user| register(*user, topic)).collect());
    }
}

fn step(machine: &mut Machine) -> (u32, bool) {
    match machine.apply(Command::KickStep) {
        Ok(Reply::KickStepped { closed, more }) => (closed, more),
        other => panic!("a step says what it did, not {other:?}"),
    }
}

fn live(machine: &Machine) -> BTreeSet<SessionKey> {
    let page = machine.state.sessions_page(None, usize::MAX, &SessionFilter::default());
    page.sessions.iter().map(|view| view.key()).collect()
}

#[test]
fn a_kick_goes_on_in_slices_and_spares_whoever_came_back() {
    for selector in [of_topic("app"), of_instance("a")] {
        let mut machine = Machine::new();
        let (one, other) = (machine.open("a"), machine.open("b"));
        fill(&mut machine, one, 0..2_200, Some("app"));
        fill(&mut machine, other, 2_200..2_300, Some("news"));
        machine.apply(kick(selector)).expect("there is room for a kick");
        let (mut ended, mut back) = (0, 0);
        loop {
            let (closed, more) = step(&mut machine);
            assert!(closed <= limits::KICK_SLICE, "a step ends one slice, not {closed}");
            ended += closed;
            machine.rebuild();
            if !more {
                break;
            }
            // Some that were ended come back, and some that were not yet register again; none of them is touched.
            fill(&mut machine, one, back..back + 40, Some("app"));
            back += 40;
        }
        let spared: BTreeSet<_> = (0..back).chain(2_200..2_300).map(|user| format!("user-{user}")).collect();
        let found: BTreeSet<_> =
            live(&machine).iter().map(|key| String::from_utf8_lossy(&key.user).into_owned()).collect();
        assert_eq!(found, spared);
        assert!(ended <= 2_200 && ended >= 2_200 - back as u32, "{ended} ended");
        let job = machine.state.kick_jobs().next().expect("it is remembered");
        assert_eq!((job.closed, job.gateways.len()), (u64::from(ended), 1));
        let gateway = job.gateways.get(&one).expect("all were on one gateway");
        assert_eq!(machine.state.kick_confirmation(one, gateway), KickConfirmation::Waiting);
        assert!(!machine.state.kick_pending());
    }
}

#[test]
fn a_step_looks_at_a_bounded_number_of_rows_and_the_next_goes_on_there() {
    let mut machine = Machine::new();
    let one = machine.open("a");
    let (rows, rare) = (limits::KICK_ROWS_MAX * 2, 60);
    fill(&mut machine, one, 0..rows, None);
    fill(&mut machine, one, rows..rows + rare, Some("rare"));
    machine.apply(kick(of_topic("rare"))).expect("there is room for a kick");
    let mut steps = Vec::new();
    while machine.state.kick_pending() {
        assert!(steps.len() < 4, "it does not end: {steps:?}");
        steps.push(step(&mut machine).0 as usize);
        machine.rebuild();
    }
    assert_eq!((steps.len(), steps.iter().sum::<usize>()), (3, rare));
    assert!(steps[0] > 0 && steps[1] > 0, "sixty lie in both halves: {steps:?}");
    assert_eq!(machine.state.sessions_live(), rows as u64);
}

#[test]
fn kicks_under_way_and_remembered_are_bounded() {
    let mut machine = Machine::new();
    let one = machine.open("a");
    machine.frame(one, vec![register(0, Some("app"))]);
    for _ in 0..limits::KICKS_UNDER_WAY_MAX {
        machine.apply(kick(of_topic("app"))).expect("there is room for a kick");
    }
    assert!(matches!(machine.apply(kick(of_topic("app"))), Err(Rejection::Full { what: "kicks under way", .. })));
    for _ in 0..2 * limits::KICKS_KEPT {
        machine.frame(one, vec![register(1, None)]);
        let target = KickTarget::User { user: Bytes::from_static(b"user-1"), slot: None };
        let (reason, author) = (String::new(), String::new());
        machine.apply(Command::Kick(Kick { target, reason, author, request: None })).expect("the user is there");
    }
    for _ in 0..2 {
        let kept: Vec<_> = machine.state.kick_jobs().map(|job| job.finished_at.is_some()).collect();
        assert_eq!(kept.len(), limits::KICKS_KEPT);
        assert_eq!(kept.iter().filter(|finished| !**finished).count(), limits::KICKS_UNDER_WAY_MAX);
        machine.rebuild();
    }
    let mut steps = 0;
    while machine.state.kick_pending() {
        step(&mut machine);
        steps += 1;
    }
    assert_eq!(steps, limits::KICKS_UNDER_WAY_MAX);
}
