//! What must hold in every run, one file each. A violation is a sentence that names what contradicts what.
//!
//! Those over [`Records`] judge what clients were told, after the run; those that see into the nodes' states watch
//! while it runs, and are driven by [`Watch`](watch::Watch).

mod acks_are_true;
mod closed_is_invisible;
mod config_chain;
mod config_reaches_all;
mod durable;
mod epochs_increase;
mod gateways_agree;
mod lease_is_kept;
mod level_is_read;
mod linearizable;
mod log_time;
mod one_copy;
mod one_holder;
mod presence_in_order;
mod publish_is_atomic;
mod push_is_gapless;
mod registered_once;
mod replicas_are_equal;
mod rollout_gate;
mod scan_is_complete;
mod watch;

pub use watch::Watch;

use keeper_client_sdk::Epoch;

use crate::history::{Lease, Moment, Records};
use crate::workload::Audit;

/// Judges what clients were told.
#[must_use]
pub fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    let judges: [fn(&Records, &Audit) -> Vec<String>; 16] = [
        one_copy::judge,
        one_holder::judge,
        registered_once::judge,
        epochs_increase::judge,
        linearizable::judge,
        durable::judge,
        closed_is_invisible::judge,
        presence_in_order::judge,
        config_chain::judge,
        config_reaches_all::judge,
        scan_is_complete::judge,
        gateways_agree::judge,
        publish_is_atomic::judge,
        push_is_gapless::judge,
        rollout_gate::judge,
        acks_are_true::judge,
    ];
    judges.iter().flat_map(|judge| judge(records, audit)).collect()
}

/// What takes a while after the last write: what must reach clients by itself.
#[must_use]
pub fn unsettled(records: &Records, audit: &Audit) -> Vec<String> {
    let judges: [fn(&Records, &Audit) -> Vec<String>; 5] = [
        config_reaches_all::judge,
        gateways_agree::judge,
        presence_in_order::judge,
        push_is_gapless::unsettled,
        acks_are_true::unsettled,
    ];
    judges.iter().flat_map(|judge| judge(records, audit)).collect()
}

/// Whether a lease was held at a moment beyond doubt: nobody had asked for its end, and it had not run out.
fn is_held(lease: Option<&Lease>, at: Moment, at_ms: u64) -> bool {
    lease.is_some_and(|lease| lease.closing > at && lease.held_until_ms > at_ms + slack_ms(lease))
}

/// By how much clocks may disagree over one TTL.
fn slack_ms(lease: &Lease) -> u64 {
    lease.ttl_ms / 100 + 2
}

/// Whether somebody had asked, before a moment, for the end of a registration.
fn is_removal_asked(records: &Records, key: &str, epoch: Epoch, before: Moment) -> bool {
    records.removals.iter().any(|it| it.key == key && it.epoch == epoch && it.began < before)
}
