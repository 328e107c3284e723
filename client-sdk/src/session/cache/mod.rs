//! Lookups answered from memory, kept right by presence.
//!
//! # What a hit promises
//! A hit is what a linearizable lookup would have answered at some moment not longer ago than the `age` it tells, and
//! that is never more than the bound the cache was made with. This holds whatever the network, the nodes or this
//! process do meanwhile, a pause of the process included: the bound is counted by the clock of this process alone, from
//! moments at which it asked.
//!
//! # How
//! One [presence stream](crate::Presence) tells every fact that changes an answer; each takes the answers about its
//! user out, or, when a gateway's incarnation closed, the answers that name it. That alone would not bound the age,
//! because a stream may be late. So now and then the cluster is asked for its revision, at a moment that is written
//! down. When the stream has told everything up to that revision, what is still in the cache was true at that moment.
//! While this cannot be shown, answers grow old, and older ones than the bound are not given: the question goes to the
//! cluster. They stay, and are good again when the stream has caught up, because it misses nothing. Only after a
//! [reset](crate::PresenceEvent::Reset) it has, and everything is dropped.
//!
//! An answer that was under way while a fact about its user was told is not kept: it may be from before. Which facts
//! are newer is remembered by bucket of users, so that it costs a fixed amount of memory.
//!
//! # What it costs
//! The stream carries every change in the registry. A process that asks about few users, or whose bound may be seconds
//! when a hundred thousand users come and go in each of them, is better off without a cache.

mod entry;
mod keep;
mod store;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::{task::AbortHandle, time::Instant};

use self::store::Hit;
pub(crate) use self::{keep::keep, store::Store};
use crate::{Consistency, Error, Found, Looked, Lookup, Session, SessionKey, limits, session::key::within};

/// How large a cache of lookups is, and how old its answers may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// About how many bytes of answers are kept; those that are asked for least give way. 64 MiB by default: some
    /// 150,000 users with one device each.
    pub capacity_bytes: u64,
    /// No answer is older than this. Two seconds by default, [`limits::CACHE_AGE_MIN`] at least.
    pub age_max: Duration,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { capacity_bytes: 64 << 20, age_max: Duration::from_secs(2) }
    }
}

/// How a cache fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Questions answered from memory.
    pub hits: u64,
    /// Questions that went to the cluster.
    pub misses: u64,
    /// Users whose answers are kept.
    pub users: u64,
    /// About how many bytes that takes.
    pub bytes: u64,
    /// Times everything was dropped, because facts were gone on every node.
    pub resets: u64,
    /// How long ago it was last shown that what is kept was true; none before the first time.
    pub age: Option<Duration>,
}

/// Finds users, and remembers where they were for as long as that stays true. Cheap to clone; see [`Lookup::cached`].
#[derive(Clone)]
pub struct CachedLookup {
    lookup: Lookup,
    topic: Bytes,
    running: Arc<Running>,
}

/// The cache, and the task that keeps it right for as long as somebody uses it.
struct Running {
    store: Arc<Store>,
    keeper: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Lookup {
    /// The same with a memory. What is not in it is asked as this lookup would; with [`Consistency::AtLeast`] what is
    /// in it counts only when it is known to hold at that revision.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the bound is below [`limits::CACHE_AGE_MIN`].
    pub fn cached(self, settings: CacheSettings) -> Result<CachedLookup, Error> {
        if settings.age_max < limits::CACHE_AGE_MIN {
            let message = format!("{:?}, but at least {:?} are needed", settings.age_max, limits::CACHE_AGE_MIN);
            return Err(Error::invalid("age_max", message));
        }
        let store = Arc::new(Store::new(settings));
        let (lookup, topic) = self.without_topic();
        let keeper = lookup.spawn_keeper(store.clone());
        Ok(CachedLookup { lookup, topic, running: Arc::new(Running { store, keeper }) })
    }
}

impl CachedLookup {
    /// Every device of one user.
    ///
    /// # Errors
    /// As [`Lookup::user`].
    pub async fn user(&self, user: impl Into<Bytes>) -> Result<Looked<Arc<[Session]>>, Error> {
        let looked = self.all(user.into()).await?;
        if self.topic.is_empty() {
            return Ok(looked);
        }
        Ok(looked.map(|found| found.iter().filter(|it| self.is_bound(it)).cloned().collect()))
    }

    /// One device of one user.
    ///
    /// # Errors
    /// As [`Lookup::session`].
    pub async fn session(&self, key: &SessionKey) -> Result<Looked<Found>, Error> {
        let looked = self.all(key.user().clone()).await?;
        let formerly = looked.formerly.iter().filter(|it| it.session.key == *key).cloned().collect();
        let found = looked.map(|found| found.iter().find(|it| it.key == *key && self.is_bound(it)).cloned());
        Ok(Looked { formerly, ..found })
    }

    /// Many keys: one result a key, in the order asked. The revision told is the lowest of all answers, the age the
    /// highest.
    ///
    /// # Errors
    /// As [`Lookup::many`].
    pub async fn many(&self, keys: &[SessionKey]) -> Result<Looked<Vec<Found>>, Error> {
        let all = try_join_all(keys.iter().map(|key| self.session(key))).await?;
        Ok(Looked::joined(all, |found: &mut Vec<Found>, one| found.push(one)))
    }

    /// How it fares.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.running.store.stats(Instant::now())
    }

    async fn all(&self, user: Bytes) -> Result<Looked<Arc<[Session]>>, Error> {
        within("user", user.len(), 1, limits::USER_BYTES_MAX)?;
        let asked_at = Instant::now();
        if let Some(hit) = self.running.store.find(&user, asked_at).filter(|it| self.suffices(it)) {
            return Ok(hit.looked());
        }
        let looked = self.lookup.user(user.clone()).await?;
        self.running.store.insert(user, &looked, asked_at);
        Ok(looked.map(Arc::from))
    }

    fn suffices(&self, hit: &Hit) -> bool {
        match self.lookup.freshness() {
            Consistency::Linearizable | Consistency::Local => true,
            Consistency::AtLeast(revision) => hit.revision >= revision,
        }
    }

    fn is_bound(&self, session: &Session) -> bool {
        self.topic.is_empty() || session.topics.contains(&self.topic)
    }
}

impl fmt::Debug for CachedLookup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CachedLookup").field("lookup", &self.lookup).field("stats", &self.stats()).finish()
    }
}
