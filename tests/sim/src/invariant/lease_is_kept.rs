//! A lease never expires within a TTL of an acknowledged renewal.

use std::collections::BTreeMap;

use keeper_registry::{ClosingCause, Incarnation, State};

use crate::history::Lease;
use crate::invariant::slack_ms;

/// A lease that a node has seen expire although its holder reckons that it holds it.
pub(super) fn judge(leases: &BTreeMap<u64, Lease>, state: &State, now_ms: u64) -> Option<String> {
    let reckoned = leases.iter().filter(|(_, lease)| lease.held_until_ms > now_ms + slack_ms(lease));
    reckoned
        .filter_map(|(incarnation, lease)| Some((lease, state.closing(Incarnation(*incarnation))?)))
        .find(|(_, closing)| closing.cause == ClosingCause::Expired)
        .map(|(lease, closing)| {
            let until_ms = lease.held_until_ms;
            format!("lease is kept: {closing:?} expired by {now_ms}, but was acknowledged until {until_ms}")
        })
}
