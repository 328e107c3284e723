//! Some facts, shared with the ring they were taken from.

use std::sync::Arc;

use super::{PresenceCursor, PresenceFact, chunk::Chunk};

/// Some facts, oldest first. Later changes do not touch them, and reading them needs no lock.
#[derive(Debug, Clone)]
pub struct PresenceSlice {
    chunks: Vec<Arc<Chunk>>,
    /// Facts of the first chunk that do not belong to it.
    skip: usize,
    /// At most so many do.
    max: usize,
}

impl PresenceSlice {
    pub(super) fn new(chunks: Vec<Arc<Chunk>>, skip: usize, max: usize) -> Self {
        Self { chunks, skip, max }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = PresenceFact<'_>> {
        let chunks = self.chunks.iter().enumerate();
        let skip = move |place: usize| if place == 0 { self.skip } else { 0 };
        chunks.flat_map(move |(place, chunk)| chunk.facts_from(skip(place))).take(self.max)
    }

    /// Those of a user, or of one of the user's devices.
    pub fn of_user<'a>(&'a self, user: &'a [u8], slot: Option<&'a [u8]>) -> impl Iterator<Item = PresenceFact<'a>> {
        self.iter().filter(move |fact| fact.user == user && slot.is_none_or(|slot| fact.slot == slot))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let stored: usize = self.chunks.iter().map(|chunk| chunk.len()).sum();
        stored.saturating_sub(self.skip).min(self.max)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of the last one: where to go on.
    #[must_use]
    pub fn last(&self) -> Option<PresenceCursor> {
        let mut rest = self.skip + self.len().checked_sub(1)?;
        for chunk in &self.chunks {
            if rest < chunk.len() {
                return chunk.cursor(rest);
            }
            rest -= chunk.len();
        }
        None
    }
}
