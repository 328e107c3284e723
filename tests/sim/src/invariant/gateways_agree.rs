//! In the end the library's gateways hold exactly the connections that everybody finds, by the epochs everybody sees.

use std::collections::BTreeMap;

use crate::history::{Kept, Records};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    let mut held: BTreeMap<&str, &Kept> = BTreeMap::new();
    for kept in &records.kept {
        if let Some(other) = held.insert(&kept.key, kept) {
            violations.push(format!("gateways agree: {other:?} and {kept:?} are both held"));
        }
    }
    let keys = held.keys().copied().chain(audit.halls.keys().map(String::as_str));
    for key in keys {
        let kept = held.get(key).and_then(|it| Some((it.connection.as_str(), it.epoch?)));
        let found = audit.halls.get(key).map(|it| (it.connection.as_str(), it.epoch));
        if kept != found {
            violations.push(format!("gateways agree: {key} is kept as {kept:?} and found as {found:?}"));
        }
    }
    violations
}
