//! `watch`: documents published in pairs, and followed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    check::{
        Violation,
        fields::{list, number, truth},
    },
    history::Kind,
    operation::{Operation, by_key},
    workload::watch::pair_of,
};

/// A document as a watcher knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    revision: u64,
    number: u64,
}

/// What was published, by the pair it belongs to.
struct Published<'o, 'a> {
    acknowledged: BTreeMap<&'a str, Vec<(u64, u64, &'o Operation<'a>)>>,
    unknown: BTreeSet<u64>,
}

pub(super) fn check(operations: &[Operation<'_>]) -> Vec<Violation> {
    let published = Published::of(operations);
    let reads: Vec<_> = operations.iter().filter(|it| it.f == "read" && it.is_ok()).collect();
    let mut violations = Vec::new();
    for frames in by_key(operations, &["watch"]).values() {
        let frames: Vec<_> = frames.iter().copied().filter(|it| it.is_ok()).collect();
        violations.extend(follow(&frames, &published, &reads));
    }
    violations
}

/// One watcher, frame by frame.
fn follow(frames: &[&Operation<'_>], published: &Published<'_, '_>, reads: &[&Operation<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut known: BTreeMap<&str, Known> = BTreeMap::new();
    let mut reached: Option<(u64, usize)> = None;
    for frame in frames {
        let line = frame.ended;
        let revision = number(frame.answer, "revision").unwrap_or_default();
        let is_reset = truth(frame.answer, "reset");
        if let Some((before, other)) = reached.filter(|(before, _)| revision <= *before && !is_reset) {
            let why = format!("a frame at revision {revision} after one at {before}");
            violations.push(Violation::new("W1", [other, line], why));
        }
        if is_reset {
            known.clear();
        }
        for document in list(frame.answer, "documents") {
            let Some((path, told)) = read(document) else { continue };
            if let Some(before) = known.insert(path, told).filter(|before| told.revision <= before.revision) {
                let why = format!("{path} told at revision {} after {}", told.revision, before.revision);
                violations.push(Violation::new("W2", [line], why));
            }
            violations.extend(published.foreign(path, told, revision, line));
        }
        violations.extend(published.missing(&known, revision, line));
        violations.extend(torn(&known, line));
        reached = Some((revision, line));
    }
    let last = reached.map_or(0, |(_, line)| line);
    violations.extend(behind(&known, reads, last));
    violations
}

fn read(document: &Value) -> Option<(&str, Known)> {
    let path = document.get("path")?.as_str()?;
    Some((path, Known { revision: number(document, "revision")?, number: number(document, "number")? }))
}

impl<'o, 'a> Published<'o, 'a> {
    fn of(operations: &'o [Operation<'a>]) -> Self {
        let mut acknowledged: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        for one in operations.iter().filter(|it| it.f == "publish") {
            let asked = number(one.asked, "number").unwrap_or_default();
            match one.kind {
                Kind::Ok => {
                    let revision = number(one.answer, "revision").unwrap_or_default();
                    acknowledged.entry(one.key).or_default().push((revision, asked, one));
                }
                Kind::Fail => {}
                Kind::Info | Kind::Invoke => {
                    unknown.insert(asked);
                }
            }
        }
        acknowledged.values_mut().for_each(|all| all.sort_unstable_by_key(|(revision, ..)| *revision));
        Self { acknowledged, unknown }
    }

    /// W3: what is told was published, at that revision, and not after the frame's.
    fn foreign(&self, path: &str, told: Known, revision: u64, line: usize) -> Option<Violation> {
        let mut all = self.acknowledged.get(pair_of(path)).into_iter().flatten();
        let is_ours = all.any(|(at, number, _)| (*at, *number) == (told.revision, told.number));
        if told.revision > revision {
            let why = format!("{path} of revision {} in a frame at {revision}", told.revision);
            return Some(Violation::new("W3", [line], why));
        }
        (!is_ours && !self.unknown.contains(&told.number)).then(|| {
            let why = format!("{path} told {} at revision {}, which nobody published", told.number, told.revision);
            Violation::new("W3", [line], why)
        })
    }

    /// W4: nothing acknowledged up to a frame's revision is missing once the frame is told.
    fn missing(&self, known: &BTreeMap<&str, Known>, revision: u64, line: usize) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (pair, all) in &self.acknowledged {
            let until = all.partition_point(|(at, ..)| *at <= revision);
            let Some((newest, _, publish)) = until.checked_sub(1).map(|at| &all[at]) else { continue };
            for part in ["a", "b"] {
                let path = format!("{pair}/{part}.toml");
                let told = known.get(path.as_str()).map_or(0, |it| it.revision);
                if told < *newest {
                    let why = format!("{path}: told up to {revision} with revision {told}, but {newest} was published");
                    violations.push(Violation::new("W4", [publish.ended, line], why));
                }
            }
        }
        violations
    }
}

/// W5: what was published together is told together.
fn torn(known: &BTreeMap<&str, Known>, line: usize) -> Vec<Violation> {
    let firsts = known.iter().filter(|(path, _)| path.ends_with("/a.toml"));
    let torn = firsts.filter(|(path, first)| {
        let other = format!("{}/b.toml", pair_of(path));
        known.get(other.as_str()).is_none_or(|second| second != *first)
    });
    torn.map(|(path, first)| {
        Violation::new("W5", [line], format!("{path} is {}, and its other half is not", first.number))
    })
    .collect()
}

/// W6: a watcher ends with what reads find at the end.
fn behind(known: &BTreeMap<&str, Known>, reads: &[&Operation<'_>], last: usize) -> Vec<Violation> {
    let mut violations = Vec::new();
    for read in reads {
        let found = number(read.answer, "number");
        let told = known.get(read.key).map(|it| it.number);
        if found != told {
            let why = format!("{} ended as {found:?}, and a watcher ended with {told:?}", read.key);
            violations.push(Violation::new("W6", [last, read.ended], why));
        }
    }
    violations
}
