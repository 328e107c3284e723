//! A step of a rollout.

use std::time::Duration;

use keeper_proto::v1;

use crate::Reader;

/// Some of the instances, and how long they are watched before the next stage opens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Stage {
    /// Which instances: those of its service, zone and labels; each that is not said is any.
    pub selector: Reader,
    /// Of the instances that match, in basis points: 1 to 10,000.
    pub share_bps: u32,
    /// How long it is watched, at least; none: until an admin advances it.
    pub hold: Option<Duration>,
}

impl Stage {
    /// A share of all instances, in basis points: 500 are five percent. Which these are follows from their names: an
    /// instance that is in at five percent is in at six, and a restart does not change it.
    pub fn share_bps(share_bps: u32) -> Self {
        Self { selector: Reader::nobody(), share_bps, hold: None }
    }

    /// All instances.
    pub fn everybody() -> Self {
        Self::share_bps(10_000)
    }

    /// Only of the instances of this service, zone and labels.
    pub fn among(mut self, selector: Reader) -> Self {
        self.selector = selector;
        self
    }

    /// How long it is watched, at least, before the next stage opens by itself. Without it an admin opens the next one.
    pub const fn hold(mut self, hold: Duration) -> Self {
        self.hold = Some(hold);
        self
    }

    pub(crate) fn to_proto(&self) -> v1::Stage {
        let hold_ms = self.hold.map(|hold| u64::try_from(hold.as_millis()).unwrap_or(u64::MAX));
        v1::Stage { selector: Some(self.selector.to_proto()), share_bps: self.share_bps, hold_ms }
    }
}
