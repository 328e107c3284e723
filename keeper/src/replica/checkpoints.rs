//! Hashes of the state as it was at certain entries, to be held against those of other replicas.
//!
//! Replicas are compared at the same entry only, and seldom stand at the same one. So each notes its hash at every
//! 64th entry: the same entries everywhere. The hash is the state's own, which every change keeps up to date:
//! it tells replicas apart that decided differently, from the entry on at which they did. A bit that flips in memory is
//! noticed when its row is next touched, or when a snapshot is read.

use std::collections::VecDeque;

/// Entries between two hashes: a policy with thousands of names takes a tenth of a millisecond to hash.
const INTERVAL: u64 = 64;

/// Hashes kept: a follower within 65,536 entries of its leader is compared with it.
const KEPT_MAX: usize = 1_024;

/// The state at an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which entry was the last applied.
    pub index: u64,
    /// The state's hash then.
    pub hash: u64,
}

/// The newest of them.
#[derive(Debug, Default)]
pub(super) struct Checkpoints(VecDeque<Checkpoint>);

impl Checkpoints {
    /// Notes the hash at an entry, if it is one of those that are compared.
    pub(super) fn pass(&mut self, index: u64, hash: impl FnOnce() -> u64) {
        if !index.is_multiple_of(INTERVAL) {
            return;
        }
        if self.0.len() == KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Checkpoint { index, hash: hash() });
    }

    /// Another state begins: what was before says nothing of it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn at(&self, index: u64) -> Option<u64> {
        let place = self.0.binary_search_by_key(&index, |checkpoint| checkpoint.index).ok()?;
        self.0.get(place).map(|checkpoint| checkpoint.hash)
    }

    pub(super) fn newest(&self, count: usize) -> Vec<Checkpoint> {
        self.0.iter().skip(self.0.len().saturating_sub(count)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_found_by_their_entry() {
        let mut checkpoints = Checkpoints::default();
        let end = (KEPT_MAX as u64 + 10) * INTERVAL;
        for index in 1..=end {
            checkpoints.pass(index, || index * 7);
        }
        assert_eq!(checkpoints.at(end), Some(end * 7));
        assert_eq!(checkpoints.at(end - 1), None, "not one that is compared");
        assert_eq!(checkpoints.at(10 * INTERVAL), None, "long ago");
        let newest: Vec<_> = checkpoints.newest(2).iter().map(|checkpoint| checkpoint.index).collect();
        assert_eq!(newest, [end - INTERVAL, end]);
    }
}
