//! Rows by user.
//!
//! A table of row numbers in shards by the top bits of the user's hash: growing one shard of a state of ten million
//! moves some six hundred entries, and the shards in their order are the fixed order of a walk. An entry holds 32 bits
//! of the hash beside the row number, so that neither growing nor a miss reads a row. The slots of a user are entries
//! of equal hash. The index is never shared with a snapshot, and rebuilt on thaw.

use std::ops::RangeInclusive;

use hashbrown::HashTable;

use super::row::RowId;

const SHARD_BITS: u32 = 14;
/// Of a hash, the lowest bits, by which nothing is found.
pub(super) const BITS_UNUSED: u32 = u64::BITS - SHARD_BITS - u32::BITS;
const SHARDS: usize = 1 << SHARD_BITS;
/// A shard with room for no more than this is not worth shrinking.
const SHARD_ROWS_KEPT: usize = 64;
/// The most rows that room is made for on a snapshot's word.
const RESERVED_ROWS_MAX: u64 = 1 << 26;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    row: RowId,
    /// The bits of the user's hash below those of the shard.
    tag: u32,
}

impl Slot {
    fn new(hash: u64, row: RowId) -> Self {
        Self { row, tag: (hash >> BITS_UNUSED) as u32 }
    }

    /// A table looks at the top and the lowest bits.
    fn spread(&self) -> u64 {
        u64::from(self.tag).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

#[derive(Debug)]
pub(super) struct Index {
    shards: Box<[HashTable<Slot>]>,
}

impl Default for Index {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect() }
    }
}

impl Index {
    pub(super) fn shard_of(hash: u64) -> usize {
        (hash >> (u64::BITS - SHARD_BITS)) as usize
    }

    pub(super) fn shards_from(hash: u64) -> RangeInclusive<usize> {
        Self::shards_between(hash, u64::MAX)
    }

    /// Those that hold the hashes of a range.
    pub(super) fn shards_between(first: u64, last: u64) -> RangeInclusive<usize> {
        Self::shard_of(first)..=Self::shard_of(last)
    }

    /// Rows that may be of a user with this hash; seldom others among them.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = RowId> {
        let wanted = Slot::new(hash, RowId::NONE);
        let found = self.shards[Self::shard_of(hash)].iter_hash(wanted.spread());
        found.filter(move |slot| slot.tag == wanted.tag).map(|slot| slot.row)
    }

    /// Reads where the candidates would be found.
    pub(super) fn touch(&self, hash: u64) -> u32 {
        self.candidates(hash).next().map_or(0, |row| row.0)
    }

    pub(super) fn insert(&mut self, hash: u64, row: RowId) {
        let slot = Slot::new(hash, row);
        self.shards[Self::shard_of(hash)].insert_unique(slot.spread(), slot, Slot::spread);
    }

    pub(super) fn remove(&mut self, hash: u64, row: RowId) {
        let (slot, shard) = (Slot::new(hash, row), &mut self.shards[Self::shard_of(hash)]);
        if let Ok(entry) = shard.find_entry(slot.spread(), |other| *other == slot) {
            entry.remove();
        }
        // A storm that is over gives its memory back.
        if shard.capacity() > SHARD_ROWS_KEPT && shard.len() * 8 < shard.capacity() {
            shard.shrink_to(shard.len() * 2, Slot::spread);
        }
    }

    /// Rows of one shard, in no order.
    pub(super) fn rows(&self, shard: usize) -> impl ExactSizeIterator<Item = RowId> {
        self.shards[shard].iter().map(|slot| slot.row)
    }

    /// Makes room for this many rows in all, spread evenly. The index is empty.
    pub(super) fn reserve(&mut self, rows: u64) {
        let share = (rows.min(RESERVED_ROWS_MAX) / SHARDS as u64) as usize;
        let spread = share + 3 * share.isqrt();
        self.shards = (0..SHARDS).map(|_| HashTable::with_capacity(spread)).collect();
    }
}
