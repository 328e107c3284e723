//! More sessions than a state takes into its index at once while it is rebuilt.

use keeper_registry::{PresenceLimits, Record, ThawError, Thawing, limits};

use crate::machine::Machine;

const SESSIONS: usize = 270_000;

#[test]
fn a_session_that_comes_twice_is_refused_however_far_apart() {
    let mut machine = Machine::new();
    let gateway = machine.open("a");
    for first in (0..SESSIONS).step_by(limits::FRAME_OPERATIONS_MAX) {
        machine.register(gateway, first..SESSIONS.min(first + limits::FRAME_OPERATIONS_MAX));
    }
    machine.rebuild();
    for again in [0, SESSIONS / 2, SESSIONS - 1] {
        let mut thawing = Thawing::new(PresenceLimits::default());
        machine.state.freeze().visit(|record| thawing.push(record)).expect("the first time");
        let mut sessions = 0;
        let read = machine.state.freeze().visit(|record| {
            let is_session = matches!(record, Record::Session(_));
            sessions += usize::from(is_session);
            if is_session && sessions == again + 1 { thawing.push(record) } else { Ok(()) }
        });
        let refused = read.and_then(|()| thawing.finish()).expect_err("a session came twice");
        assert_eq!(refused, ThawError::Repeated("session"));
    }
}
