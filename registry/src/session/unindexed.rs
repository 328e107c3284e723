//! Sessions of a snapshot on their way into the index.
//!
//! A snapshot's sessions come in the order of its pages, which to the index is none: looked up and inserted one by one,
//! each would wait for memory. They are kept back instead, and go into the index shard by shard. A key that came twice
//! is found then: equal keys have equal hashes, so only rows that the index takes for candidates are compared.

use super::{RowId, Sessions, index};

/// Rows kept back at once: their places among themselves fit the bits of a hash that the index has no use for.
const ROWS_MAX: u32 = 1 << index::BITS_UNUSED;

/// How many times the rows that came a header is believed to announce: all of a full snapshot's, and of one that is cut
/// off, or damaged where no checksum tells, no more memory than it could be meant to take.
const BELIEVED_TIMES: u64 = 256;

/// Rows that the index does not know yet.
#[derive(Debug, Default)]
pub(crate) struct Unindexed {
    /// How many there will be in all, until room was made for them.
    expected: Option<u64>,
    first: u32,
    /// The hash of each row's user, with the row's distance from the first one in the unused bits: sorted, they are in
    /// the order of shards.
    keys: Vec<u64>,
}

impl Unindexed {
    /// Before the first row of this many.
    pub(crate) fn expecting(rows: u64) -> Self {
        Self { expected: Some(rows), ..Self::default() }
    }

    /// False if there is no room for this row.
    fn push(&mut self, hash: u64, row: RowId) -> bool {
        if self.keys.is_empty() {
            self.first = row.0;
        }
        let distance = row.0.checked_sub(self.first).filter(|distance| *distance < ROWS_MAX);
        let key = distance.map(|distance| hash >> index::BITS_UNUSED << index::BITS_UNUSED | u64::from(distance));
        self.keys.extend(key);
        key.is_some()
    }

    /// In the order of shards, each with a hash that the index takes for the row's.
    fn take(&mut self) -> impl Iterator<Item = (u64, RowId)> {
        self.keys.sort_unstable();
        let first = self.first;
        self.keys.drain(..).map(move |key| (key, RowId(first + (key as u32 & (ROWS_MAX - 1)))))
    }
}

impl Sessions {
    /// Keeps a row for [`Self::index`]; false if a key came twice.
    pub(super) fn index_later(&mut self, unindexed: &mut Unindexed, user: &[u8], row: RowId) -> bool {
        let hash = self.hash_of_user(user);
        unindexed.push(hash, row) || self.index(unindexed) && unindexed.push(hash, row)
    }

    /// Takes rows into the index; false if a key came twice.
    pub(crate) fn index(&mut self, unindexed: &mut Unindexed) -> bool {
        if let Some(rows) = unindexed.expected.take() {
            self.index.reserve(rows.min(unindexed.keys.len() as u64 * BELIEVED_TIMES));
        }
        unindexed.take().all(|(hash, row)| {
            let is_new = !self.index.candidates(hash).any(|other| self.have_one_key(other, row));
            if is_new {
                self.index.insert(hash, row);
            }
            is_new
        })
    }

    fn have_one_key(&self, one: RowId, other: RowId) -> bool {
        let key = |row| self.rows.get(row).map(|entry| (entry.user(), entry.slot()));
        key(one) == key(other)
    }
}
