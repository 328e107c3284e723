//! A session has one holder: an epoch means the same registration to everybody, and one state holds one a key.

use std::collections::BTreeMap;

use keeper_client_sdk::Epoch;

use crate::history::{Held, Records};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    let mut holders: BTreeMap<Epoch, (String, Held)> = BTreeMap::new();
    for (key, held) in seen(records) {
        if let Some((other, holder)) =
            holders.get(&held.epoch).filter(|(other, holder)| *other != key || *holder != held)
        {
            violations.push(format!("one holder: epoch {} is {other} {holder:?} and {key} {held:?}", held.epoch));
        }
        holders.insert(held.epoch, (key, held));
    }
    let mut states: BTreeMap<(&str, u64), Option<&Held>> = BTreeMap::new();
    for lookup in &records.lookups {
        let found = lookup.found.as_ref();
        let other = states.insert((&lookup.key, lookup.revision), found);
        if let Some(other) = other.filter(|other| *other != found) {
            let (key, revision) = (&lookup.key, lookup.revision);
            violations.push(format!("one holder: {key} at revision {revision} is {other:?} and {found:?}"));
        }
    }
    violations
}

/// Everybody who was said to hold something.
fn seen(records: &Records) -> impl Iterator<Item = (String, Held)> {
    let registered = records.registers.iter().filter_map(|(connection, it)| {
        let held = Held { epoch: it.epoch?, incarnation: it.incarnation, connection: connection.clone() };
        Some((it.key.clone(), held))
    });
    let found = records.lookups.iter().filter_map(|it| Some((it.key.clone(), it.found.clone()?)));
    let walked = records.scans.iter().flat_map(|it| it.sessions.iter().cloned());
    registered.chain(found).chain(walked)
}
