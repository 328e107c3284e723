//! What is kept, and since when it is known to be true: without IO, and without a clock of its own.
//!
//! Invariant: an answer in the store has not been changed by any fact that was told here, however the two raced. The
//! answer is put in first and its bucket looked at afterwards; the fact marks its bucket first and takes answers out
//! afterwards. So one of the two sees the other.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::{
    CacheSettings, CacheStats,
    entry::{Entry, Weigher, detached},
};
use crate::{Looked, Owner, PresenceFact, PresenceFrame, Session, limits};

/// No answer is new enough: nobody would tell what changes it.
const UNKNOWN: u64 = u64::MAX;

/// About what a user with one device takes, to size the table.
const TYPICAL_BYTES: u64 = 400;

pub(crate) struct Store {
    age_max: Duration,
    entries: Cache<Bytes, Arc<Entry>, Weigher>,
    hasher: RandomState,
    /// By bucket of users: the revision of the newest fact that was told.
    told: Box<[AtomicU64]>,
    standing: RwLock<Standing>,
    /// One of each, so that the answers of a million users do not each name their gateway's endpoints.
    owners: Mutex<HashMap<u64, Arc<Owner>>>,
    hits: AtomicU64,
    misses: AtomicU64,
    resets: AtomicU64,
}

/// What holds for all answers.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// Answers of revisions before this one are not kept.
    floor: u64,
    /// When the stream of facts last had a gap: only what was asked for later says where it ends.
    broken_at: Option<Instant>,
    /// What is kept was true then.
    shown: Option<Asked>,
}

/// The revision of the cluster, and a moment before it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) revision: u64,
}

/// An answer that is young enough.
#[derive(Debug)]
pub(super) struct Hit {
    entry: Arc<Entry>,
    /// It is known to hold at this revision.
    pub(super) revision: u64,
    age: Duration,
}

impl Hit {
    pub(super) fn looked(self) -> Looked<Arc<[Session]>> {
        let Self { entry, revision, age } = self;
        let (found, state_id) = (entry.sessions.clone(), entry.state_id);
        Looked { found, revision, age, state_id, formerly: Vec::new(), rebuilding: None }
    }
}

impl Store {
    pub(super) fn new(settings: CacheSettings) -> Self {
        let users = usize::try_from(settings.capacity_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX);
        Self {
            age_max: settings.age_max,
            entries: Cache::with_weighter(users, settings.capacity_bytes, Weigher),
            hasher: RandomState::new(),
            told: (0..limits::CACHE_BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            standing: RwLock::new(Standing { floor: UNKNOWN, broken_at: None, shown: None }),
            owners: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            resets: AtomicU64::new(0),
        }
    }

    /// How often the cluster should be asked for its revision: often enough that answers stay well within the bound.
    pub(super) fn pause(&self) -> Duration {
        self.age_max / 8
    }

    /// The answer about a user, if there is one that is young enough.
    pub(super) fn find(&self, user: &Bytes, now: Instant) -> Option<Hit> {
        let hit = self.entries.get(user).and_then(|entry| {
            let shown = self.standing.read().shown;
            let true_at = shown.map_or(entry.true_at, |shown| shown.at.max(entry.true_at));
            let revision = shown.map_or(entry.revision, |shown| shown.revision.max(entry.revision));
            let age = now.saturating_duration_since(true_at);
            (age <= self.age_max).then_some(Hit { entry, revision, age })
        });
        let counter = if hit.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        hit
    }

    /// Keeps an answer that was asked for at a moment, unless something may have changed it since.
    pub(super) fn insert(&self, user: Bytes, looked: &Looked<Vec<Session>>, asked_at: Instant) {
        let is_complete = looked.formerly.is_empty() && looked.rebuilding.is_none();
        let (Some(true_at), true) = (asked_at.checked_sub(looked.age), is_complete) else { return };
        if looked.revision < self.floor(&user) {
            return;
        }
        let sessions = looked.found.iter().map(|it| detached(it, self.owner(&it.owner))).collect();
        let entry = Arc::new(Entry::new(sessions, looked.revision, looked.state_id, true_at));
        // A key of its own: the caller's may be part of something large.
        self.entries.insert(Bytes::copy_from_slice(&user), entry.clone());
        if looked.revision < self.floor(&user) {
            self.entries.remove_if(&user, |present| Arc::ptr_eq(present, &entry));
        }
    }

    /// Takes out what a message of the presence stream says has changed.
    pub(super) fn hear(&self, frame: &PresenceFrame, now: Instant) {
        if frame.reset {
            self.resets.fetch_add(1, Ordering::Relaxed);
            self.lose(now);
        }
        for fact in &frame.facts {
            self.take_out(fact);
        }
    }

    /// The stream of facts has a gap: nothing that is kept can be trusted, nor what was asked for before now.
    pub(super) fn lose(&self, now: Instant) {
        let mut standing = self.standing.write();
        (standing.floor, standing.broken_at) = (UNKNOWN, Some(now));
        drop(standing);
        self.entries.clear();
        self.owners.lock().clear();
    }

    /// The stream goes on after its gap, if it had one, before what was asked: answers from there on can be kept.
    pub(super) fn heal(&self, asked: Asked) {
        let mut standing = self.standing.write();
        if standing.floor == UNKNOWN && standing.broken_at.is_none_or(|at| at <= asked.at) {
            standing.floor = asked.revision;
        }
    }

    /// Every fact up to what was asked has been told.
    pub(super) fn show(&self, asked: Asked) {
        self.standing.write().shown = Some(asked);
    }

    pub(super) fn stats(&self, now: Instant) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            users: self.entries.len() as u64,
            bytes: self.entries.weight(),
            resets: self.resets.load(Ordering::Relaxed),
            age: self.standing.read().shown.map(|shown| now.saturating_duration_since(shown.at)),
        }
    }

    fn take_out(&self, fact: &PresenceFact) {
        if fact.key.user().is_empty() {
            return self.close(fact.place.incarnation, fact.revision);
        }
        self.bucket(fact.key.user()).fetch_max(fact.revision, Ordering::SeqCst);
        self.entries.remove(fact.key.user());
    }

    /// An incarnation closed, and every session that was there.
    fn close(&self, incarnation: u64, revision: u64) {
        let mut standing = self.standing.write();
        standing.floor = standing.floor.max(revision);
        drop(standing);
        self.owners.lock().remove(&incarnation);
        self.entries.retain(|_, entry| !entry.is_at(incarnation));
    }

    /// The least revision of an answer about this user that nothing told here can have changed.
    fn floor(&self, user: &Bytes) -> u64 {
        self.bucket(user).load(Ordering::SeqCst).max(self.standing.read().floor)
    }

    fn bucket(&self, user: &Bytes) -> &AtomicU64 {
        let hash = self.hasher.hash_one(user);
        &self.told[hash as usize % limits::CACHE_BUCKETS]
    }

    fn owner(&self, owner: &Arc<Owner>) -> Arc<Owner> {
        self.owners.lock().entry(owner.incarnation).or_insert_with(|| owner.clone()).clone()
    }
}
