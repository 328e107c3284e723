//! The leases of one client, without IO: what to renew, until when to believe, what was lost.

use std::{collections::BTreeMap, time::Duration};

use keeper_proto::v1::{RenewReply, RenewRequest};
use tokio::{sync::watch, time::Instant};

/// Why a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The cluster ended it: it expired, was replaced by a new life of the same name, or an admin closed it.
    Ended,
    /// No renewal was acknowledged for a full TTL.
    Silence,
    /// The registry was rebuilt: this life belongs to another history of the state.
    Rebuilt,
    /// This process closed it.
    Closed,
}

/// A third of a TTL: two renewals may be lost before the lease is.
const RENEWALS_PER_TTL: u32 = 3;

#[derive(Debug)]
pub(crate) struct Leases {
    held: BTreeMap<u64, Lease>,
    /// Ended here and not yet there.
    released: Vec<(u64, u64)>,
    sequence: u64,
    /// When each request without an answer was sent.
    sent: BTreeMap<u64, Instant>,
}

#[derive(Debug)]
struct Lease {
    state_id: u64,
    ttl: Duration,
    /// Believed until then: a TTL after the sending of the last renewal that was acknowledged.
    until: Instant,
    due: Instant,
    lost: watch::Sender<Option<Lost>>,
}

impl Leases {
    pub(crate) const fn new() -> Self {
        Self { held: BTreeMap::new(), released: Vec::new(), sequence: 0, sent: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// A new lease, granted in answer to a request sent at `sent_at`.
    pub(crate) fn hold(
        &mut self,
        incarnation: u64,
        state_id: u64,
        ttl: Duration,
        sent_at: Instant,
    ) -> watch::Receiver<Option<Lost>> {
        let (lost, lost_seen) = watch::channel(None);
        let lease = Lease { state_id, ttl, until: sent_at + ttl, due: sent_at + ttl / RENEWALS_PER_TTL, lost };
        self.held.insert(incarnation, lease);
        lost_seen
    }

    /// Until when a lease is believed to be held without another renewal.
    pub(crate) fn until(&self, incarnation: u64) -> Option<Instant> {
        self.held.get(&incarnation).map(|lease| lease.until)
    }

    /// Not renewed any more; its owner closes it.
    pub(crate) fn forget(&mut self, incarnation: u64) {
        self.end(incarnation, Lost::Closed);
    }

    /// Not renewed any more, and to be closed.
    pub(crate) fn release(&mut self, incarnation: u64) {
        if let Some(state_id) = self.end(incarnation, Lost::Closed) {
            self.released.push((incarnation, state_id));
        }
    }

    /// What is to be closed: incarnations with their state ids.
    pub(crate) fn take_released(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.released)
    }

    /// Ends what has not been acknowledged for a full TTL. The server is told, in case it only cannot answer.
    pub(crate) fn expire(&mut self, now: Instant) {
        let silent: Vec<u64> = self.held.iter().filter(|(_, it)| it.until <= now).map(|(it, _)| *it).collect();
        for incarnation in silent {
            if let Some(state_id) = self.end(incarnation, Lost::Silence) {
                self.released.push((incarnation, state_id));
            }
        }
    }

    /// A new stream: no answer will come to what was sent on the old one, so everything is due.
    pub(crate) fn renew_all(&mut self, now: Instant) {
        self.sent.clear();
        for lease in self.held.values_mut() {
            lease.due = now;
        }
    }

    /// No renewal can be sent: what is due waits for the next stream.
    pub(crate) fn defer(&mut self, now: Instant) {
        for lease in self.held.values_mut().filter(|it| it.due <= now) {
            lease.due = lease.until;
        }
    }

    /// The renewals due now, one request per history of the state.
    pub(crate) fn requests(&mut self, now: Instant) -> Vec<RenewRequest> {
        let mut due: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (incarnation, lease) in self.held.iter_mut().filter(|(_, it)| it.due <= now) {
            lease.due = now + lease.ttl / RENEWALS_PER_TTL;
            due.entry(lease.state_id).or_default().push(*incarnation);
        }
        let request = |(state_id, incarnations)| {
            self.sequence += 1;
            self.sent.insert(self.sequence, now);
            RenewRequest { sequence: self.sequence, incarnations, state_id }
        };
        due.into_iter().map(request).collect()
    }

    pub(crate) fn answered(&mut self, reply: &RenewReply) {
        let Some(sent_at) = self.sent.remove(&reply.sequence) else { return };
        for incarnation in &reply.renewed {
            if let Some(lease) = self.held.get_mut(incarnation) {
                lease.until = lease.until.max(sent_at + lease.ttl);
            }
        }
        for incarnation in &reply.lost {
            self.end(*incarnation, Lost::Ended);
        }
    }

    /// The registry was rebuilt: no lease of an earlier history lives.
    pub(crate) fn rebuilt(&mut self) {
        let all: Vec<u64> = self.held.keys().copied().collect();
        for incarnation in all {
            self.end(incarnation, Lost::Rebuilt);
        }
    }

    /// When to look again, if ever: a renewal is due or a lease ends.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.held.values().map(|it| it.due.min(it.until)).min()
    }

    /// When the oldest request without an answer was sent.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.sent.values().next().copied()
    }

    /// How long a renewal may stay without an answer before another node is asked.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.held.values().map(|it| it.ttl / RENEWALS_PER_TTL).min()
    }

    fn end(&mut self, incarnation: u64, reason: Lost) -> Option<u64> {
        let lease = self.held.remove(&incarnation)?;
        lease.lost.send_replace(Some(reason));
        tracing::info!(incarnation, ?reason, "lease ended");
        Some(lease.state_id)
    }
}

#[cfg(test)]
mod tests;
