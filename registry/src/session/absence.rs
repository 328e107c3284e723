//! Sessions that are not live, and may come back.
//!
//! A session is absent when its connection dropped, or its gateway's incarnation closed, or it comes from a backup.
//! Those who saw it are told when their grace has passed, by a sweep or by the register that meets it, whichever is
//! first; this is where both find out who was told, who is due, and who still waits.

use std::sync::Arc;

use super::{Entry, linger::Dropped};
use crate::{ClosingCause, Graces, LogTime, OfflineReason, State};

/// Why a session is not live, and who was told.
#[derive(Debug)]
pub(super) struct Absence {
    pub(super) reason: OfflineReason<'static>,
    wait: Wait,
}

#[derive(Debug)]
enum Wait {
    /// For the graces after a moment; up to `told`, subscribers were told.
    Graces { since: LogTime, graces: Arc<Graces>, told: Option<u32> },
    /// For the end of the rebuild.
    Rebuild,
    /// For nothing: everybody is due.
    Nothing,
}

/// What those know who wait for one grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// That it is offline.
    Told,
    /// That it is online; they should have been told.
    Due,
    /// That it is online, until its grace has passed.
    Waiting(Option<LogTime>),
}

impl State {
    /// `None`: it is live.
    pub(super) fn absence(&self, entry: Entry<'_>) -> Option<Absence> {
        if let Some(dropped) = entry.dropped() {
            let Dropped { at: since, .. } = dropped;
            let (graces, told) = self.sessions.lingering.told(dropped)?;
            let wait = Wait::Graces { since, graces: Arc::clone(graces), told: Some(told) };
            return Some(Absence { reason: OfflineReason::Lost, wait });
        }
        let closed = self.instances.owner(entry.row.owner())?.closed.as_ref()?;
        let wait = match closed.cause {
            ClosingCause::Restored if self.is_rebuilding() => Wait::Rebuild,
            ClosingCause::Restored => Wait::Nothing,
            ClosingCause::Closed | ClosingCause::Expired | ClosingCause::Replaced => {
                let told = closed.told(entry.row.epoch());
                Wait::Graces { since: closed.at, graces: Arc::clone(&closed.graces), told }
            }
        };
        Some(Absence { reason: reason_of(closed.cause), wait })
    }
}

impl Absence {
    /// What the subscribers of a topic know.
    pub(super) fn topic(&self, name: &[u8], now: LogTime) -> Known {
        self.known(now, |graces| graces.of_topic(name))
    }

    /// What everybody else knows.
    pub(super) fn whole<'a>(&self, topics: impl Iterator<Item = &'a [u8]>, now: LogTime) -> Known {
        self.known(now, |graces| graces.longest(topics))
    }

    fn known(&self, now: LogTime, grace: impl FnOnce(&Graces) -> u32) -> Known {
        match &self.wait {
            Wait::Rebuild => Known::Waiting(None),
            Wait::Nothing => Known::Due,
            Wait::Graces { since, graces, told } => {
                let grace_ms = grace(graces);
                let until = LogTime(since.0.saturating_add(grace_ms.into()));
                match told {
                    Some(told) if grace_ms <= *told => Known::Told,
                    _ if until <= now => Known::Due,
                    _ => Known::Waiting(Some(until)),
                }
            }
        }
    }
}

pub(super) fn reason_of(cause: ClosingCause) -> OfflineReason<'static> {
    match cause {
        ClosingCause::Closed => OfflineReason::GatewayClosed,
        ClosingCause::Expired => OfflineReason::GatewayExpired,
        ClosingCause::Replaced => OfflineReason::GatewayReplaced,
        ClosingCause::Restored => OfflineReason::Unconfirmed,
    }
}
