//! What holds for every workload: the nodes themselves, and the end of a run.

use std::collections::BTreeMap;

use crate::{
    check::{
        Violation,
        fields::{number, text, truth},
    },
    history::{Event, MONITOR},
};

pub(super) fn check(events: &[Event]) -> Vec<Violation> {
    let mut violations = replicas(events);
    violations.extend(leaders(events));
    violations.extend(end(events));
    violations
}

fn of_monitor<'a>(events: &'a [Event], f: &'a str) -> impl Iterator<Item = (usize, &'a Event)> {
    let numbered = events.iter().enumerate().map(|(at, event)| (at + 1, event));
    numbered.filter(move |(_, event)| event.process == MONITOR && event.f == f)
}

/// K1: replicas that applied the same hold the same.
fn replicas(events: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut hashes: BTreeMap<(&str, u64), (&str, usize)> = BTreeMap::new();
    for (line, event) in of_monitor(events, "status") {
        let at = (text(&event.value, "state"), number(&event.value, "applied").unwrap_or_default());
        let hash = text(&event.value, "hash");
        let (other, first) = *hashes.entry(at).or_insert((hash, line));
        if other != hash {
            let why = format!("{} holds another state at revision {}: {hash}, not {other}", event.key, at.1);
            violations.push(Violation::new("K1", [first, line], why));
        }
    }
    violations
}

/// K2: a term has one leader.
fn leaders(events: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut leaders: BTreeMap<(&str, u64), (&str, usize)> = BTreeMap::new();
    for (line, event) in of_monitor(events, "status").filter(|(_, event)| text(&event.value, "role") == "leader") {
        let term = (text(&event.value, "cluster"), number(&event.value, "term").unwrap_or_default());
        let (other, first) = *leaders.entry(term).or_insert((&event.key, line));
        if other != event.key {
            let why = format!("{other} and {} both led term {}", event.key, term.1);
            violations.push(Violation::new("K2", [first, line], why));
        }
    }
    violations
}

/// K3: once everything is healed, the nodes hold the same and the cluster serves.
fn end(events: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (line, event) in of_monitor(events, "healed").filter(|(_, event)| !truth(&event.value, "converged")) {
        let why = format!("the nodes did not come together: {}", event.value);
        violations.push(Violation::new("K3", [line], why));
    }
    for (line, event) in of_monitor(events, "served").filter(|(_, event)| !truth(&event.value, "served")) {
        violations.push(Violation::new("K3", [line], format!("the healed cluster does not serve: {}", event.value)));
    }
    for (line, event) in of_monitor(events, "died") {
        violations.push(Violation::new("K4", [line], format!("{} ended by itself: {}", event.key, event.value)));
    }
    violations
}
