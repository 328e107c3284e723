//! Filling the registry again after its state was lost.
//!
//! A state that was just founded knows nobody, and one that was restored from a backup knows who was connected then.
//! Either way the gateways hold the truth: they notice the new state id by themselves, and register their connections
//! again (`Register::flushed`). Until they have, a miss does not mean that somebody is not connected, and the state
//! says so: it is *rebuilding*. That ends when both hold:
//!
//! - twice the longest TTL has passed in log time, so that every gateway had the time to notice and to open;
//! - every gateway that is expected has finished, or was given up. Expected are those that the policy names, those that
//!   held sessions in the backup, and those that say when they open that they will flush.
//!
//! The end is a decision of the log like any other: a `Sweep` makes it, or an admin who gives up. What a backup said of
//! sessions is never answered as live; it is *unconfirmed*, lies in the lists of its closed owners, and is swept from
//! there once the registry is whole. A registration leaves those lists when it takes the key, so that no order of
//! sweeping, registering and snapshots ever deletes a live one.

mod gateway;
mod give_up;
mod progress;
mod restore;

use std::{collections::BTreeMap, sync::Arc};

pub use self::gateway::{RebuildGateway, RebuildProgress};
use crate::{
    LogTime, RebuildHeader, State,
    digest::{Digest, Kind, Sum},
    limits,
};

type Name = (Arc<str>, Arc<str>);

/// A registry that is being filled again.
#[derive(Debug, Clone)]
pub struct Rebuild {
    since: LogTime,
    ttl_ms_max: u32,
    gateways: Arc<BTreeMap<Name, RebuildGateway>>,
    unfinished: u64,
    sum: Sum,
}

impl Rebuild {
    pub(crate) fn new(since: LogTime, ttl_ms_max: u32) -> Self {
        Self {
            since,
            ttl_ms_max: ttl_ms_max.max(limits::REBUILD_TTL_MS_MIN),
            gateways: Arc::default(),
            unfinished: 0,
            sum: Sum::default(),
        }
    }

    /// When it began.
    #[must_use]
    pub const fn since(&self) -> LogTime {
        self.since
    }

    /// The longest TTL of the gateways seen so far.
    #[must_use]
    pub const fn ttl_ms_max(&self) -> u32 {
        self.ttl_ms_max
    }

    /// It does not end before this, unless it is given up.
    #[must_use]
    pub const fn not_before(&self) -> LogTime {
        LogTime(self.since.0.saturating_add(2 * self.ttl_ms_max as u64))
    }

    /// The gateways that are expected, sorted by service and id.
    pub fn gateways(&self) -> impl ExactSizeIterator<Item = &RebuildGateway> {
        self.gateways.values()
    }

    /// How many of them have neither finished nor been given up.
    #[must_use]
    pub const fn unfinished(&self) -> u64 {
        self.unfinished
    }

    /// How far it is, in thousandths: how many of the gateways have finished or were given up, or how much of the time
    /// that it takes at least has passed, whichever is less. Nothing is waited for any more at 1,000.
    #[must_use]
    pub fn done_permille(&self, now: LogTime) -> u32 {
        let share = |part: u64, whole: u64| part.saturating_mul(1_000).checked_div(whole).unwrap_or(1_000).min(1_000);
        let gateways = self.gateways.len() as u64;
        let (passed, least) = (now.0.saturating_sub(self.since.0), self.not_before().0 - self.since.0);
        share(gateways - self.unfinished, gateways).min(share(passed, least)) as u32
    }

    pub(crate) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Rebuild).number(self.since.0).number(u64::from(self.ttl_ms_max));
        digest.number(self.sum.value()).finish()
    }

    pub(crate) fn header(&self) -> RebuildHeader {
        RebuildHeader { since: self.since, ttl_ms_max: self.ttl_ms_max }
    }

    fn get(&self, service: &str, id: &str) -> Option<&RebuildGateway> {
        self.gateways.get(&(Arc::from(service), Arc::from(id)))
    }

    /// Puts a gateway in the place of what was known of it; false when there is no room for one more.
    pub(crate) fn put(&mut self, gateway: RebuildGateway) -> bool {
        let name = (Arc::clone(&gateway.service), Arc::clone(&gateway.id));
        if self.gateways.len() >= limits::REBUILD_GATEWAYS_MAX && !self.gateways.contains_key(&name) {
            return false;
        }
        self.sum.add(gateway.digest());
        self.unfinished += u64::from(!gateway.is_done());
        if let Some(before) = Arc::make_mut(&mut self.gateways).insert(name, gateway) {
            self.sum.subtract(before.digest());
            self.unfinished -= u64::from(!before.is_done());
        }
        true
    }
}

impl State {
    /// How far the registry is in being filled again; `None` when it is whole.
    #[must_use]
    pub fn rebuild(&self) -> Option<&Rebuild> {
        self.rebuild.as_ref()
    }

    /// Whether a miss may be somebody who is connected.
    #[must_use]
    pub fn is_rebuilding(&self) -> bool {
        self.rebuild.is_some()
    }

    /// Sessions that only a backup says, and that nobody has registered again.
    #[must_use]
    pub fn sessions_unconfirmed(&self) -> u64 {
        self.instances.unconfirmed_rows()
    }

    /// When a sweep may end the rebuild; `None` when there is none, or a gateway is still expected.
    pub(crate) fn rebuild_due(&self) -> Option<LogTime> {
        self.rebuild.as_ref().filter(|rebuild| rebuild.unfinished == 0).map(Rebuild::not_before)
    }

    /// Ends the rebuild, if it is over.
    pub(crate) fn settle_rebuild(&mut self, events: &mut Vec<crate::Event>) {
        if self.rebuild_due().is_some_and(|due| due <= self.clock.time) {
            self.rebuild = None;
            events.push(crate::Event::Rebuild);
        }
    }
}
