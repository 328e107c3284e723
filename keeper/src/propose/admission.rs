//! How much each lane admits, how much of it one gateway may hold, and when to try again.

use std::collections::HashMap;

use keeper_registry::Incarnation;
use tokio::time::Instant;

use crate::govern::Drain;
use crate::limits;
use crate::metrics::{Gatekeeper, Lane};
use crate::problem::Problem;

/// What a lane may hold between submission and answer.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// Bytes, per lane.
    pub lane_bytes_max: usize,
    /// Proposals, per lane.
    pub lane_proposals_max: usize,
    /// Bytes of the lane of session writes, per gateway.
    pub gateway_bytes_max: usize,
    /// Proposals of the lane of session writes, per gateway.
    pub gateway_proposals_max: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            lane_bytes_max: limits::LANE_BYTES_MAX,
            lane_proposals_max: limits::LANE_PROPOSALS_MAX,
            gateway_bytes_max: limits::GATEWAY_BYTES_MAX,
            gateway_proposals_max: limits::GATEWAY_PROPOSALS_MAX,
        }
    }
}

/// What was refused, and by whom: the lane as a whole, or the share of a gateway.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) by: Gatekeeper,
    pub(super) problem: Problem,
}

/// What one lane holds, and how fast it empties.
#[derive(Debug, Default)]
pub(super) struct Load {
    held: Held,
    /// By gateway, where the proposal is one's.
    shares: HashMap<Incarnation, Held>,
    drained_bytes: Drain,
    drained_proposals: Drain,
}

#[derive(Debug, Default, Clone, Copy)]
struct Held {
    bytes: usize,
    proposals: usize,
}

/// A measure that is full.
enum Full {
    Bytes(usize),
    Proposals(usize),
}

impl Load {
    /// Bytes admitted and not yet answered.
    pub(super) const fn bytes(&self) -> usize {
        self.held.bytes
    }

    /// Counts a proposal in, or says what is full. One proposal always fits an empty lane, and an empty share.
    pub(super) fn admit(
        &mut self,
        lane: Lane,
        gateway: Option<Incarnation>,
        bytes: usize,
        limits: AdmissionLimits,
        now: Instant,
    ) -> Result<(), Refused> {
        if let Some(full) = self.held.full(bytes, limits.lane_bytes_max, limits.lane_proposals_max) {
            return Err(self.refuse(lane.into(), full, now));
        }
        if let Some(gateway) = gateway {
            let share = self.shares.entry(gateway).or_default();
            if let Some(full) = share.full(bytes, limits.gateway_bytes_max, limits.gateway_proposals_max) {
                return Err(self.refuse(Gatekeeper::Gateway, full, now));
            }
            share.add(bytes);
        }
        self.held.add(bytes);
        Ok(())
    }

    /// Counts a proposal out.
    pub(super) fn release(&mut self, gateway: Option<Incarnation>, bytes: usize, now: Instant) {
        self.held.remove(bytes);
        self.drained_bytes.release(bytes, now);
        self.drained_proposals.release(1, now);
        if let Some(gateway) = gateway
            && let Some(share) = self.shares.get_mut(&gateway)
        {
            share.remove(bytes);
            if share.proposals == 0 {
                self.shares.remove(&gateway);
            }
        }
    }

    /// A lane is first in, first out: what a gateway holds is gone when what the lane holds now is.
    fn refuse(&self, by: Gatekeeper, full: Full, now: Instant) -> Refused {
        let (limit, retry_after_ms) = match full {
            Full::Bytes(limit) => (limit, self.drained_bytes.retry_after_ms(self.held.bytes, now)),
            Full::Proposals(limit) => (limit, self.drained_proposals.retry_after_ms(self.held.proposals, now)),
        };
        let what = name(by, &full);
        Refused { by, problem: Problem::Full { what, limit: limit as u64, retry_after_ms } }
    }
}

impl Held {
    const fn full(self, bytes: usize, bytes_max: usize, proposals_max: usize) -> Option<Full> {
        if self.proposals >= proposals_max {
            return Some(Full::Proposals(proposals_max));
        }
        if self.proposals > 0 && self.bytes + bytes > bytes_max { Some(Full::Bytes(bytes_max)) } else { None }
    }

    const fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.proposals += 1;
    }

    const fn remove(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.proposals -= 1;
    }
}

const fn name(by: Gatekeeper, full: &Full) -> &'static str {
    match (by, full) {
        (Gatekeeper::Lease, Full::Bytes(_)) => "the lane of leases (bytes)",
        (Gatekeeper::Lease, Full::Proposals(_)) => "the lane of leases (proposals)",
        (Gatekeeper::Config, Full::Bytes(_)) => "the lane of config publishes (bytes)",
        (Gatekeeper::Config, Full::Proposals(_)) => "the lane of config publishes (proposals)",
        (Gatekeeper::Session, Full::Bytes(_)) => "the lane of session writes (bytes)",
        (Gatekeeper::Session, Full::Proposals(_)) => "the lane of session writes (proposals)",
        (Gatekeeper::Upkeep, Full::Bytes(_)) => "the lane of upkeep (bytes)",
        (Gatekeeper::Upkeep, Full::Proposals(_)) => "the lane of upkeep (proposals)",
        (Gatekeeper::Gateway, Full::Bytes(_)) => "the gateway's share of session writes (bytes)",
        (Gatekeeper::Gateway, Full::Proposals(_)) => "the gateway's share of session writes (proposals)",
        (Gatekeeper::Lookup, _) => "the lane of lookups",
        (Gatekeeper::Scan, _) => "the lane of scans",
        (Gatekeeper::Waiting, _) => "the lane of lookups that wait",
        (Gatekeeper::Memory, _) => "the memory for clients",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: AdmissionLimits = AdmissionLimits {
        lane_bytes_max: 1_000,
        lane_proposals_max: 10,
        gateway_bytes_max: 300,
        gateway_proposals_max: 4,
    };

    fn refusal(admitted: Result<(), Refused>) -> (Gatekeeper, &'static str, u32) {
        match admitted.expect_err("it is full") {
            Refused { by, problem: Problem::Full { what, retry_after_ms, .. } } => (by, what, retry_after_ms),
            Refused { problem, .. } => panic!("{problem:?}"),
        }
    }

    #[test]
    fn one_gateway_holds_no_more_than_its_share_and_others_go_on() {
        let now = crate::clock::now();
        let (greedy, other) = (Some(Incarnation(1)), Some(Incarnation(2)));
        let mut load = Load::default();
        for _ in 0..4 {
            load.admit(Lane::Session, greedy, 10, LIMITS, now).expect("within its share");
        }
        let (by, what, _) = refusal(load.admit(Lane::Session, greedy, 10, LIMITS, now));
        assert_eq!((by, what), (Gatekeeper::Gateway, "the gateway's share of session writes (proposals)"));
        load.admit(Lane::Session, other, 290, LIMITS, now).expect("another has its own");
        let (by, what, _) = refusal(load.admit(Lane::Session, other, 290, LIMITS, now));
        assert_eq!((by, what), (Gatekeeper::Gateway, "the gateway's share of session writes (bytes)"));
        load.release(greedy, 10, now);
        load.admit(Lane::Session, greedy, 10, LIMITS, now).expect("room was made");
        for _ in 0..4 {
            load.release(greedy, 10, now);
        }
        load.release(other, 290, now);
        assert!(load.shares.is_empty() && load.bytes() == 0, "nothing is left behind");
    }

    #[test]
    fn a_full_lane_hints_by_its_backlog_and_the_rate_it_drains() {
        let start = crate::clock::now();
        let mut load = Load::default();
        // One proposal of 100 bytes each 20 ms.
        for at in 0..=50 {
            let now = start + Duration::from_millis(20 * at);
            load.admit(Lane::Session, None, 100, LIMITS, now).expect("there is room");
            load.release(None, 100, now);
        }
        let now = start + Duration::from_secs(1);
        for _ in 0..10 {
            load.admit(Lane::Session, None, 90, LIMITS, now).expect("there is room");
        }
        let (by, what, hint) = refusal(load.admit(Lane::Session, None, 1, LIMITS, now));
        assert_eq!((by, what), (Gatekeeper::Session, "the lane of session writes (proposals)"));
        assert!((160..=200).contains(&hint), "10 proposals at one each 20 ms: {hint}");
        load.release(None, 90, now);
        let (_, what, hint) = refusal(load.admit(Lane::Session, None, 200, LIMITS, now));
        assert_eq!(what, "the lane of session writes (bytes)");
        assert!((130..=165).contains(&hint), "810 bytes at 100 each 20 ms: {hint}");
    }
}
