//! Operations: events paired, from the line that began one to the line that ended it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::{
    check::Violation,
    history::{Event, Kind},
};

/// The end of an operation that never ended: after everything.
pub(crate) use keeper_linearize::NEVER;

/// An operation of a client. Lines count from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) process: i64,
    pub(crate) f: &'a str,
    pub(crate) key: &'a str,
    pub(crate) asked: &'a Value,
    pub(crate) began: usize,
    pub(crate) began_at: u64,
    /// [`NEVER`] when nobody knows whether it ever took effect.
    pub(crate) ended: usize,
    pub(crate) ended_at: u64,
    pub(crate) kind: Kind,
    pub(crate) answer: &'a Value,
}

impl Operation<'_> {
    pub(crate) fn is_ok(&self) -> bool {
        self.kind == Kind::Ok
    }
}

/// Pairs beginnings with ends, in the order they began. What ended in `info`, or never, may take effect at any time
/// after it began.
pub(crate) fn operations(events: &[Event]) -> Vec<Operation<'_>> {
    let mut open: HashMap<i64, (usize, &Event)> = HashMap::new();
    let mut paired = Vec::new();
    for (line, event) in of_clients(events) {
        if event.kind == Kind::Invoke {
            open.insert(event.process, (line, event));
        } else if let Some(begun) = open.remove(&event.process) {
            paired.push(operation(begun, Some((line, event))));
        }
    }
    paired.extend(open.into_values().map(|begun| operation(begun, None)));
    paired.sort_by_key(|operation| operation.began);
    paired
}

/// Operations of the named kinds, by key.
pub(crate) fn by_key<'a, 'o>(
    operations: &'o [Operation<'a>],
    of: &[&str],
) -> BTreeMap<&'a str, Vec<&'o Operation<'a>>> {
    let mut keys: BTreeMap<&str, Vec<&Operation<'_>>> = BTreeMap::new();
    for operation in operations.iter().filter(|it| of.contains(&it.f)) {
        keys.entry(operation.key).or_default().push(operation);
    }
    keys
}

/// H1: what makes a history one. A checker that is given anything else may prove anything.
pub(crate) fn malformed(events: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut open: HashMap<i64, usize> = HashMap::new();
    let mut unknown = HashSet::new();
    for (line, event) in of_clients(events) {
        let mut refuse = |why: &str| violations.push(Violation::new("H1", [line], why.to_owned()));
        match event.kind {
            Kind::Invoke if unknown.contains(&event.process) => refuse("a process goes on after an unknown outcome"),
            Kind::Invoke if open.insert(event.process, line).is_some() => refuse("a process does two things at once"),
            Kind::Invoke => {}
            Kind::Ok | Kind::Fail | Kind::Info => {
                if open.remove(&event.process).is_none() {
                    refuse("an operation ends that never began");
                }
                if event.kind == Kind::Info {
                    unknown.insert(event.process);
                }
            }
        }
    }
    let backwards = events.windows(2).enumerate().filter(|(_, pair)| pair[1].time < pair[0].time);
    violations.extend(backwards.map(|(at, _)| Violation::new("H1", [at + 1, at + 2], "time runs backwards".into())));
    violations
}

fn of_clients(events: &[Event]) -> impl Iterator<Item = (usize, &Event)> {
    events.iter().enumerate().map(|(at, event)| (at + 1, event)).filter(|(_, it)| it.process >= 0)
}

fn operation<'a>((began, invoked): (usize, &'a Event), end: Option<(usize, &'a Event)>) -> Operation<'a> {
    let known = end.filter(|(_, event)| event.kind != Kind::Info);
    Operation {
        process: invoked.process,
        f: &invoked.f,
        key: &invoked.key,
        asked: &invoked.value,
        began,
        began_at: invoked.time,
        ended: known.map_or(NEVER, |(line, _)| line),
        ended_at: known.map_or(u64::MAX, |(_, event)| event.time),
        kind: end.map_or(Kind::Info, |(_, event)| event.kind),
        answer: end.map_or(&Value::Null, |(_, event)| &event.value),
    }
}
