use keeper_proto::v1::problem::Class;

use super::*;

fn problem(class: Class, reason: &str, happened: v1::problem::Happened, leader: &str) -> v1::Problem {
    v1::Problem {
        class: class.into(),
        reason: reason.into(),
        message: "why".into(),
        happened: happened.into(),
        leader: leader.into(),
        retry_after_ms: 20,
        field: "user".into(),
        details: vec!["a: too long".into(), "b: too short".into()],
    }
}

#[test]
fn classes_answer_the_two_questions() {
    use v1::problem::Happened as Wire;
    let cases = [
        (Class::Refused, "stale-epoch", Wire::No, "", (false, false), LeaderHint::Silent),
        (Class::Unavailable, "full", Wire::No, "", (true, false), LeaderHint::Silent),
        (Class::Unavailable, "outcome-unknown", Wire::Maybe, "", (true, true), LeaderHint::Gone),
        (Class::Unavailable, "stopping", Wire::No, "", (true, false), LeaderHint::Gone),
        (Class::Unavailable, "not-leader", Wire::No, "", (true, false), LeaderHint::Elsewhere),
        (Class::Unavailable, "not-leader", Wire::No, "b:1", (true, false), LeaderHint::At("b:1".into())),
        (Class::Refused, "not-leader", Wire::No, "b:1", (true, false), LeaderHint::At("b:1".into())),
        (Class::Broken, "defect", Wire::Unspecified, "", (true, true), LeaderHint::Gone),
    ];
    for (class, reason, happened, leader, answers, hint) in cases {
        let failure = Failure::from_problem(problem(class, reason, happened, leader));
        let told = (failure.error.is_retryable(), failure.error.may_have_happened());
        assert_eq!((told, failure.leader, failure.error.reason()), (answers, hint, reason), "{reason}");
    }
}

#[test]
fn a_status_tells_the_problem_in_its_details() {
    let problem = problem(Class::Refused, "revision-mismatch", v1::problem::Happened::No, "");
    let status = Status::with_details(Code::Aborted, "x", problem.encode_to_vec().into());
    let error = Failure::from_status(&status).error;
    let Error::Refused { reason, message, field, details, .. } = &error else { panic!("{error:?}") };
    assert_eq!(details, &["a: too long", "b: too short"]);
    assert_eq!((reason.as_str(), message.as_str(), field.as_str()), ("revision-mismatch", "why", "user"));
}

#[test]
fn a_bare_status_is_judged_by_its_code() {
    let told = |code| {
        let failure = Failure::from_status(&Status::new(code, "why"));
        (failure.error.reason().to_owned(), failure.error.is_retryable(), failure.error.may_have_happened())
    };
    assert_eq!(told(Code::Unavailable), ("unreachable".into(), true, true));
    assert_eq!(told(Code::InvalidArgument), ("invalid-argument".into(), false, false));
    assert_eq!(told(Code::Unimplemented), ("unimplemented".into(), true, false));
    assert_eq!(told(Code::DataLoss), ("data-loss".into(), true, true));
}

#[test]
fn a_connection_that_never_stood_carried_nothing() {
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let status = Status::from_error(Box::new(tonic::ConnectError(Box::new(refused))));
    let error = Failure::from_status(&status).error;
    assert!(error.is_retryable() && !error.may_have_happened(), "{error:?}");
}

#[test]
fn an_earlier_try_that_may_have_happened_is_not_forgotten() {
    let error = Error::unreachable("gone", Happened::No);
    assert!(error.clone().after(Happened::Maybe).may_have_happened());
    assert!(!error.after(Happened::No).may_have_happened());
    let refused = Error::not_found("a.toml").after(Happened::Maybe);
    assert!(!refused.may_have_happened(), "retries are the same request, so a refusal is its first answer");
}

#[test]
fn a_refusal_for_want_of_room_says_nothing_of_the_try_before() {
    let refused = |reason| Failure::from_problem(problem(Class::Refused, reason, v1::problem::Happened::No, "")).error;
    for (reason, earlier, may_have_happened) in [
        ("disk-full", Happened::No, false),
        ("disk-full", Happened::Maybe, true),
        // Judged by the state, which knows the request: it is the first answer.
        ("revision-mismatch", Happened::Maybe, false),
    ] {
        let error = refused(reason).after(earlier);
        assert_eq!((error.reason(), error.may_have_happened()), (reason, may_have_happened), "{earlier:?}");
    }
}

#[test]
fn a_time_is_told_in_whole_milliseconds() {
    let told = |nanos| {
        let error =
            Error::Timeout { operation: "a lookup", after: Duration::from_nanos(nanos), happened: Happened::No };
        error.to_string()
    };
    assert_eq!(told(999_899), "no answer to a lookup within 1ms");
    assert_eq!(told(2_999_000_001), "no answer to a lookup within 3s");
    assert_eq!(told(10_000_000_000), "no answer to a lookup within 10s");
}
