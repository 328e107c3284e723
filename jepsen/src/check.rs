//! The invariants of `SEMANTICS.md`, on a history alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::{
    Workload,
    history::{Event, Kind},
};

/// An operation: from the line that began it to the line that ended it, both from 1.
#[derive(Debug)]
struct Operation<'a> {
    f: &'static str,
    key: &'a str,
    asked: &'a Value,
    began: usize,
    ended: usize,
    kind: Kind,
    answer: &'a Value,
}

/// Every violation, as a sentence that names its lines.
pub(crate) fn check(workload: Workload, events: &[Event]) -> Vec<String> {
    let mut by_key: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for operation in operations(events) {
        by_key.entry(operation.key).or_default().push(operation);
    }
    let check = match workload {
        Workload::Register => registers,
        Workload::Cas => replacements,
    };
    by_key.values().flat_map(|operations| check(operations)).collect()
}

/// Pairs beginnings with ends. One that never ended is as unknown as `info`.
fn operations(events: &[Event]) -> Vec<Operation<'_>> {
    let mut open: HashMap<i64, (usize, &Event)> = HashMap::new();
    let mut paired = Vec::new();
    for (line, event) in events.iter().enumerate().map(|(at, event)| (at + 1, event)).filter(|(_, it)| it.process >= 0)
    {
        if event.kind == Kind::Invoke {
            open.insert(event.process, (line, event));
        } else if let Some((began, invoked)) = open.remove(&event.process) {
            paired.push(operation(invoked, began, event.kind, line, &event.value));
        }
    }
    paired.extend(open.into_values().map(|(began, it)| operation(it, began, Kind::Info, usize::MAX, &Value::Null)));
    paired.sort_by_key(|operation| operation.began);
    paired
}

fn operation<'a>(invoked: &'a Event, began: usize, kind: Kind, ended: usize, answer: &'a Value) -> Operation<'a> {
    Operation { f: invoked.f, key: &invoked.key, asked: &invoked.value, began, ended, kind, answer }
}

fn registers(operations: &[Operation<'_>]) -> Vec<String> {
    let mut violations = Vec::new();
    let of = |f: &'static str, kind: Kind| operations.iter().filter(move |it| it.f == f && it.kind == kind);
    let mut epochs = BTreeMap::new();
    for one in of("register", Kind::Ok) {
        let epoch = pair(one.answer);
        if let Some(other) = epochs.insert(epoch, one.ended) {
            violations.push(format!("R1: lines {other} and {}: epoch {epoch:?} twice", one.ended));
        }
    }
    let unknown = of("register", Kind::Info).map(|it| it.began).min().unwrap_or(usize::MAX);
    let mut newest = Newest::new(of("register", Kind::Ok).map(|it| (it.ended, pair(it.answer))).collect());
    for one in operations.iter().filter(|it| it.kind == Kind::Ok) {
        let Some((line, before)) = newest.before(one.began) else { continue };
        let epoch = pair(one.answer);
        match one.f {
            "register" if epoch <= before => violations.push(format!(
                "R2: line {}: epoch {epoch:?}, although line {line} acknowledged {before:?} before it began",
                one.ended
            )),
            "lookup" if epoch < before => violations.push(format!(
                "R3: line {}: found {}, although line {line} acknowledged {before:?} before it began",
                one.ended, one.answer
            )),
            _ => {}
        }
    }
    for one in of("lookup", Kind::Ok).filter(|it| !it.answer.is_null()) {
        if !epochs.contains_key(&pair(one.answer)) && one.ended < unknown {
            violations.push(format!("R4: line {}: found {}, which nobody registered", one.ended, one.answer));
        }
    }
    violations
}

fn replacements(operations: &[Operation<'_>]) -> Vec<String> {
    let mut violations = Vec::new();
    let of = |f: &'static str, kind: Kind| operations.iter().filter(move |it| it.f == f && it.kind == kind);
    let mut expected = BTreeMap::new();
    let mut written = BTreeSet::new();
    for one in of("cas", Kind::Ok) {
        let ((revision, number), new) = (pair(one.asked), one.answer.as_u64().unwrap_or_default());
        if let Some(other) = expected.insert(revision, one.ended) {
            violations.push(format!("C1: lines {other} and {}: both replaced revision {revision}", one.ended));
        }
        if new <= revision {
            violations.push(format!("C2: line {}: revision {new} replaced {revision}", one.ended));
        }
        written.insert((new, number));
    }
    let unknown: BTreeSet<u64> = of("cas", Kind::Info).map(|it| pair(it.asked).1).collect();
    let acknowledged = of("cas", Kind::Ok).map(|it| (it.ended, (it.answer.as_u64().unwrap_or_default(), 0)));
    let read = of("read", Kind::Ok).map(|it| (it.ended, (pair(it.answer).0, 0)));
    let mut newest = Newest::new(acknowledged.chain(read).collect());
    for one in of("read", Kind::Ok) {
        let (revision, number) = pair(one.answer);
        if let Some((line, (before, _))) = newest.before(one.began).filter(|(_, (before, _))| revision < *before) {
            violations.push(format!(
                "C3: line {}: read revision {revision}, although line {line} saw {before} before it began",
                one.ended
            ));
        }
        if revision > 0 && !written.contains(&(revision, number)) && !unknown.contains(&number) {
            violations.push(format!("C4: line {}: read {}, which nobody wrote", one.ended, one.answer));
        }
    }
    violations
}

/// `[a, b]`; null is less than all.
fn pair(value: &Value) -> (u64, u64) {
    let part = |at: usize| value.get(at).and_then(Value::as_u64).unwrap_or_default();
    (part(0), part(1))
}

/// The highest value among those that ended before a line; asked with lines that only grow.
struct Newest {
    ends: Vec<(usize, (u64, u64))>,
    passed: usize,
    highest: Option<(usize, (u64, u64))>,
}

impl Newest {
    fn new(mut ends: Vec<(usize, (u64, u64))>) -> Self {
        ends.sort_unstable();
        Self { ends, passed: 0, highest: None }
    }

    fn before(&mut self, line: usize) -> Option<(usize, (u64, u64))> {
        while let Some((ended, value)) = self.ends.get(self.passed).filter(|(ended, _)| *ended < line) {
            if self.highest.is_none_or(|(_, highest)| *value > highest) {
                self.highest = Some((*ended, *value));
            }
            self.passed += 1;
        }
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One operation after another, each `f asked answer`.
    fn history(sequence: &[(i64, Kind, &'static str, Value)]) -> Vec<Event> {
        let event = |(process, kind, f, value): &(i64, Kind, &'static str, Value)| Event {
            process: *process,
            kind: *kind,
            f,
            key: "k".into(),
            value: value.clone(),
            time: 0,
        };
        sequence.iter().map(event).collect()
    }

    fn begun(process: i64, f: &'static str, asked: Value) -> (i64, Kind, &'static str, Value) {
        (process, Kind::Invoke, f, asked)
    }

    fn done(process: i64, f: &'static str, answer: Value) -> (i64, Kind, &'static str, Value) {
        (process, Kind::Ok, f, answer)
    }

    fn found(workload: Workload, sequence: &[(i64, Kind, &'static str, Value)]) -> Vec<String> {
        let violations = check(workload, &history(sequence));
        violations.iter().map(|violation| violation[..2].to_owned()).collect()
    }

    #[test]
    fn a_sound_history_passes() {
        let register = [
            begun(0, "register", Value::Null),
            begun(1, "lookup", Value::Null),
            done(1, "lookup", json!([5, 0])),
            done(0, "register", json!([5, 0])),
            begun(1, "register", Value::Null),
            (1, Kind::Info, "register", json!("timeout")),
            begun(1, "lookup", Value::Null),
            done(1, "lookup", json!([7, 0])),
        ];
        assert_eq!(found(Workload::Register, &register), [""; 0]);
        let cas = [
            begun(0, "cas", json!([0, 1])),
            done(0, "cas", json!(4)),
            begun(0, "read", Value::Null),
            done(0, "read", json!([4, 1])),
        ];
        assert_eq!(found(Workload::Cas, &cas), [""; 0]);
    }

    #[test]
    fn a_lost_registration_is_found() {
        let first = [begun(0, "register", Value::Null), done(0, "register", json!([5, 0]))];
        let then = |f: &'static str, answer: Value| {
            found(Workload::Register, &[&first[..], &[begun(1, f, Value::Null), done(1, f, answer)]].concat())
        };
        assert_eq!(then("lookup", Value::Null), ["R3"]);
        assert_eq!(then("lookup", json!([6, 0])), ["R4"]);
        assert_eq!(then("register", json!([4, 9])), ["R2"]);
        assert_eq!(then("register", json!([5, 0])), ["R1", "R2"]);
    }

    #[test]
    fn a_broken_chain_is_found() {
        let first = [begun(0, "cas", json!([0, 1])), done(0, "cas", json!(4))];
        let then = |f: &'static str, asked: Value, answer: Value| {
            found(Workload::Cas, &[&first[..], &[begun(1, f, asked), done(1, f, answer)]].concat())
        };
        assert_eq!(then("cas", json!([0, 2]), json!(5)), ["C1"]);
        assert_eq!(then("cas", json!([4, 2]), json!(4)), ["C2"]);
        assert_eq!(then("read", Value::Null, json!([0, null])), ["C3"]);
        assert_eq!(then("read", Value::Null, json!([5, 9])), ["C4"]);
    }
}
