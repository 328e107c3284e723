//! A document is a chain: a revision is replaced once, by what its writer wrote, and reads do not go back.

use std::collections::BTreeMap;

use crate::history::{Records, Replacement};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    let mut replaced: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    let mut written: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for it in &records.replacements {
        let Some(became) = it.became else { continue };
        if let Some(other) = replaced.insert((&it.path, it.revision), became) {
            let Replacement { path, revision, .. } = it;
            violations.push(format!("config chain: {other} and {became} both replaced {path} at {revision}"));
        }
        if became <= it.revision {
            violations.push(format!("config chain: {became} replaced {} at {}", it.path, it.revision));
        }
        written.insert((&it.path, became), it.number);
    }
    let may_be = |path: &str, number: u64| {
        let unknown = |it: &&Replacement| it.became.is_none() && !it.is_refused;
        records.replacements.iter().filter(unknown).any(|it| it.path == path && it.number == number)
    };
    let read = records.reads.iter().map(|it| (&it.path, it.revision, it.number));
    let watched = records.watched.values().flatten().map(|it| (&it.path, it.revision, it.number));
    for (path, revision, number) in read.chain(watched).filter(|(_, revision, _)| *revision > 0) {
        if written.get(&(path.as_str(), revision)).map_or_else(|| !may_be(path, number), |it| *it != number) {
            violations.push(format!("config chain: {path} at {revision} holds {number}, which nobody wrote there"));
        }
    }
    violations.extend(stale(records));
    violations
}

/// Reads that saw less than what was known when they began.
fn stale(records: &Records) -> Vec<String> {
    let mut ends: Vec<(u64, &str, u64)> =
        records.reads.iter().map(|it| (it.ended, &it.path[..], it.revision)).collect();
    ends.extend(records.replacements.iter().filter_map(|it| Some((it.ended, &it.path[..], it.became?))));
    ends.sort_unstable();
    let mut reads: Vec<_> = records.reads.iter().collect();
    reads.sort_unstable_by_key(|it| it.began);
    let (mut ends, mut newest, mut violations) = (ends.into_iter().peekable(), BTreeMap::new(), Vec::new());
    for read in reads {
        while let Some((_, path, revision)) = ends.next_if(|(ended, _, _)| *ended < read.began) {
            let newest = newest.entry(path).or_insert(0);
            *newest = revision.max(*newest);
        }
        if let Some(known) = newest.get(&read.path[..]).filter(|known| **known > read.revision) {
            violations.push(format!("config chain: {} was read at {} after {known}", read.path, read.revision));
        }
    }
    violations
}
