//! What happens at the ends of everything that is kept for a while: the floor rises, readers below it are told, and a
//! rebuilt state agrees.

mod configs;
mod kicks;
mod machine;
mod presence;
mod snapshot;
mod topics;

use bytes::Bytes;
use keeper_registry::{
    Command, DocumentAction, LogTime, NoticeCursor, Notices, Rejection, Reply, Revision, SendControl, limits,
};
use machine::Machine;

#[test]
fn notices_below_the_floor_are_a_reset() {
    let mut machine = Machine::new();
    let (one, other, third) = (machine.open("a"), machine.open("b"), machine.open("c"));
    machine.register(third, 0..1);
    machine.register(one, 0..1);
    // Every round displaces all users from one gateway to the other.
    let rounds = limits::NOTICES_KEPT / limits::FRAME_OPERATIONS_MAX + 2;
    for round in 0..rounds {
        machine.register(if round % 2 == 0 { other } else { one }, 1..limits::FRAME_OPERATIONS_MAX + 1);
    }
    for _ in 0..2 {
        let start = NoticeCursor::default();
        let kept = machine.state.notices_since(one, start, usize::MAX);
        assert!(matches!(kept, Notices::Page { notices, .. } if notices.len() > limits::NOTICES_KEPT / 3));
        assert!(matches!(machine.state.notices_since(other, start, 1), Notices::Reset { .. }), "it lost its first");
        let Notices::Reset { next } = machine.state.notices_since(third, start, 10) else {
            panic!("the oldest fact was for the third gateway, and is gone");
        };
        let Notices::Page { notices, next: again } = machine.state.notices_since(third, next, 10) else {
            panic!("the cursor of a reset is good");
        };
        assert!(notices.is_empty() && again == next);
        machine.rebuild();
    }
}

#[test]
fn closings_below_the_floor_are_unknown() {
    let mut machine = Machine::new();
    for _ in 0..limits::CLOSINGS_KEPT + 3 {
        machine.open("a");
    }
    // Revision 1 founded, 2 opened the first; 3 and 4 replaced those whose closings are gone.
    for _ in 0..2 {
        assert_eq!(machine.state.instances_changed_since(Revision(3)), None);
        let changes = machine.state.instances_changed_since(Revision(4)).expect("the floor is not above it");
        assert_eq!((changes.opened.len(), changes.closed.len()), (1, 1), "only the one that was open at 4 has closed");
        machine.rebuild();
    }
}

#[test]
fn history_is_bounded_by_count_and_bytes() {
    let mut machine = Machine::new();
    for text in 0..limits::HISTORY_KEPT + 20 {
        machine.put("many", text.to_string());
    }
    let large = limits::DOCUMENT_BYTES_MAX;
    for text in 0..8 {
        machine.put("large", format!("{text}{}", "x".repeat(large - 1)));
    }
    for _ in 0..2 {
        assert_eq!(machine.state.history("many", usize::MAX).count(), limits::HISTORY_KEPT);
        assert_eq!(machine.state.config_at("many", Revision(21)), None, "it is no longer kept");
        assert!(machine.state.config_at("many", Revision(22)).is_some());
        // Text and value are both counted: three past versions fit in 8 MiB beside the names.
        assert_eq!(machine.state.history("large", usize::MAX).count(), 4);
        machine.rebuild();
    }
}

#[test]
fn forgotten_deletions_raise_the_floor() {
    let mut machine = Machine::new();
    for path in 0..=limits::DELETIONS_KEPT {
        machine.put(&format!("p/{path}"), "1".to_owned());
        machine.publish(&format!("p/{path}"), DocumentAction::Delete).expect("it is there");
    }
    for _ in 0..2 {
        assert_eq!(machine.state.configs_changed_since(&[""], Revision(2)), None);
        let since = machine.state.configs_changed_since(&[""], Revision(3)).expect("the floor is not above it");
        assert_eq!(since.len(), limits::DELETIONS_KEPT);
        assert_eq!(machine.state.history("p/0", 10).count(), 0);
        machine.rebuild();
    }
}

#[test]
fn controls_make_room_only_after_their_deadline() {
    let mut machine = Machine::new();
    machine.open("a");
    let send = |deadline_ms| {
        Command::SendControl(SendControl {
            service: "room".to_owned(),
            id: String::new(),
            action: "drain".to_owned(),
            argument: Bytes::new(),
            deadline_ms,
            author: String::new(),
            request: None,
        })
    };
    for number in 0..limits::CONTROLS_KEPT {
        machine.apply(send(if number == 500 { 10 } else { 20 })).expect("there is room");
    }
    assert!(matches!(machine.apply(send(20)), Err(Rejection::Full { .. })));
    machine.at.time = LogTime(10);
    machine.apply(send(20)).expect("one is past its deadline");
    assert!(matches!(machine.apply(send(20)), Err(Rejection::Full { .. })));
    machine.rebuild();
    assert!(matches!(machine.apply(send(20)), Err(Rejection::Full { .. })));
    assert!(machine.state.control(503).is_none() && machine.state.control(504).is_some());
}

#[test]
fn a_sweep_looks_at_one_slice() {
    let mut machine = Machine::new();
    let (one, other) = (machine.open("a"), machine.open("b"));
    for frame in 0..3 {
        machine.register(one, frame * 800..(frame + 1) * 800);
    }
    machine.apply(Command::Expire(one)).expect("it is open");
    machine.register(other, 0..100);
    let swept = |rows, more| Ok(Reply::Swept { rows, more });
    for _ in 0..2_300 / limits::SWEEP_SLICE {
        assert_eq!(machine.apply(Command::Sweep), swept(limits::SWEEP_SLICE, true));
        machine.rebuild();
    }
    assert_eq!(machine.apply(Command::Sweep), swept(2_300 % limits::SWEEP_SLICE, false));
    assert_eq!(machine.state.sessions_live(), 100);
}
