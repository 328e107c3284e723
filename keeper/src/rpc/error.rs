//! The one place where errors become the wire's: three classes, a stable reason, one clear sentence.

use keeper_proto::v1 as wire;
use keeper_proto::v1::problem::{Class, Happened};
use keeper_registry::{Holder, Rejection, RolloutState, Shortage, Witness, limits};
use prost::Message;
use tonic::{Code, Status};

use crate::levels;
use crate::limits::REFUSAL_CHARS_MAX;
use crate::problem::{Problem, cut};

/// A gRPC status that carries the problem in its details.
pub(crate) fn status(problem: &Problem) -> Status {
    let wire = to_wire(problem);
    let details = wire.encode_to_vec().into();
    Status::with_details(code(problem), wire.message, details)
}

/// The problem as it travels inside a frame.
pub(crate) fn to_wire(problem: &Problem) -> wire::Problem {
    let (class, reason, happened) = classify(problem);
    wire::Problem {
        class: class.into(),
        reason: reason.to_owned(),
        message: said(&message(problem)),
        happened: happened.into(),
        leader: leader(problem),
        retry_after_ms: if let Problem::Full { retry_after_ms, .. } = problem { *retry_after_ms } else { 0 },
        field: field(problem),
        details: details(problem),
    }
}

/// The sentence of a refusal inside a frame.
pub(crate) fn rejection_said(rejection: &Rejection) -> String {
    said(&rejection_message(rejection))
}

fn said(message: &str) -> String {
    cut(message, REFUSAL_CHARS_MAX).into_owned()
}

/// Each thing by itself, where there is more than one.
fn details(problem: &Problem) -> Vec<String> {
    if let Problem::Objected(objections) = problem {
        return objections.told.iter().map(|one| said(&one.to_string())).collect();
    }
    Vec::new()
}

fn classify(problem: &Problem) -> (Class, &'static str, Happened) {
    match problem {
        Problem::Rejected(rejection) => (Class::Refused, rejection_reason(rejection), Happened::No),
        Problem::Invalid { .. } => (Class::Refused, "invalid", Happened::No),
        Problem::Absent { .. } => (Class::Refused, "not-found", Happened::No),
        Problem::Declined { reason, .. } => (Class::Refused, reason, Happened::No),
        Problem::Objected(_) => (Class::Refused, "objected", Happened::No),
        Problem::NotLeader { .. } => (Class::Unavailable, "not-leader", Happened::No),
        Problem::Full { .. } => (Class::Unavailable, "full", Happened::No),
        Problem::Expired => (Class::Unavailable, "expired", Happened::No),
        Problem::Idle { .. } => (Class::Unavailable, "idle", Happened::No),
        Problem::GivenUp { .. } => (Class::Unavailable, "given-up", Happened::No),
        Problem::Unknown { .. } => (Class::Unavailable, "outcome-unknown", Happened::Maybe),
        Problem::Unconfirmed { .. } => (Class::Unavailable, "unconfirmed", Happened::No),
        Problem::Uninitialized => (Class::Unavailable, "uninitialized", Happened::No),
        Problem::Locked { .. } => (Class::Unavailable, "locked", Happened::No),
        Problem::Differs { .. } => (Class::Broken, "replica-differs", Happened::No),
        Problem::Removed { .. } => (Class::Unavailable, "removed", Happened::No),
        Problem::Stopping => (Class::Unavailable, "stopping", Happened::No),
    }
}

fn code(problem: &Problem) -> Code {
    match problem {
        Problem::Rejected(rejection) => rejection_code(rejection),
        Problem::Invalid { .. } => Code::InvalidArgument,
        Problem::Absent { .. } => Code::NotFound,
        Problem::Full { .. } => Code::ResourceExhausted,
        Problem::Expired => Code::DeadlineExceeded,
        Problem::Uninitialized | Problem::Declined { .. } | Problem::Objected(_) => Code::FailedPrecondition,
        Problem::Idle { .. } | Problem::GivenUp { .. } => Code::Aborted,
        Problem::NotLeader { .. }
        | Problem::Unknown { .. }
        | Problem::Unconfirmed { .. }
        | Problem::Locked { .. }
        | Problem::Differs { .. }
        | Problem::Removed { .. }
        | Problem::Stopping => Code::Unavailable,
    }
}

fn leader(problem: &Problem) -> String {
    if let Problem::NotLeader { leader: Some(leader) } = problem { leader.clone() } else { String::new() }
}

fn field(problem: &Problem) -> String {
    match problem {
        Problem::Invalid { field, .. } | Problem::Absent { field, .. } => field.clone(),
        Problem::Rejected(rejection) => rejection_field(rejection).to_owned(),
        Problem::Declined { .. }
        | Problem::Objected(_)
        | Problem::NotLeader { .. }
        | Problem::Full { .. }
        | Problem::Expired
        | Problem::Idle { .. }
        | Problem::GivenUp { .. }
        | Problem::Unknown { .. }
        | Problem::Unconfirmed { .. }
        | Problem::Uninitialized
        | Problem::Locked { .. }
        | Problem::Differs { .. }
        | Problem::Removed { .. }
        | Problem::Stopping => String::new(),
    }
}

/// The field of the request that a refusal is about; empty when none.
fn rejection_field(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::TooLarge { field, .. }
        | Rejection::OutOfRange { field, .. }
        | Rejection::BadName { field }
        | Rejection::Repeated { field } => match *field {
            // One of a list is wrong, and the list is the field.
            "endpoint" => "endpoints",
            "label" => "labels",
            field => field,
        },
        Rejection::ForeignState { .. } => "state_id",
        Rejection::IncarnationClosed(_) => "incarnation",
        Rejection::SequenceGap { .. } | Rejection::ReplyForgotten { .. } => "sequence",
        Rejection::RequestIdReused => "request_id",
        Rejection::StaleEpoch(_) => "epoch",
        Rejection::StaleConnSeq { .. } => "conn_seq",
        Rejection::TooManySlots { .. } => "slot",
        Rejection::NotBound { .. } => "topics",
        Rejection::AlreadyFounded(_)
        | Rejection::NotFound { .. }
        | Rejection::RevisionMismatch { .. }
        | Rejection::LevelTooLow { .. }
        | Rejection::Moved { .. }
        | Rejection::RollingOut { .. }
        | Rejection::RolloutIs { .. }
        | Rejection::Quota { .. }
        | Rejection::Shortage(_)
        | Rejection::Full { .. } => "",
    }
}

/// Which history the epoch of an operation is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The present one.
    Present,
    /// One before: the operation registers a connection again.
    Former,
}

/// The same for one operation of a frame, by its path: `operations[3].key.user`.
pub(crate) fn operation_field(place: usize, claim: Claim, rejection: &Rejection) -> String {
    match rejection_field(rejection) {
        "" => String::new(),
        "epoch" if claim == Claim::Former => format!("operations[{place}].flushed"),
        field @ ("user" | "slot") => format!("operations[{place}].key.{field}"),
        "topic" => format!("operations[{place}].topics"),
        field => format!("operations[{place}].{field}"),
    }
}

fn message(problem: &Problem) -> String {
    if let Problem::Rejected(rejection) = problem {
        return rejection_message(rejection);
    }
    if let Problem::NotLeader { leader: Some(leader) } = problem {
        return format!("{problem}; ask {leader}");
    }
    problem.to_string()
}

fn rejection_code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::TooLarge { .. }
        | Rejection::OutOfRange { .. }
        | Rejection::BadName { .. }
        | Rejection::Repeated { .. } => Code::InvalidArgument,
        Rejection::NotFound { .. } => Code::NotFound,
        Rejection::Moved { .. } => Code::Aborted,
        Rejection::Quota { .. } | Rejection::Shortage(_) | Rejection::Full { .. } => Code::ResourceExhausted,
        Rejection::AlreadyFounded(_) => Code::AlreadyExists,
        Rejection::ForeignState { .. }
        | Rejection::IncarnationClosed(_)
        | Rejection::SequenceGap { .. }
        | Rejection::ReplyForgotten { .. }
        | Rejection::RequestIdReused
        | Rejection::StaleEpoch(_)
        | Rejection::StaleConnSeq { .. }
        | Rejection::TooManySlots { .. }
        | Rejection::NotBound { .. }
        | Rejection::LevelTooLow { .. }
        | Rejection::RollingOut { .. }
        | Rejection::RolloutIs { .. }
        | Rejection::RevisionMismatch { .. } => Code::FailedPrecondition,
    }
}

/// The stable name of a refusal.
pub(crate) fn rejection_reason(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::AlreadyFounded(_) => "already-founded",
        Rejection::TooLarge { .. } => "too-large",
        Rejection::OutOfRange { .. } => "out-of-range",
        Rejection::BadName { .. } => "bad-name",
        Rejection::Repeated { .. } => "repeated",
        Rejection::ForeignState { .. } => "foreign-state",
        Rejection::IncarnationClosed(_) => "incarnation-closed",
        Rejection::SequenceGap { .. } => "sequence-gap",
        Rejection::ReplyForgotten { .. } => "reply-forgotten",
        Rejection::RequestIdReused => "request-id-reused",
        Rejection::StaleEpoch(_) => "stale-epoch",
        Rejection::StaleConnSeq { .. } => "stale-conn-seq",
        Rejection::TooManySlots { .. } => "too-many-slots",
        Rejection::NotBound { .. } => "not-bound",
        Rejection::NotFound { .. } => "not-found",
        Rejection::RevisionMismatch { .. } => "revision-mismatch",
        Rejection::LevelTooLow { .. } => "level-too-low",
        Rejection::Moved { .. } => "moved",
        Rejection::RollingOut { .. } => "rolling-out",
        Rejection::RolloutIs { .. } => "rollout-is",
        Rejection::Quota { .. } => "quota",
        Rejection::Shortage(_) => "disk-full",
        Rejection::Full { .. } => "full",
    }
}

/// One sentence: the offending value, and what would be right.
fn rejection_message(rejection: &Rejection) -> String {
    match rejection {
        Rejection::AlreadyFounded(state) => format!("the state was founded before, with id {:016x}", state.0),
        Rejection::TooLarge { field, actual, limit } => too_large(field, *actual, *limit),
        Rejection::OutOfRange { field, actual, min, max } => {
            format!("`{field}` is {actual}; it lies between {min} and {max}")
        }
        Rejection::BadName { field } => bad_name(field),
        Rejection::Repeated { field } => format!("`{field}` names the same thing twice"),
        Rejection::ForeignState { present } => format!(
            "`state_id` names another history of this cluster; the present one is {:016x}: open the instance again and \
             register its sessions again",
            present.0
        ),
        Rejection::IncarnationClosed(incarnation) => {
            format!("incarnation {} is closed: open the instance again and register its sessions again", incarnation.0)
        }
        Rejection::SequenceGap { expected } => format!("the frame is out of order; the next is number {expected}"),
        Rejection::ReplyForgotten { last } => format!(
            "the answer to this frame is no longer kept: {last} frames were taken, and the last {} are remembered",
            limits::FRAME_REPLIES_KEPT
        ),
        Rejection::RequestIdReused => "the request id was used before, for something else".to_owned(),
        Rejection::StaleEpoch(None) => "nobody holds the session".to_owned(),
        Rejection::StaleEpoch(Some(holder)) => format!(
            "the session is held by {}/{} since revision {}",
            holder.service, holder.instance, holder.epoch.revision.0
        ),
        Rejection::StaleConnSeq { given, present, .. } => {
            format!("conn_seq {given} is older than the session's, {present}")
        }
        Rejection::TooManySlots { limit } => format!("the user has {limit} live sessions, which is the limit"),
        Rejection::NotBound { topic } => {
            format!("the session is not bound to topic `{}`", String::from_utf8_lossy(topic))
        }
        Rejection::NotFound { what } => format!("no such {what}"),
        Rejection::RevisionMismatch { path, expected, present } => mismatch(path, expected.0, present.0),
        Rejection::LevelTooLow { needed, present } => format!(
            "this comes with feature level {needed}, and the cluster is at {present}: once every node runs keeper {} or \
             newer, `keeperctl cluster upgrade` raises it",
            levels::release_of(*needed)
        ),
        Rejection::Moved { what, present } => {
            let (what, before, present) = (judged_by(what), what.revision().0, present.0);
            format!("{what} changed while the publish was judged, from revision {before} to {present}: publish again")
        }
        Rejection::RollingOut { path, rollout } => {
            format!("`{path}` is part of rollout {rollout}, which is under way: promote or abort it, and publish then")
        }
        Rejection::RolloutIs { rollout, state, stage } => {
            // People count from 1.
            format!("rollout {rollout} is {}, its last open stage being {}", standing(*state), stage + 1)
        }
        Rejection::Quota { limit, present, max } => {
            format!("the session policy allows {max} sessions by `{limit}`, and there are {present}")
        }
        Rejection::Shortage(Shortage { node, free_bytes, needed_bytes }) => format!(
            "node {node} has {} MiB of disk free, and takes nothing new below {} MiB: make room there; what ends or deletes \
             something goes on",
            free_bytes >> 20,
            needed_bytes >> 20
        ),
        Rejection::Full { what: what @ "kicks under way", limit } => {
            format!("there are {limit} {what}, which is the limit: wait until one of them has finished")
        }
        Rejection::Full { what, limit } => format!("there is no room for more {what}; the limit is {limit}"),
    }
}

fn bad_name(field: &str) -> String {
    match field {
        // Bytes of any kind, but not none.
        "user" | "topic" | "topics" | "label" | "endpoint" | "forced" | "schema" => format!("`{field}` is empty"),
        "layer" => "the layer of a document is written behind its path as @zone=ZONE, @service=SERVICE, or \
                    @label.NAME=VALUE with more labels behind commas, sorted by name; documents below keeper/ have none"
            .to_owned(),
        "path" => {
            "`path` is not parts of [A-Za-z0-9._-] joined by `/`: it is empty, begins or ends with a `/`, has two in \
                   a row, a part that is `.` or `..`, or another character"
                .to_owned()
        }
        "changes" => "documents below keeper/ are the cluster's own, and are for no instance: publish them".to_owned(),
        field => format!("`{field}` is empty or has characters outside [A-Za-z0-9._-]"),
    }
}

fn mismatch(path: &str, expected: u64, present: u64) -> String {
    match (expected, present) {
        (0, present) => format!("`{path}` exists already, at revision {present}"),
        (expected, 0) => format!("`{path}` does not exist; revision {expected} was expected"),
        (expected, present) => {
            format!("`{path}` is at revision {present}, not at {expected}: somebody changed it meanwhile")
        }
    }
}

/// What a publish was judged by.
fn judged_by(what: &Witness) -> String {
    match what {
        Witness::Document { path, .. } => format!("`{path}`"),
        Witness::Layers { path, .. } => format!("a layer of `{path}`"),
        Witness::Schemas { .. } => "a schema".to_owned(),
        Witness::Consumers { path, .. } => format!("what reads `{path}`"),
    }
}

fn standing(state: RolloutState) -> &'static str {
    match state {
        RolloutState::Running => "running",
        RolloutState::Paused => "paused",
        RolloutState::Promoted => "promoted",
        RolloutState::Aborted => "aborted",
        RolloutState::Stopped => "stopped",
    }
}

/// A size with its unit: lists are counted, everything else is in bytes.
fn too_large(field: &str, actual: u64, limit: u64) -> String {
    match field {
        "operations" | "topics" | "endpoints" | "labels" | "changes" | "instances" | "expected" | "judged"
        | "schemas" | "documents" | "prefixes" | "selector.labels" => {
            format!("`{field}` lists {actual}; the limit is {limit}")
        }
        "deadline_ms" => format!("`{field}` is {actual}; the limit is {limit}"),
        _ => format!("`{field}` has {actual} bytes; the limit is {limit}"),
    }
}

/// Who holds the session that a refusal is about.
pub(crate) fn rejection_holder(rejection: &Rejection) -> Option<&Holder> {
    if let Rejection::StaleConnSeq { holder, .. } = rejection {
        return Some(holder);
    }
    if let Rejection::StaleEpoch(holder) = rejection { holder.as_ref() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_the_value_its_unit_and_what_would_be_right() {
        let said = [
            Rejection::TooLarge { field: "author", actual: 129, limit: 128 },
            Rejection::TooLarge { field: "endpoint", actual: 129, limit: 128 },
            Rejection::TooLarge { field: "endpoints", actual: 9, limit: 8 },
            Rejection::TooLarge { field: "deadline_ms", actual: 86_400_001, limit: 86_400_000 },
            Rejection::OutOfRange { field: "flush_total", actual: u64::MAX, min: 0, max: 1 << 31 },
            Rejection::BadName { field: "label" },
            Rejection::ForeignState { present: keeper_registry::StateId(0xAB) },
            Rejection::Full { what: "kicks under way", limit: 64 },
            Rejection::Full { what: "instances", limit: 65_536 },
            Rejection::NotBound { topic: b"a\x1b[31m\nb".to_vec().into() },
        ];
        let expected = [
            "`author` has 129 bytes; the limit is 128",
            "`endpoint` has 129 bytes; the limit is 128",
            "`endpoints` lists 9; the limit is 8",
            "`deadline_ms` is 86400001; the limit is 86400000",
            "`flush_total` is 18446744073709551615; it lies between 0 and 2147483648",
            "`label` is empty",
            "`state_id` names another history of this cluster; the present one is 00000000000000ab: open the instance \
             again and register its sessions again",
            "there are 64 kicks under way, which is the limit: wait until one of them has finished",
            "there is no room for more instances; the limit is 65536",
            r"the session is not bound to topic `a\u{1b}[31m\nb`",
        ];
        assert_eq!(said.iter().map(rejection_said).collect::<Vec<_>>(), expected);
        assert_eq!(said.iter().take(3).map(rejection_field).collect::<Vec<_>>(), ["author", "endpoints", "endpoints"]);
    }
}
