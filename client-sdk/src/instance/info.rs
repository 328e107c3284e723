//! Instances as everybody sees them.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// A live instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceInfo {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub id: String,
    /// Which life of it.
    pub incarnation: u64,
    /// Where it is reached.
    pub endpoints: Vec<String>,
    /// Where it stands.
    pub zone: String,
    /// Share of traffic it asks for.
    pub weight: u32,
    /// Its own words about itself.
    pub labels: BTreeMap<String, String>,
    /// Of its program.
    pub version: String,
    /// How long it may stay silent.
    pub ttl: Duration,
    /// Of the log entry that opened it.
    pub opened_revision: u64,
    /// Log time, Unix milliseconds.
    pub opened_at_ms: u64,
    /// How many it holds.
    pub sessions: u64,
}

impl InstanceInfo {
    /// When it was opened, by log time.
    #[must_use]
    pub fn opened_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.opened_at_ms)
    }
}

/// An instance that lives no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub id: String,
    /// Which life of it.
    pub incarnation: u64,
    /// `closed`, `expired`, `replaced`.
    pub reason: String,
}

/// What changed among instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstancesChanged {
    /// Everything up to and including this revision has been told.
    pub revision: u64,
    /// Which history of the state.
    pub state_id: u64,
    /// `opened` is complete and replaces what was known.
    pub reset: bool,
    /// New ones.
    pub opened: Vec<InstanceInfo>,
    /// Ended ones.
    pub closed: Vec<Closed>,
}
