//! Every watcher is shown each document going forward only, and in the end as it stands.

use std::collections::BTreeMap;

use crate::history::Records;
use crate::workload::Audit;

pub(super) fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    for (watcher, seen) in &records.watched {
        let mut shown: BTreeMap<&str, u64> = BTreeMap::new();
        for it in seen {
            let before = shown.insert(&it.path, it.revision).unwrap_or(0);
            // A full set may show again what was shown.
            if it.revision < before || it.revision == before && !it.is_reset {
                let (path, revision) = (&it.path, it.revision);
                violations.push(format!("config reaches all: {watcher} was shown {path} at {revision} after {before}"));
            }
        }
        for (path, stands) in audit.documents.iter().filter(|(_, stands)| **stands > 0) {
            let last = shown.get(&path[..]);
            if last != Some(stands) {
                violations.push(format!("config reaches all: {watcher} has {path} at {last:?}, it stands at {stands}"));
            }
        }
    }
    violations
}
