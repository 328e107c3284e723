//! What a node holds in memory for its clients: messages that have come in part, and answers that nobody has read yet.
//!
//! A client that asks and does not read would otherwise fill the node: HTTP/2 keeps whatever it is handed until its
//! client takes it. So every such byte is counted from when it is there until it is dropped, which for an answer is
//! when it was written to the socket. There is a bound for the node, and a share of it for each connection, so that
//! one slow reader stands in nobody's way but its own.
//!
//! Over the bound, what can wait waits ([`Share::poll_room`]): a stream's next answer is not even made. What cannot is
//! refused ([`Share::take`]). An answer to a stream is counted when it has been made, not before, because nobody knows
//! its size before; so what is held may exceed the bound by one message for each thread.
//!
//! A client that is stuck would keep for ever what it holds. While the node is nearly full, [`Memory::relieve`] cuts
//! off those that have taken nothing for a while, the largest first; and if that does not help for long, whoever holds
//! most.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::limits::{MEMORY_FULL_MAX, MEMORY_RETRY_AFTER_MS, STALLED_MAX, STREAMS_MAX};
use crate::metrics::Level;
use crate::problem::Problem;

/// How much may be held, of the node and of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// For all clients.
    pub bytes_max: usize,
    /// For one connection.
    pub share_bytes_max: usize,
    /// What the largest answer takes: with less room than that, a call is refused before it is worked on.
    pub answer_bytes_max: usize,
}

/// What is held for all clients.
#[derive(Debug)]
pub struct Memory {
    limits: MemoryLimits,
    bytes: AtomicUsize,
    level: Level,
    refused: Counter,
    since: Instant,
    last: AtomicU64,
    /// By age.
    shares: Mutex<BTreeMap<u64, Weak<Account>>>,
    /// Who waits for others to let go.
    waiting: Mutex<VecDeque<Weak<Account>>>,
    has_waiting: AtomicBool,
    /// Since when there has been hardly any room.
    full_since: Mutex<Option<Instant>>,
}

/// What is held for one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Share(Arc<Account>);

#[derive(Debug)]
struct Account {
    memory: Arc<Memory>,
    number: u64,
    bytes: AtomicUsize,
    /// When something was taken for the last time, in milliseconds since the memory began.
    moved_at_ms: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
    has_waiting: AtomicBool,
    /// It is among those that wait for others.
    is_queued: AtomicBool,
    cut: CancellationToken,
}

/// Bytes that are held; they are let go when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Held {
    share: Share,
    bytes: usize,
}

/// What holds for a call while the node is full; a connection's own share holds for every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It can wait, or be asked again.
    Ordinary,
    /// Leases, and what a node says of itself: small, and to be answered whatever others do.
    Essential,
}

impl Memory {
    /// Nothing held yet. `level` shows what is.
    #[must_use]
    pub fn new(limits: MemoryLimits, level: Level, refused: Counter) -> Arc<Self> {
        Arc::new(Self {
            limits,
            bytes: AtomicUsize::new(0),
            level,
            refused,
            since: clock::now(),
            last: AtomicU64::new(0),
            shares: Mutex::default(),
            waiting: Mutex::default(),
            has_waiting: AtomicBool::new(false),
            full_since: Mutex::default(),
        })
    }

    /// For a new connection, which ends when `cut` is cancelled.
    #[must_use]
    pub fn share(self: &Arc<Self>, cut: CancellationToken) -> Share {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let account = Arc::new(Account {
            memory: Arc::clone(self),
            number,
            bytes: AtomicUsize::new(0),
            moved_at_ms: AtomicU64::new(0),
            waiting: Mutex::default(),
            has_waiting: AtomicBool::new(false),
            is_queued: AtomicBool::new(false),
            cut,
        });
        self.shares.lock().insert(number, Arc::downgrade(&account));
        Share(account)
    }

    /// What is held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// While the node is nearly full, cuts off whoever has taken nothing for [`STALLED_MAX`], the largest first and
    /// of equals the oldest, until there is room; and the largest of all, if the node has been full for
    /// [`MEMORY_FULL_MAX`]. Called now and then.
    pub fn relieve(&self) {
        let enough = self.limits.bytes_max.saturating_sub(self.limits.answer_bytes_max);
        let now = clock::now();
        let mut full_since = self.full_since.lock();
        let mut left = self.bytes();
        if left < enough {
            *full_since = None;
            return;
        }
        let full_for = now.duration_since(*full_since.get_or_insert(now));
        let shares: Vec<_> = self.shares.lock().values().filter_map(Weak::upgrade).collect();
        let mut held: Vec<_> = shares.iter().map(|it| (it.bytes.load(Ordering::Relaxed), it)).collect();
        held.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        let stalled_ms = u64::try_from(STALLED_MAX.as_millis()).unwrap_or(u64::MAX);
        let is_stalled = |it: &Account| it.moved_at_ms.load(Ordering::Relaxed) + stalled_ms <= self.now_ms();
        for (place, (bytes, account)) in held.into_iter().enumerate() {
            if left < enough || bytes == 0 {
                break;
            }
            if is_stalled(account) || (place == 0 && full_for >= MEMORY_FULL_MAX) {
                tracing::warn!(bytes, "cut off a client that does not read, because memory for clients is full");
                account.cut.cancel();
                left = left.saturating_sub(bytes);
            }
        }
        if left < enough {
            *full_since = None;
        }
    }

    fn is_full(&self) -> bool {
        self.bytes() >= self.limits.bytes_max
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(clock::now().duration_since(self.since).as_millis()).unwrap_or(u64::MAX)
    }

    /// Lets the next one that waits look again; it passes the word on.
    fn wake_next(&self) {
        while self.has_waiting.load(Ordering::Acquire) {
            let mut waiting = self.waiting.lock();
            let next = waiting.pop_front();
            self.has_waiting.store(!waiting.is_empty(), Ordering::Release);
            drop(waiting);
            if let Some(account) = next.and_then(|it| it.upgrade()) {
                account.is_queued.store(false, Ordering::Release);
                account.wake();
                return;
            }
        }
    }
}

impl Share {
    /// Counts bytes that are there, whatever the bound.
    pub fn hold(&self, bytes: usize) -> Held {
        self.0.grow(bytes);
        Held { share: self.clone(), bytes }
    }

    /// Counts bytes if there is room for them. One message always fits a share that is empty.
    ///
    /// # Errors
    /// [`Problem::Full`]: nothing was counted.
    pub fn take(&self, bytes: usize, need: Need) -> Result<Held, Problem> {
        let MemoryLimits { bytes_max, share_bytes_max, .. } = self.0.memory.limits;
        let own = self.0.bytes.load(Ordering::Relaxed);
        if own > 0 && own + bytes > share_bytes_max {
            return Err(self.full("what a connection has not read (limits.connection_bytes_max)", share_bytes_max));
        }
        if need == Need::Ordinary && self.0.memory.bytes() + bytes > bytes_max {
            return Err(self.full("what clients have not read (limits.client_bytes_max)", bytes_max));
        }
        Ok(self.hold(bytes))
    }

    /// Looks for room before a call is worked on, so that no work is done for an answer that cannot be kept.
    ///
    /// # Errors
    /// [`Problem::Full`].
    pub fn admit(&self, need: Need) -> Result<(), Problem> {
        let bytes = match need {
            Need::Ordinary => self.0.memory.limits.answer_bytes_max,
            Need::Essential => 1,
        };
        drop(self.take(bytes, need)?);
        Ok(())
    }

    /// Waits until there is room for anything at all.
    pub fn poll_room(&self, need: Need, context: &Context<'_>) -> Poll<()> {
        let account = &self.0;
        if account.has_room(need) {
            // Whoever was woken and wants less than there is lets the next one look.
            if account.memory.has_waiting.load(Ordering::Acquire) && !account.memory.is_full() {
                account.memory.wake_next();
            }
            return Poll::Ready(());
        }
        account.wait(context.waker());
        // What was let go meanwhile woke nobody.
        if account.has_room(need) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn full(&self, what: &'static str, limit: usize) -> Problem {
        self.0.memory.refused.inc();
        Problem::Full { what, limit: limit as u64, retry_after_ms: MEMORY_RETRY_AFTER_MS }
    }
}

impl Account {
    fn has_room(&self, need: Need) -> bool {
        let own = self.bytes.load(Ordering::SeqCst) < self.memory.limits.share_bytes_max;
        own && (need == Need::Essential || !self.memory.is_full())
    }

    fn grow(&self, bytes: usize) {
        if self.bytes.fetch_add(bytes, Ordering::SeqCst) == 0 {
            self.moved_at_ms.store(self.memory.now_ms(), Ordering::Relaxed);
        }
        let all = self.memory.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        self.memory.level.set(all as u64);
    }

    fn shrink(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        let all = self.memory.bytes.fetch_sub(bytes, Ordering::SeqCst) - bytes;
        self.memory.level.set(all as u64);
        self.moved_at_ms.store(self.memory.now_ms(), Ordering::Relaxed);
        if self.has_waiting.load(Ordering::SeqCst) {
            self.wake();
        }
        if all < self.memory.limits.bytes_max {
            self.memory.wake_next();
        }
    }

    /// Remembers who waits, each task once.
    fn wait(self: &Arc<Self>, waker: &Waker) {
        let mut waiting = self.waiting.lock();
        if !waiting.iter().any(|it| it.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        self.has_waiting.store(true, Ordering::SeqCst);
        let is_stale = waiting.len() > 2 * STREAMS_MAX as usize;
        drop(waiting);
        if is_stale {
            // Streams that were reset while they waited; those that were not come back at once.
            self.wake();
            waker.wake_by_ref();
            return;
        }
        if self.memory.is_full() && !self.is_queued.swap(true, Ordering::AcqRel) {
            let mut queue = self.memory.waiting.lock();
            queue.push_back(Arc::downgrade(self));
            self.memory.has_waiting.store(true, Ordering::SeqCst);
        }
    }

    fn wake(&self) {
        let mut waiting = self.waiting.lock();
        self.has_waiting.store(false, Ordering::SeqCst);
        let woken = std::mem::take(&mut *waiting);
        drop(waiting);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.shares.lock().remove(&self.number);
    }
}

impl Held {
    /// How many.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts something of another size instead.
    pub fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.share.0.grow(bytes - self.bytes);
        } else if bytes < self.bytes {
            self.share.0.shrink(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.share.0.shrink(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
