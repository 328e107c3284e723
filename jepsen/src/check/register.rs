//! `register`: sessions with displacement.

use std::collections::BTreeMap;

use keeper_linearize::Action;

use crate::{
    check::{
        Violation,
        fields::{Epoch, epoch_of, number},
        keys::{Newest, linearizable},
    },
    history::Kind,
    operation::{Operation, by_key},
};

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    let keys = by_key(operations, &["register", "unregister", "lookup", "local", "at-least"]);
    keys.values().flat_map(|operations| of_key(operations)).collect()
}

fn of_key(operations: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = epochs(operations);
    violations.extend(stale_reads(operations));
    violations.extend(linearizable("R3", operations.iter().copied(), action));
    violations
}

fn action(operation: &Operation<'_>) -> Option<Action> {
    let id = |value| number(value, "id");
    Some(match (operation.f, operation.kind) {
        (_, Kind::Fail) => return None,
        ("register", Kind::Ok) => Action::Swap { was: number(operation.answer, "displaced"), to: id(operation.asked)? },
        ("register", _) => Action::Write(id(operation.asked)?),
        ("unregister", _) => Action::Remove(id(operation.asked)?),
        ("lookup", Kind::Ok) => Action::Read(id(operation.answer)),
        _ => return None,
    })
}

/// R1 and R2: epochs are unique, and grow with time.
fn epochs(operations: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut seen: BTreeMap<Epoch, usize> = BTreeMap::new();
    let registered = || operations.iter().filter(|it| it.f == "register" && it.is_ok());
    let told = |it: &&&Operation<'_>| Some((it.ended, epoch_of(it.answer)?));
    let mut newest = Newest::new(registered().filter_map(|it| told(&it)));
    for one in registered() {
        let epoch = epoch_of(one.answer).unwrap_or_default();
        if let Some(other) = seen.insert(epoch, one.ended) {
            violations.push(Violation::new("R1", [other, one.ended], format!("epoch {epoch:?} twice")));
        }
        if let Some((line, before)) = newest.before(one.began).filter(|(_, before)| epoch <= *before) {
            let why = format!("epoch {epoch:?}, although {before:?} was acknowledged before it began");
            violations.push(Violation::new("R2", [line, one.ended], why));
        }
    }
    violations
}

/// R4 and R5: a read of a node's own state says which state that was, and that state holds what the log says.
fn stale_reads(operations: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut changes: Vec<(Epoch, u64, &Operation<'_>)> = Vec::new();
    for one in operations.iter().filter(|it| it.f == "register" && it.is_ok()) {
        let id = number(one.asked, "id").unwrap_or_default();
        changes.extend(epoch_of(one.answer).map(|epoch| (epoch, id, *one)));
    }
    changes.sort_unstable_by_key(|(epoch, ..)| *epoch);
    let is_left_alone = !operations.iter().any(|it| it.f == "unregister" && it.kind != Kind::Fail);
    for one in operations.iter().filter(|it| matches!(it.f, "local" | "at-least") && it.is_ok()) {
        let revision = number(one.answer, "revision").unwrap_or_default();
        if one.f == "at-least" && revision < one.asked.as_u64().unwrap_or_default() {
            let why = format!("at least revision {} was asked for, and {revision} answered", one.asked);
            violations.push(Violation::new("R4", [one.ended], why));
        }
        let found = one.answer.get("found").and_then(epoch_of);
        if found.is_some_and(|(at, _)| at > revision) {
            let why = format!("a state of revision {revision} holds a later session, {:?}", found.unwrap_or_default());
            violations.push(Violation::new("R5", [one.ended], why));
        }
        let known = changes.partition_point(|((at, _), ..)| *at <= revision);
        let Some((newest, _, register)) = known.checked_sub(1).map(|at| changes[at]) else { continue };
        // Without an unregistration that could explain a miss, what is found is the newest or an unknown newer one.
        if found.map_or(is_left_alone, |found| found < newest) {
            let why = format!("the state of revision {revision} holds {found:?}, but the log has {newest:?} before it");
            violations.push(Violation::new("R5", [register.ended, one.ended], why));
        }
    }
    violations
}
