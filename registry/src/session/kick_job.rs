//! Kicks, and what is remembered of them.
//!
//! A kick of a user is done when it is answered; one by selector is a job, done in slices (`kick_step`). Both leave a
//! record: what was closed, by gateway, and the notice a gateway must have acted upon before its part is confirmed.
//! Whether it has is read when somebody asks, from the cursor that the gateway's own frames carry: a kick adds nothing
//! to the work of a frame, and a gateway that is gone needs no mark.
//!
//! The newest `limits::KICKS_KEPT` are kept; the oldest that is finished goes first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    Epoch, Incarnation, KickTarget, LogTime, NoticeCursor, ScanPosition, State,
    digest::{Digest, Kind, Sum},
    limits,
};

/// A kick: under way, or finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KickJob {
    /// Its number.
    pub number: u64,
    /// Which sessions.
    pub target: KickTarget,
    /// Told to the gateways.
    pub reason: Arc<str>,
    /// Who asked.
    pub author: Arc<str>,
    /// Registrations from this one on are not touched.
    pub before: Epoch,
    /// When it was asked for.
    pub started_at: LogTime,
    /// When it was done; none: it is under way.
    pub finished_at: Option<LogTime>,
    /// Which life of the selector's instance; a later one is not meant.
    pub incarnation: Option<Incarnation>,
    /// How far its walk is.
    pub position: Option<ScanPosition>,
    /// Sessions ended.
    pub closed: u64,
    /// The same by gateway.
    pub gateways: BTreeMap<Incarnation, KickGateway>,
}

/// What a kick closed on one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KickGateway {
    /// The gateway's kind.
    pub service: Arc<str>,
    /// Its name.
    pub id: Arc<str>,
    /// Sessions ended.
    pub closed: u64,
    /// The last notice of it.
    pub notice: NoticeCursor,
}

/// How far a gateway is in closing the connections of a kick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KickConfirmation {
    /// It has not said yet that they are closed.
    Waiting,
    /// It has.
    Confirmed,
    /// Its incarnation has closed, and its connections with it.
    Gone,
}

impl KickJob {
    /// All but the gateways.
    fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Kick).number(self.number);
        let digest = match &self.target {
            KickTarget::User { user, slot } => digest.number(1).bytes(user).optional_bytes(slot.as_deref()),
            KickTarget::Matching(selector) => digest.number(2).selector(selector),
        };
        let digest = digest
            .text(&self.reason)
            .text(&self.author)
            .epoch(self.before)
            .number(self.started_at.0)
            .optional(self.finished_at.map(|time| time.0))
            .optional(self.incarnation.map(|incarnation| incarnation.0))
            .number(self.closed)
            .number(u64::from(self.position.is_some()));
        self.position.as_ref().map_or(digest, |ScanPosition(key)| digest.key(key)).finish()
    }
}

impl KickGateway {
    fn digest(&self, kick: u64, incarnation: Incarnation) -> u64 {
        Digest::of(Kind::KickGateway)
            .number(kick)
            .number(incarnation.0)
            .text(&self.service)
            .text(&self.id)
            .number(self.closed)
            .number(self.notice.revision.0)
            .number(u64::from(self.notice.position))
            .finish()
    }
}

/// All kicks remembered.
#[derive(Debug, Default)]
pub(crate) struct Kicks {
    jobs: BTreeMap<u64, Arc<KickJob>>,
    under_way: BTreeSet<u64>,
    /// The last number given to one.
    pub(crate) last: u64,
    /// Gateways of all of them.
    gateways: usize,
    sum: Sum,
}

impl Kicks {
    pub(crate) fn sum(&self) -> u64 {
        self.sum.value()
    }

    pub(crate) fn jobs(&self) -> &BTreeMap<u64, Arc<KickJob>> {
        &self.jobs
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    pub(super) fn first_under_way(&self) -> Option<&KickJob> {
        self.jobs.get(self.under_way.first()?).map(Arc::as_ref)
    }

    pub(crate) fn insert(&mut self, job: Arc<KickJob>) {
        self.sum.add(job.digest());
        for (incarnation, gateway) in &job.gateways {
            self.sum.add(gateway.digest(job.number, *incarnation));
        }
        self.gateways += job.gateways.len();
        if job.finished_at.is_none() {
            self.under_way.insert(job.number);
        }
        self.jobs.insert(job.number, job);
    }

    /// Counts what a slice has closed.
    pub(super) fn add(&mut self, number: u64, closed: BTreeMap<Incarnation, KickGateway>) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        let job = Arc::make_mut(job);
        self.sum.subtract(job.digest());
        for (incarnation, more) in closed {
            job.closed += more.closed;
            let gateway = match job.gateways.remove(&incarnation) {
                None => {
                    self.gateways += 1;
                    more
                }
                Some(before) => {
                    self.sum.subtract(before.digest(number, incarnation));
                    KickGateway { closed: before.closed + more.closed, ..more }
                }
            };
            self.sum.add(gateway.digest(number, incarnation));
            job.gateways.insert(incarnation, gateway);
        }
        self.sum.add(job.digest());
    }

    /// The walk of a job stands here.
    pub(super) fn proceed(&mut self, number: u64, position: ScanPosition) {
        self.change(number, |job| job.position = Some(position));
    }

    pub(super) fn finish(&mut self, number: u64, now: LogTime) {
        self.under_way.remove(&number);
        self.change(number, |job| {
            job.finished_at = Some(now);
            job.position = None;
        });
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut KickJob)) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        self.sum.subtract(job.digest());
        change(Arc::make_mut(job));
        self.sum.add(job.digest());
    }

    /// Forgets finished ones until the others are within their limits.
    pub(super) fn trim(&mut self) {
        while self.jobs.len() > limits::KICKS_KEPT || self.gateways > limits::KICK_GATEWAYS_KEPT {
            let Some(oldest) = self.jobs.keys().copied().find(|number| !self.under_way.contains(number)) else {
                return;
            };
            let Some(job) = self.jobs.remove(&oldest) else { return };
            self.gateways -= job.gateways.len();
            self.sum.subtract(job.digest());
            for (incarnation, gateway) in &job.gateways {
                self.sum.subtract(gateway.digest(oldest, *incarnation));
            }
        }
    }
}

impl State {
    /// A kick that is still remembered.
    #[must_use]
    pub fn kick_job(&self, number: u64) -> Option<&Arc<KickJob>> {
        self.kicks.jobs.get(&number)
    }

    /// The kicks still remembered, newest first.
    pub fn kick_jobs(&self) -> impl Iterator<Item = &Arc<KickJob>> {
        self.kicks.jobs.values().rev()
    }

    /// Whether a kick by selector waits for `KickStep`.
    #[must_use]
    pub fn kick_pending(&self) -> bool {
        !self.kicks.under_way.is_empty()
    }

    /// Whether a gateway has closed the connections that a kick took from it. While the kick is under way, those
    /// so far.
    #[must_use]
    pub fn kick_confirmation(&self, incarnation: Incarnation, gateway: &KickGateway) -> KickConfirmation {
        match self.instances.id(incarnation).and_then(|id| self.instances.open(id)) {
            None => KickConfirmation::Gone,
            Some(owner) if owner.confirmed >= gateway.notice => KickConfirmation::Confirmed,
            Some(_) => KickConfirmation::Waiting,
        }
    }
}
