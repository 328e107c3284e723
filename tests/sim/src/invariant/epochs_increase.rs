//! Epochs increase: a registration that began after another was acknowledged has the higher epoch, and none comes
//! twice.

use std::collections::BTreeMap;

use keeper_client_sdk::Epoch;

use crate::history::{Moment, Records};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    let mut by_epoch: BTreeMap<Epoch, &str> = BTreeMap::new();
    let mut acknowledged: Vec<(Moment, Moment, Epoch, &str)> = Vec::new();
    for (connection, register) in &records.registers {
        let Some(epoch) = register.epoch else { continue };
        if let Some(other) = by_epoch.insert(epoch, connection) {
            violations.push(format!("epochs increase: {other} and {connection} both have epoch {epoch}"));
        }
        acknowledged.push((register.began, register.ended, epoch, connection));
    }
    let mut by_end = acknowledged.clone();
    by_end.sort_unstable_by_key(|(_, ended, _, _)| *ended);
    acknowledged.sort_unstable();
    let (mut ends, mut highest) = (by_end.into_iter().peekable(), None::<(Epoch, &str)>);
    for (began, _, epoch, connection) in acknowledged {
        while let Some((_, _, ended, name)) = ends.next_if(|(_, ended, _, _)| *ended < began) {
            highest = highest.max(Some((ended, name)));
        }
        if let Some((before, other)) = highest.filter(|(before, _)| *before >= epoch) {
            violations.push(format!("epochs increase: {connection} got {epoch} after {other} had got {before}"));
        }
    }
    violations
}
