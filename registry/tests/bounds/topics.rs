//! Rankings of topics.

use keeper_registry::{Command, limits};

use crate::machine::{Machine, register};

fn sizes(machine: &Machine, limit: usize) -> Vec<(String, u64)> {
    let top = machine.state.top_topics(limit);
    top.iter().map(|topic| (String::from_utf8_lossy(&topic.name).into_owned(), topic.rows)).collect()
}

#[test]
fn a_ranking_is_exact_unless_too_many_are_alike() {
    let mut machine = Machine::new();
    let one = machine.open("a");
    // Topic N has N sessions.
    let mut user = 0;
    for topic in 1..=40_usize {
        machine.frame(one, (user..user + topic).map(|user| register(user, Some(&format!("t{topic}")))).collect());
        user += topic;
    }
    let wanted: Vec<_> = (21..=40_u64).rev().map(|topic| (format!("t{topic}"), topic)).collect();
    for _ in 0..2 {
        assert_eq!(sizes(&machine, 20), wanted);
        assert_eq!(sizes(&machine, 100).len(), 40);
        assert!(sizes(&machine, 0).is_empty());
        machine.rebuild();
    }
    // They shrink as they grew.
    machine.frame(one, (0..user).map(|user| register(user, Some("all"))).collect());
    assert_eq!(sizes(&machine, 5), [("all".to_owned(), user as u64)]);
    machine.apply(Command::Expire(one)).expect("it is open");
    while machine.state.next_sweep().is_some_and(|due| due <= machine.state.time()) {
        machine.apply(Command::Sweep).expect("a sweep is never refused");
    }
    assert!(sizes(&machine, 5).is_empty());
}

#[test]
fn a_ranking_of_many_alike_finds_the_large_ones() {
    let mut machine = Machine::new();
    let one = machine.open("a");
    let topics = limits::TOP_TOPICS_LOOKED_AT_MAX + 5_000;
    let names: Vec<_> = (0..topics).collect();
    for users in names.chunks(limits::FRAME_OPERATIONS_MAX) {
        machine.frame(one, users.iter().map(|user| register(*user, Some(&format!("t{user}")))).collect());
    }
    machine.frame(one, (topics..topics + 2).map(|user| register(user, Some("pair"))).collect());
    machine.frame(one, (topics + 2..topics + 10).map(|user| register(user, Some("many"))).collect());
    let top = sizes(&machine, 3);
    assert_eq!(top[..2], [("many".to_owned(), 8), ("pair".to_owned(), 2)]);
    assert_eq!((top.len(), top[2].1), (3, 1));
}
