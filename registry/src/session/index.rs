//! Rows by user.
//!
//! A table of row numbers in shards by the top bits of the user's hash: growing one shard of a state of ten million
//! touches some six hundred rows, and the shards in their order are the fixed order of a walk. The slots of a user are entries of
//! equal hash. The index is never shared with a snapshot, and rebuilt on thaw.

use std::ops::Range;

use hashbrown::HashTable;

use super::row::RowId;

const SHARD_BITS: u32 = 14;
const SHARDS: usize = 1 << SHARD_BITS;
/// A shard with room for no more than this is not worth shrinking.
const SHARD_ROWS_KEPT: usize = 64;
/// The most rows that room is made for on a snapshot's word.
const RESERVED_ROWS_MAX: u64 = 1 << 26;

#[derive(Debug)]
pub(super) struct Index {
    shards: Box<[HashTable<RowId>]>,
}

impl Default for Index {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect() }
    }
}

/// The shard has used the top bits, and the table uses the top and the lowest ones: give it others.
fn within_shard(hash: u64) -> u64 {
    hash.rotate_left(32)
}

impl Index {
    pub(super) fn shard_of(hash: u64) -> usize {
        (hash >> (u64::BITS - SHARD_BITS)) as usize
    }

    pub(super) fn shards_from(hash: u64) -> Range<usize> {
        Self::shard_of(hash)..SHARDS
    }

    /// Rows that may be of a user with this hash; a few others among them.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = RowId> {
        self.shards[Self::shard_of(hash)].iter_hash(within_shard(hash)).copied()
    }

    /// Reads where the candidates would be found.
    pub(super) fn touch(&self, hash: u64) -> u32 {
        self.candidates(hash).next().map_or(0, |row| row.0)
    }

    pub(super) fn insert(&mut self, hash: u64, row: RowId, hash_of: impl Fn(RowId) -> u64) {
        let rehash = |row: &RowId| within_shard(hash_of(*row));
        self.shards[Self::shard_of(hash)].insert_unique(within_shard(hash), row, rehash);
    }

    pub(super) fn remove(&mut self, hash: u64, row: RowId, hash_of: impl Fn(RowId) -> u64) {
        let shard = &mut self.shards[Self::shard_of(hash)];
        if let Ok(entry) = shard.find_entry(within_shard(hash), |other| *other == row) {
            entry.remove();
        }
        // A storm that is over gives its memory back.
        if shard.capacity() > SHARD_ROWS_KEPT && shard.len() * 8 < shard.capacity() {
            shard.shrink_to(shard.len() * 2, |row| within_shard(hash_of(*row)));
        }
    }

    /// Rows of one shard, in no order.
    pub(super) fn rows(&self, shard: usize) -> impl ExactSizeIterator<Item = RowId> {
        self.shards[shard].iter().copied()
    }

    /// Makes room for this many rows in all, spread evenly. The index is empty.
    pub(super) fn reserve(&mut self, rows: u64) {
        let share = (rows.min(RESERVED_ROWS_MAX) / SHARDS as u64) as usize;
        let spread = share + 3 * share.isqrt();
        self.shards = (0..SHARDS).map(|_| HashTable::with_capacity(spread)).collect();
    }
}
