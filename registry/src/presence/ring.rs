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
    /// Oldest first; all full but the last, and one where a snapshot's part ends.
    chunks: VecDeque<Arc<Chunk>>,
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
        self.facts
    }

    /// How many bytes they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Facts after a cursor, oldest first, about as many as `max`; `None` when some after it are gone on this node.
    ///
    /// Takes time only for cloning pointers, one for each 128 facts: to be done under the lock, and the reading outside.
    #[must_use]
    pub fn read_after(&self, cursor: PresenceCursor, max: usize) -> Option<PresenceSlice> {
        if cursor < self.floor {
            return None;
        }
        let first = self.chunks.partition_point(|chunk| chunk.last() <= cursor);
        let skip = self.chunks.get(first).map_or(0, |chunk| chunk.told(cursor));
        let mut found = 0;
        let is_wanted = |chunk: &&Arc<Chunk>| {
            let is_wanted = found < max.saturating_add(skip);
            found += chunk.len();
            is_wanted
        };
        let chunks: Vec<_> = self.chunks.range(first..).take_while(is_wanted).cloned().collect();
        Some(PresenceSlice::new(chunks, skip, max))
    }

    /// Everything that is kept.
    #[must_use]
    pub fn read_all(&self) -> PresenceSlice {
        PresenceSlice::new(self.chunks.iter().cloned().collect(), 0, usize::MAX)
    }

    /// Where the next fact will stand.
    pub(crate) fn next(&self, clock: &Clock) -> PresenceCursor {
        let is_further = self.latest.revision == clock.revision;
        let position = if is_further { self.latest.position.saturating_add(1) } else { 1 };
        PresenceCursor { revision: clock.revision, position }
    }

    /// Takes a fact that stands behind all others.
    pub(crate) fn push(&mut self, fact: &PresenceFact<'_>) {
        self.latest = fact.cursor;
        match self.chunks.back_mut() {
            Some(chunk) if !chunk.is_full() => self.bytes += Arc::make_mut(chunk).push(fact),
            _ => {
                let forgotten = self.forget();
                let mut chunk = Chunk::after(self.chunks.back().map(AsRef::as_ref), forgotten);
                self.bytes += chunk.push(fact);
                self.chunks.push_back(Arc::new(chunk));
            }
        }
        self.facts += 1;
    }

    /// Drops what is too much. Returns a dropped chunk that nobody reads any more: its memory serves again.
    fn forget(&mut self) -> Option<Chunk> {
        let mut forgotten = None;
        while self.facts > self.limits.facts || self.bytes > self.limits.bytes {
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
        let mut tail = Self { limits, ..self.clone() };
        drop(tail.forget());
        tail
    }
}
