//! No session of an incarnation is found after its end was acknowledged.

use crate::history::{Freshness, Records};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    for lookup in records.lookups.iter().filter(|it| it.freshness == Freshness::Linearizable) {
        let Some(found) = &lookup.found else { continue };
        if records.leases.get(&found.incarnation).is_some_and(|lease| lease.closed < lookup.began) {
            violations.push(format!("closed is invisible: {} is held by {found:?}, which is closed", lookup.key));
        }
    }
    for scan in &records.scans {
        for (key, found) in &scan.sessions {
            if records.leases.get(&found.incarnation).is_some_and(|lease| lease.closed < scan.began) {
                violations.push(format!("closed is invisible: a walk met {key} of {found:?}, which is closed"));
            }
        }
    }
    violations
}
