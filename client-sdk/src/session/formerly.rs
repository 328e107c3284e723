//! What a lookup tells of sessions that are not live.

use std::time::{Duration, SystemTime};

use keeper_proto::v1::lookup_reply;

use crate::Session;

/// A session that was asked for, is not live, and may be again: who held it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formerly {
    /// As it was registered last.
    pub session: Session,
    /// Why it is not live, and not gone either.
    pub state: FormerState,
}

/// Why a session is not live, and not gone either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormerState {
    /// Its connection or its gateway is gone, and the grace has not passed: it may come back.
    Lingering {
        /// Until when, by log time, Unix milliseconds.
        until_ms: u64,
    },
    /// It comes from a backup, and no gateway has registered it again yet.
    Unconfirmed,
}

impl FormerState {
    /// Until when a lingering session may come back, by log time.
    #[must_use]
    pub fn until(self) -> Option<SystemTime> {
        match self {
            Self::Lingering { until_ms } => Some(SystemTime::UNIX_EPOCH + Duration::from_millis(until_ms)),
            Self::Unconfirmed => None,
        }
    }
}

/// The registry is being filled again after its state was lost: a miss may be somebody who is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilding {
    /// How far it is, in thousandths: how many of the gateways that are expected have finished or were given up, or how
    /// much of the time that it takes at least has passed, whichever is less.
    pub done_permille: u32,
    /// It does not end before this, whoever has finished; log time, Unix milliseconds.
    pub not_before_ms: u64,
}

impl Rebuilding {
    pub(crate) const fn from_proto(rebuilding: lookup_reply::Rebuilding) -> Self {
        let lookup_reply::Rebuilding { done_permille, not_before_ms } = rebuilding;
        Self { done_permille, not_before_ms }
    }
}
