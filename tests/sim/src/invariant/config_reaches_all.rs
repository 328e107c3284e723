//! Every watcher is shown each document going forward only, without a gap, and in the end as it stands.
//!
//! Several changes of a document may be shown as one. But a watcher that was told up to a revision has been shown
//! whatever stood at that revision, also when it went on from its cursor.

use std::collections::BTreeMap;

use crate::history::{Records, Seen};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    records.watched.iter().flat_map(|(watcher, seen)| of_watcher(records, audit, watcher, seen)).collect()
}

fn of_watcher(records: &Records, audit: &Audit, watcher: &str, seen: &[Seen]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut shown: BTreeMap<&str, u64> = BTreeMap::new();
    // What came together has one cursor.
    for change in seen.chunk_by(|one, other| one.cursor == other.cursor) {
        for Seen { path, revision, is_reset, .. } in change {
            let before = shown.insert(path, *revision).unwrap_or(0);
            // A full set may show again what was shown.
            if *revision < before || *revision == before && !is_reset {
                violations.push(format!("config reaches all: {watcher} was shown {path} at {revision} after {before}"));
            }
        }
        let cursor = change.first().map_or(0, |it| it.cursor);
        let passed = records.replacements.iter().filter_map(|it| Some((&it.path, it.became?)));
        let missed = passed.filter(|(path, became)| *became <= cursor && shown.get(&path[..]) < Some(became));
        violations.extend(missed.map(|(path, became)| {
            format!("config reaches all: {watcher} was told up to {cursor}, but not of {path} at {became}")
        }));
    }
    for (path, stands) in audit.documents.iter().filter(|(_, stands)| **stands > 0) {
        let last = shown.get(&path[..]);
        if last != Some(stands) {
            violations.push(format!("config reaches all: {watcher} has {path} at {last:?}, it stands at {stands}"));
        }
    }
    violations
}
