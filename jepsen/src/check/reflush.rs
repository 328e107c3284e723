//! `reflush`: connections that gateways hold, while the cluster loses its state and is founded anew.

use std::collections::BTreeMap;

use crate::{
    check::{
        Violation,
        fields::{number, text, truth},
    },
    operation::{Operation, by_key},
};

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (key, operations) in by_key(operations, &["connect", "lookup", "final-lookup"]) {
        let order = connections(&operations);
        for looked in operations.iter().filter(|it| it.f != "connect" && it.is_ok()) {
            violations.extend(judge(key, &order, looked));
        }
    }
    violations.extend(taken(operations));
    violations
}

/// When each connection of a key was asked for and acknowledged. They follow each other: one process connects a key.
fn connections<'o, 'a>(operations: &[&'o Operation<'a>]) -> BTreeMap<u64, &'o Operation<'a>> {
    let connects = operations.iter().filter(|it| it.f == "connect");
    connects.filter_map(|it| Some((number(it.asked, "id")?, *it))).collect()
}

/// F1: a connection that is held is found, or the answer says that the registry is being filled. F2: at the end it is
/// found. F3: whoever connected last is found, not a claim of earlier times.
fn judge(key: &str, order: &BTreeMap<u64, &Operation<'_>>, looked: &Operation<'_>) -> Option<Violation> {
    let due = order.iter().rev().find(|(_, it)| it.is_ok() && it.ended < looked.began);
    let (id, connect) = due?;
    match number(looked.answer, "found") {
        Some(found) if found < *id => {
            let why = format!("{key} is found as {found}, although {id} connected after it");
            Some(Violation::new("F3", [connect.ended, looked.ended], why))
        }
        Some(found) if order.get(&found).is_none_or(|it| it.began > looked.ended) => {
            let why = format!("{key} is found as {found}, which nobody connected");
            Some(Violation::new("F4", [looked.ended], why))
        }
        Some(_) => None,
        // A connection that was given up before it stood has displaced the one before and is gone itself.
        None if order.values().any(|it| !it.is_ok() && it.began > connect.ended && it.began < looked.ended) => None,
        None if looked.f == "final-lookup" => {
            let why = format!("{key} is held as {id}, and not found at the end");
            Some(Violation::new("F2", [connect.ended, looked.ended], why))
        }
        None if truth(looked.answer, "rebuilding") => None,
        None => {
            let why = format!("{key} is held as {id}, and a lookup says that there is nobody");
            Some(Violation::new("F1", [connect.ended, looked.ended], why))
        }
    }
}

/// F5: the only event that takes a connection away is a newer one of the same user.
fn taken(operations: &[Operation<'_>]) -> Vec<Violation> {
    let connects = by_key(operations, &["connect"]);
    let ends = operations.iter().filter(|it| it.f == "event" && it.is_ok());
    let unjust = ends.filter(|it| {
        let id = number(it.answer, "id").unwrap_or_default();
        let newer = connects
            .get(it.key)
            .into_iter()
            .flatten()
            .any(|connect| number(connect.asked, "id").is_some_and(|other| other > id) && connect.began < it.ended);
        text(it.answer, "event") != "displaced" || !newer
    });
    unjust
        .map(|it| {
            let why = format!("{} lost a connection: {}", it.key, it.answer);
            Violation::new("F5", [it.ended], why)
        })
        .collect()
}
