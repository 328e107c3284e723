use std::time::Duration;

use keeper_proto::v1::{OperationResult, operation_result};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::*;
use crate::{
    Registration, SessionKey,
    session::{
        asker::{Queued, Waiter},
        to_proto::register,
    },
};

type Answered = oneshot::Receiver<Result<Outcome, Error>>;

const PATIENCE: Duration = Duration::from_secs(10);

fn window() -> Window<Queued> {
    Window::new(5, 7, Box::new(Margin::default))
}

fn queue(count: usize, now: Instant) -> (Vec<Queued>, Vec<Answered>) {
    let one = |number| {
        let (answer, answered) = oneshot::channel();
        let key = SessionKey::of_user(format!("user-{number}")).expect("a short name");
        let waiter = Waiter { name: "register", asked_at: now, deadline: now + PATIENCE, answer };
        (Queued { operation: register(Registration::new(key)), waiter }, answered)
    };
    (0..count).map(one).unzip()
}

fn taken(frame: &WriteFrame) -> WriteFrameReply {
    let registered = operation_result::Registered { epoch: None, displaced: None };
    let result = OperationResult { result: Some(operation_result::Result::Registered(registered)) };
    let results = vec![result; frame.operations.len()];
    WriteFrameReply { sequence: frame.sequence, revision: 1, results, problem: None }
}

fn problem(frame: &WriteFrame, class: keeper_proto::v1::problem::Class, reason: &str) -> WriteFrameReply {
    let problem = Problem { class: class.into(), reason: reason.into(), ..Problem::default() };
    WriteFrameReply { sequence: frame.sequence, problem: Some(problem), ..WriteFrameReply::default() }
}

fn error(answered: &mut Answered) -> Option<(String, bool)> {
    match answered.try_recv() {
        Ok(Err(error)) => Some((error.reason().to_owned(), error.may_have_happened())),
        Ok(Ok(_)) => None,
        Err(TryRecvError::Empty) => Some(("unanswered".into(), true)),
        Err(TryRecvError::Closed) => Some(("closed".into(), true)),
    }
}

#[test]
fn frames_are_full_and_numbered() {
    let now = Instant::now();
    let mut window = window();
    let (mut queued, mut answered) = queue(limits::FRAME_OPERATIONS_MAX + 3, now);
    let first = window.form(&mut queued, now).expect("a frame");
    let second = window.form(&mut queued, now).expect("a frame");
    assert_eq!((first.sequence, first.operations.len()), (1, limits::FRAME_OPERATIONS_MAX));
    assert_eq!((second.sequence, second.operations.len(), second.timeout_ms), (2, 3, 10_000));
    assert!(window.form(&mut queued, now).is_none() && window.has_room());
    assert!(matches!(window.answered(taken(&first)), Verdict::Fine));
    assert_eq!((error(&mut answered[0]), error(&mut answered[1_024])), (None, Some(("unanswered".into(), true))));
}

#[test]
fn what_is_unanswered_goes_again_in_order_with_the_time_that_is_left() {
    let now = Instant::now();
    let mut window = window();
    let (mut queued, _answered) = queue(2, now);
    let mut rest = queued.split_off(1);
    let first = window.form(&mut queued, now).expect("a frame");
    window.form(&mut rest, now).expect("a frame");
    let again = window.resend(now + Duration::from_secs(4));
    let sent: Vec<_> = again.iter().map(|it| (it.sequence, it.timeout_ms)).collect();
    assert_eq!(sent, [(1, 6_000), (2, 6_000)]);
    assert_eq!(again[0].operations, first.operations);
    assert_eq!(window.waiting_since(), Some(now + Duration::from_secs(4)));
}

#[test]
fn a_frame_nobody_waits_for_goes_again_empty() {
    let now = Instant::now();
    let mut window = window();
    let (mut queued, mut answered) = queue(1, now);
    window.form(&mut queued, now);
    window.expire(&mut queued, now + PATIENCE);
    assert_eq!(error(&mut answered[0]), Some(("timeout".into(), true)));
    let again = window.resend(now + PATIENCE);
    assert_eq!((again[0].sequence, again[0].operations.len(), again[0].timeout_ms), (1, 0, 0));
    assert!(matches!(window.answered(taken(&again[0])), Verdict::Fine));
    assert!(window.waiting_since().is_none());
}

#[test]
fn what_was_never_sent_never_happens() {
    let now = Instant::now();
    let mut window = window();
    let (mut queued, mut answered) = queue(3, now);
    answered.remove(0);
    window.expire(&mut queued, now + PATIENCE);
    assert_eq!(error(&mut answered[0]), Some(("timeout".into(), false)));
    assert!(queued.is_empty());
    let (mut queued, answered) = queue(1, now);
    drop(answered);
    assert!(window.form(&mut queued, now).is_none(), "its caller has gone");
}

#[test]
fn problems_are_told_apart() {
    use keeper_proto::v1::problem::Class;
    let now = Instant::now();
    let formed = || {
        let mut window = window();
        let (mut queued, answered) = queue(1, now);
        let frame = window.form(&mut queued, now).expect("a frame");
        (window, frame, answered)
    };
    let (mut window, frame, mut answered) = formed();
    assert!(matches!(window.answered(problem(&frame, Class::Unavailable, "full")), Verdict::Again(_)));
    assert_eq!(error(&mut answered[0]), Some(("unanswered".into(), true)));
    let (mut window, frame, _answered) = formed();
    assert!(matches!(window.answered(problem(&frame, Class::Refused, "incarnation-closed")), Verdict::Over(_)));
    let (mut window, frame, mut answered) = formed();
    assert!(matches!(window.answered(problem(&frame, Class::Refused, "bad-name")), Verdict::Again(_)));
    assert_eq!(error(&mut answered[0]), Some(("bad-name".into(), false)));
    assert_eq!(window.resend(now)[0].operations.len(), 0, "its number is used up by an empty frame");
    let (mut window, frame, mut answered) = formed();
    assert!(matches!(window.answered(problem(&frame, Class::Refused, "reply-forgotten")), Verdict::Fine));
    assert_eq!(error(&mut answered[0]), Some(("malformed-answer".into(), true)));
}

#[test]
fn an_answer_out_of_place_ends_the_stream() {
    let now = Instant::now();
    let mut window = window();
    let (mut queued, _answered) = queue(1, now);
    let frame = window.form(&mut queued, now).expect("a frame");
    let other = WriteFrame { sequence: 2, operations: Vec::new(), ..WriteFrame::clone(&frame) };
    assert!(matches!(window.answered(taken(&other)), Verdict::Again(_)));
    assert_eq!(window.resend(now).len(), 1);
}
