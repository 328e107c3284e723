//! A linearizable lookup answers of a state that is no older than its beginning.

use crate::history::{Freshness, Records};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    let lookups: Vec<_> = records.lookups.iter().filter(|it| it.freshness == Freshness::Linearizable).collect();
    let mut ends: Vec<(u64, u64)> = lookups.iter().map(|it| (it.ended, it.revision)).collect();
    ends.extend(records.registers.values().filter_map(|it| Some((it.ended, it.epoch?.revision))));
    ends.extend(records.replacements.iter().filter_map(|it| Some((it.ended, it.became?))));
    ends.sort_unstable();
    let mut begun = lookups;
    begun.sort_unstable_by_key(|it| it.began);
    let (mut ends, mut newest) = (ends.into_iter().peekable(), 0);
    for lookup in begun {
        while let Some((_, revision)) = ends.next_if(|(ended, _)| *ended < lookup.began) {
            newest = newest.max(revision);
        }
        if lookup.revision < newest {
            let (key, revision) = (&lookup.key, lookup.revision);
            violations
                .push(format!("linearizable: a lookup of {key} saw revision {revision} after {newest} was known"));
        }
    }
    violations
}
