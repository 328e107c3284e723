//! What holds for every workload: the nodes themselves, and the end of a run.
//!
//! That a term has one leader is not among it: see "Leaders and terms" in `SEMANTICS.md`. That no leader lacks what was
//! acknowledged is what the workloads show.

use std::collections::BTreeMap;

use crate::{
    check::{
        Violation,
        fields::{number, text, truth},
    },
    history::{Event, MONITOR, NEMESIS},
};

pub(super) fn check(events: &[Event]) -> Vec<Violation> {
    let mut violations = replicas(events);
    violations.extend(end(events));
    violations.extend(unsound_syncs(events));
    violations.extend(lost_logs(events));
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

/// K2: once everything is healed, the nodes hold the same and the cluster serves.
fn end(events: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (line, event) in of_monitor(events, "healed").filter(|(_, event)| !truth(&event.value, "converged")) {
        let why = format!("the nodes did not come together: {}", event.value);
        violations.push(Violation::new("K2", [line], why));
    }
    for (line, event) in of_monitor(events, "served").filter(|(_, event)| !truth(&event.value, "served")) {
        violations.push(Violation::new("K2", [line], format!("the healed cluster does not serve: {}", event.value)));
    }
    for (line, event) in of_monitor(events, "enlisted").filter(|(_, event)| !truth(&event.value, "enlisted")) {
        violations.push(Violation::new("K6", [line], format!("not every node could be given a vote: {}", event.value)));
    }
    for (line, event) in of_monitor(events, "died") {
        violations.push(Violation::new("K3", [line], format!("{} ended by itself: {}", event.key, event.value)));
    }
    violations
}

/// K4: whose sync failed stops, because the next one may report success with data lost.
fn unsound_syncs(events: &[Event]) -> Vec<Violation> {
    let numbered = events.iter().enumerate().map(|(at, event)| (at + 1, event));
    let failed = numbered.filter(|(_, it)| it.process == NEMESIS && it.f == "disk");
    let failed = failed.filter(|(_, it)| text(&it.value, "how") == "sync error" && it.value["ended"] == false);
    failed.map(|(line, it)| Violation::new("K4", [line], format!("{} went on after a failed sync", it.key))).collect()
}

/// K5: whose log was lost takes no part in the cluster any more, under the number that it had.
fn lost_logs(events: &[Event]) -> Vec<Violation> {
    let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
    let mut lost: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    let mut violations = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let key = event.key.as_str();
        match (event.process, &*event.f) {
            (NEMESIS, "retired") if event.value.as_str().is_some_and(|said| said.contains("log lost")) => {
                lost.insert(key, (numbers.get(key).copied().unwrap_or_default(), at + 1));
            }
            (NEMESIS, "lose") => lost.clear(),
            (MONITOR, "status") => {
                let id = number(&event.value, "id").unwrap_or_default();
                numbers.insert(key, id);
                let role = text(&event.value, "role");
                let votes = ["leader", "no-quorum", "candidate", "follower"].contains(&role);
                if let Some((_, line)) = lost.get(key).filter(|(former, _)| votes && *former == id) {
                    let why = format!("{key} is a {role} as node {id}, although its log was lost");
                    violations.push(Violation::new("K5", [*line, at + 1], why));
                }
            }
            _ => {}
        }
    }
    violations
}
