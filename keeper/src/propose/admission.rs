//! How much each lane admits, and when to try again.

use crate::limits;
use crate::metrics::Lane;
use crate::problem::Problem;

/// The retry hint of a lane that is just full; one twice as full as that cannot be, so the hint is constant. It is
/// about the time in which a healthy cluster answers a full lane.
const RETRY_AFTER_MS: u32 = 50;

/// What a lane may hold between submission and answer.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// Bytes, per lane.
    pub lane_bytes_max: usize,
    /// Proposals, per lane.
    pub lane_proposals_max: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { lane_bytes_max: limits::LANE_BYTES_MAX, lane_proposals_max: limits::LANE_PROPOSALS_MAX }
    }
}

/// What one lane holds.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Load {
    pub(super) bytes: usize,
    pub(super) proposals: usize,
}

impl Load {
    /// Counts a proposal in, or says what is full. One proposal always fits an empty lane.
    pub(super) fn admit(&mut self, lane: Lane, bytes: usize, limits: AdmissionLimits) -> Result<(), Problem> {
        let full = |what, limit: usize| Problem::Full { what, limit: limit as u64, retry_after_ms: RETRY_AFTER_MS };
        if self.proposals >= limits.lane_proposals_max {
            return Err(full(lane_proposals(lane), limits.lane_proposals_max));
        }
        if self.proposals > 0 && self.bytes + bytes > limits.lane_bytes_max {
            return Err(full(lane_bytes(lane), limits.lane_bytes_max));
        }
        self.bytes += bytes;
        self.proposals += 1;
        Ok(())
    }

    pub(super) const fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.proposals -= 1;
    }
}

const fn lane_proposals(lane: Lane) -> &'static str {
    match lane {
        Lane::Lease => "the lane of leases (proposals)",
        Lane::Config => "the lane of config publishes (proposals)",
        Lane::Session => "the lane of session writes (proposals)",
        Lane::Upkeep => "the lane of upkeep (proposals)",
    }
}

const fn lane_bytes(lane: Lane) -> &'static str {
    match lane {
        Lane::Lease => "the lane of leases (bytes)",
        Lane::Config => "the lane of config publishes (bytes)",
        Lane::Session => "the lane of session writes (bytes)",
        Lane::Upkeep => "the lane of upkeep (bytes)",
    }
}
