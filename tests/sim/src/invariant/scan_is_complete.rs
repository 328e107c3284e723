//! A walk meets every session that is live throughout it, and none twice.

use std::collections::BTreeSet;

use crate::history::{Records, Scan};
use crate::invariant::{is_held, is_removal_asked};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    records.scans.iter().flat_map(|scan| twice(scan).into_iter().chain(missed(records, scan))).collect()
}

fn twice(scan: &Scan) -> Vec<String> {
    let mut met = BTreeSet::new();
    let again = scan.sessions.iter().filter(|(_, held)| !met.insert(held.epoch));
    again.map(|(key, held)| format!("scan: {key} of {held:?} came twice")).collect()
}

/// Acknowledged before the walk began, and beyond doubt live until it ended.
fn missed(records: &Records, scan: &Scan) -> Vec<String> {
    let mut missed = Vec::new();
    for (connection, it) in records.registers.iter().filter(|(_, it)| it.ended < scan.began) {
        let Some(epoch) = it.epoch else { continue };
        let displaced = records.registers.values().any(|other| {
            let newer = other.epoch.is_none_or(|other| other > epoch);
            other.key == it.key && newer && !other.is_refused && other.began < scan.ended
        });
        let live = !displaced
            && !is_removal_asked(records, &it.key, epoch, scan.ended)
            && is_held(records.leases.get(&it.incarnation), scan.ended, scan.ended_ms);
        if live && !scan.sessions.iter().any(|(_, held)| held.epoch == epoch) {
            let at = scan.at_revision;
            missed.push(format!("scan: {} of {connection} ({epoch}) was not met by a walk at {at}", it.key));
        }
    }
    missed
}
