//! A first-in first-out list that a snapshot can share.
//!
//! Items lie in chunks behind `Arc`: a clone copies chunk pointers, and a later push copies at most one chunk. Every
//! item has a number that it keeps for life, so that indexes can point at it; numbers are not part of the logical state
//! and never reach an outcome.

use std::{collections::VecDeque, sync::Arc};

/// Items a chunk: few enough to copy without a visible pause, enough to make cloning the pointers cheap.
const CHUNK: usize = 128;

#[derive(Debug, Clone)]
pub(crate) struct Ring<T> {
    /// All full but the last.
    chunks: VecDeque<Arc<Vec<T>>>,
    /// The number of the first item of the first chunk.
    base: u64,
    /// The number of the oldest item that is still in.
    first: u64,
    /// The number of the next item.
    next: u64,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), base: 0, first: 0, next: 0 }
    }
}

impl<T: Clone> Ring<T> {
    pub(crate) fn len(&self) -> usize {
        (self.next - self.first) as usize
    }

    /// Returns the item's number.
    pub(crate) fn push(&mut self, item: T) -> u64 {
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(item),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(item);
                self.chunks.push_back(Arc::new(chunk));
            }
        }
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn oldest(&self) -> Option<(u64, &T)> {
        Some((self.first, self.get(self.first)?))
    }

    /// Drops the oldest item. Its memory goes with its chunk.
    pub(crate) fn pop(&mut self) {
        if self.first == self.next {
            return;
        }
        self.first += 1;
        if self.first - self.base == CHUNK as u64 || self.first == self.next {
            self.chunks.pop_front();
            self.base = self.first;
        }
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        if number < self.first || number >= self.next {
            return None;
        }
        let place = (number - self.base) as usize;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// From the oldest to the newest, with numbers.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        (self.first..self.next).filter_map(|number| Some((number, self.get(number)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Ring};

    #[test]
    fn numbers_survive_pops_and_clones_are_independent() {
        let mut ring = Ring::default();
        for item in 0..3 * CHUNK {
            assert_eq!(ring.push(item), item as u64);
        }
        let frozen = ring.clone();
        for _ in 0..CHUNK + 7 {
            ring.pop();
        }
        ring.push(usize::MAX);
        assert_eq!(ring.len(), 2 * CHUNK - 6);
        assert_eq!(ring.oldest(), Some((CHUNK as u64 + 7, &(CHUNK + 7))));
        assert_eq!(ring.get(CHUNK as u64), None);
        assert_eq!(frozen.iter().map(|(_, item)| *item).collect::<Vec<_>>(), (0..3 * CHUNK).collect::<Vec<_>>());
        while ring.oldest().is_some() {
            ring.pop();
        }
        assert_eq!(ring.push(1), 3 * CHUNK as u64 + 1);
        assert_eq!(ring.oldest(), Some((3 * CHUNK as u64 + 1, &1)));
    }
}
