//! The newest facts, for readers that were away for a while.

use std::{collections::VecDeque, sync::Arc};

use super::{PresenceCursor, PresenceFact, PresenceSlice, chunk::Chunk};
use crate::{clock::Clock, limits};

/// How much a node keeps: a setting of its own, since nothing in the ring reaches an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceLimits {
    /// Facts, to within a chunk of 128.
    pub facts: usize,
    /// Bytes that they take.
    pub bytes: usize,
}

impl Default for PresenceLimits {
    fn default() -> Self {
        Self { facts: limits::PRESENCE_FACTS_DEFAULT, bytes: limits::PRESENCE_BYTES_DEFAULT }
    }
}

/// The newest facts. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct PresenceRing {
    limits: PresenceLimits,
    /// Oldest first, shared with readers.
    chunks: VecDeque<Arc<Chunk>>,
    /// The newest one, which is being filled. Readers copy what they want of it: counting who shares it would cost
    /// every fact more than that costs them.
    open: Chunk,
    /// Of all chunks but the open one.
    facts: usize,
    bytes: usize,
    floor: PresenceCursor,
    latest: PresenceCursor,
}

impl PresenceRing {
    pub(crate) fn new(limits: PresenceLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Facts up to here are gone on this node.
    #[must_use]
    pub fn floor(&self) -> PresenceCursor {
        self.floor
    }

    /// Of the newest fact there ever was.
    #[must_use]
    pub fn latest(&self) -> PresenceCursor {
        self.latest
    }

    /// How many facts are kept.
    #[must_use]
    pub fn facts(&self) -> usize {
        self.facts + self.open.len()
    }

    /// How many bytes they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.open.bytes()
    }

    /// Facts after a cursor, oldest first, at most `max`; `None` when some after it are gone on this node.
    ///
    /// Takes time only for cloning a pointer for each 128 facts, and copying the newest 128 at most: to be done under
    /// the lock, and the reading outside.
    #[must_use]
    pub fn read_after(&self, cursor: PresenceCursor, max: usize) -> Option<PresenceSlice> {
        if cursor < self.floor {
            return None;
        }
        let first = self.chunks.partition_point(|chunk| chunk.last() <= cursor);
        let skip = self.chunks.get(first).map_or(0, |chunk| chunk.told(cursor));
        let (mut chunks, mut found) = (Vec::new(), 0);
        for chunk in self.chunks.range(first..) {
            if found >= max.saturating_add(skip) {
                break;
            }
            found += chunk.len();
            chunks.push(Arc::clone(chunk));
        }
        if found < max.saturating_add(skip) {
            chunks.push(Arc::new(self.open.copy_after(cursor)));
        }
        Some(PresenceSlice::new(chunks, skip, max))
    }

    /// Everything that is kept.
    #[must_use]
    pub fn read_all(&self) -> PresenceSlice {
        let open = Arc::new(self.open.copy_after(PresenceCursor::default()));
        PresenceSlice::new(self.chunks.iter().cloned().chain([open]).collect(), 0, usize::MAX)
    }

    /// Where the next fact will stand.
    pub(crate) fn next(&self, clock: &Clock) -> PresenceCursor {
        let is_further = self.latest.revision == clock.revision;
        let position = if is_further { self.latest.position.saturating_add(1) } else { 1 };
        PresenceCursor { revision: clock.revision, position }
    }

    /// Takes a fact that stands behind all others.
    pub(crate) fn push(&mut self, fact: &PresenceFact<'_>) {
        if self.open.is_full() {
            self.seal();
        }
        self.latest = fact.cursor;
        self.open.push(fact);
    }

    fn seal(&mut self) {
        let forgotten = self.forget();
        let next = Chunk::after(&self.open, forgotten);
        let full = std::mem::replace(&mut self.open, next);
        self.facts += full.len();
        self.bytes += full.bytes();
        if full.len() > 0 {
            self.chunks.push_back(Arc::new(full));
        }
    }

    /// Drops what is too much. Returns a dropped chunk that nobody reads any more: its memory serves again.
    fn forget(&mut self) -> Option<Chunk> {
        let mut forgotten = None;
        while self.facts() > self.limits.facts || self.bytes() > self.limits.bytes {
            let Some(oldest) = self.chunks.pop_front() else { break };
            self.facts -= oldest.len();
            self.bytes -= oldest.bytes();
            self.floor = oldest.last();
            forgotten = Arc::into_inner(oldest);
        }
        forgotten
    }

    /// Goes on from a ring of which nothing but these is known.
    pub(crate) fn resume(&mut self, floor: PresenceCursor) {
        (self.floor, self.latest) = (floor, floor);
    }

    /// The newest part, as much as a snapshot carries.
    pub(crate) fn tail(&self) -> Self {
        let limits = PresenceLimits { facts: limits::PRESENCE_FACTS_FROZEN, bytes: limits::PRESENCE_BYTES_FROZEN };
        let mut tail = Self { limits, open: self.open.clone(), latest: self.latest, ..Self::default() };
        let mut older = self.chunks.iter().rev();
        tail.floor = loop {
            let Some(chunk) = older.next() else { break self.floor };
            let (facts, bytes) = (tail.facts() + chunk.len(), tail.bytes() + chunk.bytes());
            if facts > limits.facts || bytes > limits.bytes {
                break chunk.last();
            }
            tail.facts += chunk.len();
            tail.bytes += chunk.bytes();
            tail.chunks.push_front(Arc::clone(chunk));
        };
        tail
    }
}
