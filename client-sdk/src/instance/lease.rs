//! The leases of one client, without IO: what to renew, until when to believe, what was lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

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

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ended => "the cluster ended it",
            Self::Silence => "no renewal was acknowledged for a full TTL",
            Self::Rebuilt => "the registry was rebuilt",
            Self::Closed => "this process closed it",
        })
    }
}

/// A third of a TTL: two renewals may be lost before the lease is.
const RENEWALS_PER_TTL: u32 = 3;

#[derive(Debug)]
pub(crate) struct Leases {
    held: BTreeMap<LeaseId, Lease>,
    /// Ended here and not yet there.
    released: Vec<LeaseId>,
    sequence: u64,
    /// When each request without an answer was sent, and for which history.
    sent: BTreeMap<u64, (Instant, u64)>,
    /// The history of the state that the last lease was opened in.
    newest: Option<u64>,
}

/// Names a lease: another history of the state counts its incarnations anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeaseId {
    pub(crate) state_id: u64,
    pub(crate) incarnation: u64,
}

/// A lease that was opened, for whoever acts in its name.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) id: LeaseId,
    /// Of the log entry that opened it.
    pub(crate) revision: u64,
    pub(crate) lost: watch::Receiver<Option<Lost>>,
}

impl Life {
    /// Whether it is believed to be held now.
    pub(crate) fn is_held(&self) -> bool {
        self.lost.borrow().is_none()
    }
}

#[derive(Debug)]
struct Lease {
    ttl: Duration,
    /// Believed until then: a TTL after the sending of the last renewal that was acknowledged.
    until: Instant,
    due: Instant,
    lost: watch::Sender<Option<Lost>>,
}

impl Leases {
    pub(crate) const fn new() -> Self {
        Self { held: BTreeMap::new(), released: Vec::new(), sequence: 0, sent: BTreeMap::new(), newest: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// A new lease, granted in answer to a request sent at `sent_at`.
    pub(crate) fn hold(&mut self, id: LeaseId, ttl: Duration, sent_at: Instant) -> watch::Receiver<Option<Lost>> {
        let (lost, lost_seen) = watch::channel(None);
        let lease = Lease { ttl, until: sent_at + ttl, due: sent_at + ttl / RENEWALS_PER_TTL, lost };
        self.held.insert(id, lease);
        self.newest = Some(id.state_id);
        lost_seen
    }

    /// Until when a lease is believed to be held without another renewal.
    pub(crate) fn until(&self, id: LeaseId) -> Option<Instant> {
        self.held.get(&id).map(|lease| lease.until)
    }

    /// Not renewed any more; its owner closes it.
    pub(crate) fn forget(&mut self, id: LeaseId) {
        self.end(id, Lost::Closed);
    }

    /// Not renewed any more, and to be closed.
    pub(crate) fn release(&mut self, id: LeaseId) {
        if self.end(id, Lost::Closed) {
            self.released.push(id);
        }
    }

    /// What is to be closed.
    pub(crate) fn take_released(&mut self) -> Vec<LeaseId> {
        std::mem::take(&mut self.released)
    }

    /// Ends what has not been acknowledged for a full TTL. The server is told, in case it only cannot answer.
    pub(crate) fn expire(&mut self, now: Instant) {
        let silent: Vec<LeaseId> = self.held.iter().filter(|(_, it)| it.until <= now).map(|(it, _)| *it).collect();
        for id in silent {
            self.end(id, Lost::Silence);
            self.released.push(id);
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
        for (id, lease) in self.held.iter_mut().filter(|(_, it)| it.due <= now) {
            lease.due = now + lease.ttl / RENEWALS_PER_TTL;
            due.entry(id.state_id).or_default().push(id.incarnation);
        }
        let request = |(state_id, incarnations)| {
            self.sequence += 1;
            self.sent.insert(self.sequence, (now, state_id));
            RenewRequest { sequence: self.sequence, incarnations, state_id }
        };
        due.into_iter().map(request).collect()
    }

    pub(crate) fn answered(&mut self, reply: &RenewReply) {
        let Some((sent_at, state_id)) = self.sent.remove(&reply.sequence) else { return };
        for incarnation in &reply.renewed {
            if let Some(lease) = self.held.get_mut(&LeaseId { state_id, incarnation: *incarnation }) {
                lease.until = lease.until.max(sent_at + lease.ttl);
            }
        }
        for incarnation in &reply.lost {
            self.end(LeaseId { state_id, incarnation: *incarnation }, Lost::Ended);
        }
    }

    /// The registry was rebuilt: a request without an answer was refused as one of another history. Which one is not
    /// said, so the newest history known is believed for as long as another one was asked for on the same stream.
    pub(crate) fn rebuilt(&mut self) {
        let asked: BTreeSet<u64> = self.sent.values().map(|(_, state_id)| *state_id).collect();
        let is_suspect = asked.iter().any(|state_id| Some(*state_id) != self.newest);
        let is_foreign = |id: &LeaseId| Some(id.state_id) != self.newest || !is_suspect;
        let foreign: Vec<LeaseId> = self.held.keys().copied().filter(is_foreign).collect();
        for id in foreign {
            self.end(id, Lost::Rebuilt);
        }
    }

    /// When to look again, if ever: a renewal is due or a lease ends.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.held.values().map(|it| it.due.min(it.until)).min()
    }

    /// When the oldest request without an answer was sent.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.sent.values().next().map(|(sent_at, _)| *sent_at)
    }

    /// How long a renewal may stay without an answer before another node is asked.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.held.values().map(|it| it.ttl / RENEWALS_PER_TTL).min()
    }

    fn end(&mut self, id: LeaseId, reason: Lost) -> bool {
        let Some(lease) = self.held.remove(&id) else { return false };
        lease.lost.send_replace(Some(reason));
        tracing::info!(incarnation = id.incarnation, %reason, "lease ended");
        true
    }
}

#[cfg(test)]
mod tests;
