//! What was acknowledged stays: a registration until it is given up, displaced or its lease ends; its end for ever.

use crate::history::{Freshness, Held, Lookup, Records, Register};
use crate::invariant::{is_held, is_removal_asked};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let linearizable = records.lookups.iter().filter(|it| it.freshness == Freshness::Linearizable);
    linearizable
        .filter_map(|lookup| match &lookup.found {
            Some(found) => wrong(records, lookup, found),
            None => missing(records, lookup),
        })
        .collect()
}

/// Whoever was found must have registered, must not have been displaced before, nor given up.
fn wrong(records: &Records, lookup: &Lookup, found: &Held) -> Option<String> {
    let Lookup { key, began, ended, .. } = lookup;
    let Some(register) = records.registers.get(&found.connection) else {
        return Some(format!("durable: {key} is held by {found:?}, which nobody registered"));
    };
    if register.is_refused || register.began > *ended || register.key != *key {
        return Some(format!("durable: {key} is held by {found:?}, which was {register:?}"));
    }
    let newer = records.registers.values().filter(|it| it.key == *key && it.ended < *began);
    let newest = newer.filter_map(|it| it.epoch).max();
    if let Some(newest) = newest.filter(|newest| *newest > found.epoch) {
        return Some(format!("durable: {key} is held by {found:?}, although {newest} was acknowledged before"));
    }
    let removed = records.removals.iter().any(|it| it.key == *key && it.epoch == found.epoch && it.ended < *began);
    removed.then(|| format!("durable: {key} is held by {found:?}, which was given up before"))
}

/// Whoever was not found must have had a chance to go.
fn missing(records: &Records, lookup: &Lookup) -> Option<String> {
    let Lookup { key, began, ended, .. } = lookup;
    let of_key = || records.registers.values().filter(|it| it.key == *key && !it.is_refused);
    let last = of_key().filter(|it| it.ended < *began).max_by_key(|it| it.epoch)?;
    let later = of_key().filter(|it| it.began < *ended && (it.epoch.is_none() || it.epoch > last.epoch));
    let may_be_gone = |it: &Register| {
        let lease = records.leases.get(&it.incarnation);
        let removed = it.epoch.is_none_or(|epoch| is_removal_asked(records, key, epoch, *ended));
        removed || !is_held(lease, *ended, lookup.ended_ms)
    };
    let explained = may_be_gone(last) || later.into_iter().any(may_be_gone);
    (!explained).then(|| format!("durable: {key} is held by nobody at revision {}, but {last:?}", lookup.revision))
}
