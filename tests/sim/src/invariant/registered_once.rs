//! A registration takes effect once, however often it is sent: a connection has a name of its own, so whoever sees that
//! name sees one epoch, the one that was acknowledged if any was.

use std::collections::BTreeMap;

use keeper_client_sdk::Epoch;

use crate::history::{Records, Told};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let acknowledged = records.registers.iter().filter_map(|(connection, it)| Some((connection.clone(), it.epoch?)));
    let mut known: BTreeMap<String, Epoch> = acknowledged.collect();
    let mut violations = Vec::new();
    for (connection, epoch) in seen(records).filter(|(connection, _)| records.registers.contains_key(connection)) {
        let first = *known.entry(connection.clone()).or_insert(epoch);
        if first != epoch {
            violations.push(format!("registered once: {connection} has epoch {first}, and {epoch} was seen"));
        }
    }
    violations
}

/// Connections and epochs as others than the gateway were told of them.
fn seen(records: &Records) -> impl Iterator<Item = (String, Epoch)> {
    let found = records.lookups.iter().filter_map(|it| it.found.as_ref());
    let walked = records.scans.iter().flat_map(|it| it.sessions.iter().map(|(_, held)| held));
    let held = found.chain(walked).map(|it| (it.connection.clone(), it.epoch));
    let facts = records.presence.values().flatten().filter_map(|told| match told {
        Told::Fact(fact) => Some((String::from_utf8_lossy(&fact.connection).into_owned(), fact.epoch)),
        Told::Resumed | Told::Reset => None,
    });
    held.chain(facts)
}
