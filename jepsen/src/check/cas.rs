//! `cas`: documents that are read, written and replaced.

use std::collections::{BTreeMap, BTreeSet};

use keeper_linearize::Action;

use crate::{
    check::{
        Violation,
        fields::number,
        keys::{Newest, linearizable},
    },
    history::Kind,
    operation::{Operation, by_key},
};

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    by_key(operations, &["read", "write", "cas"]).values().flat_map(|operations| of_key(operations)).collect()
}

fn of_key(operations: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = replacements(operations);
    violations.extend(reads(operations));
    violations.extend(linearizable("C5", operations.iter().copied(), action));
    violations
}

fn action(operation: &Operation<'_>) -> Option<Action> {
    Some(match (operation.f, operation.kind) {
        (_, Kind::Fail) => return None,
        ("write", _) => Action::Write(number(operation.asked, "number")?),
        ("cas", _) => Action::Replace { from: number(operation.asked, "from"), to: number(operation.asked, "number")? },
        ("read", Kind::Ok) => Action::Read(number(operation.answer, "number")),
        _ => return None,
    })
}

/// C1 and C2: no revision is replaced twice, and a replacement moves on.
fn replacements(operations: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut replaced: BTreeMap<u64, usize> = BTreeMap::new();
    for one in operations.iter().filter(|it| it.f == "cas" && it.is_ok()) {
        let expected = number(one.asked, "expected").unwrap_or_default();
        let new = number(one.answer, "revision").unwrap_or_default();
        if let Some(other) = replaced.insert(expected, one.ended) {
            violations.push(Violation::new("C1", [other, one.ended], format!("both replaced revision {expected}")));
        }
        if new <= expected {
            violations.push(Violation::new("C2", [one.ended], format!("revision {new} replaced {expected}")));
        }
    }
    violations
}

/// C3 and C4: a read sees nothing older than what was known, and nothing that nobody wrote.
fn reads(operations: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let is_write = |it: &&&Operation<'_>| matches!(it.f, "write" | "cas");
    let revision = |it: &Operation<'_>| number(it.answer, "revision").unwrap_or_default();
    let asked = |it: &&Operation<'_>| number(it.asked, "number").unwrap_or_default();
    let acknowledged = operations.iter().filter(is_write).filter(|it| it.is_ok());
    let written: BTreeSet<(u64, u64)> = acknowledged.map(|it| (revision(it), asked(it))).collect();
    let unknown: BTreeSet<u64> =
        operations.iter().filter(is_write).filter(|it| it.kind == Kind::Info).map(asked).collect();
    let told = operations.iter().filter(|it| it.is_ok()).map(|it| (it.ended, revision(it)));
    let mut newest = Newest::new(told);
    for one in operations.iter().filter(|it| it.f == "read" && it.is_ok()) {
        let read = revision(one);
        if let Some((line, before)) = newest.before(one.began).filter(|(_, before)| read < *before) {
            let why = format!("read revision {read}, although {before} was known before it began");
            violations.push(Violation::new("C3", [line, one.ended], why));
        }
        let value = number(one.answer, "number").unwrap_or_default();
        if read > 0 && !written.contains(&(read, value)) && !unknown.contains(&value) {
            let why = format!("read {value} at revision {read}, which nobody wrote");
            violations.push(Violation::new("C4", [one.ended], why));
        }
    }
    violations
}
