//! Bringing the sessions of a whole batch into the cache, before they are used one by one.
//!
//! In a state of millions nearly every step to a session (index, page, row, bytes, links) waits for memory, and each
//! needs the one before. Taken one session after another, the waits add up; taken step by step for many sessions, the
//! processor waits for all of them at once. Nothing but time depends on it.

use std::hint::black_box;

use smallvec::SmallVec;

use super::{RowId, Sessions};
use crate::{SessionOperation, State};

/// Sessions under way at once: more than a processor has misses in flight, few enough to stay in its first cache.
const GROUP: usize = 64;

impl Sessions {
    fn warm<'a>(&self, users: impl Iterator<Item = &'a [u8]>) {
        let mut users = users.map(|user| self.hash_of_user(user)).peekable();
        while users.peek().is_some() {
            let hashes: SmallVec<[u64; GROUP]> = users.by_ref().take(GROUP).collect();
            black_box(hashes.iter().fold(0, |sum, hash| sum ^ self.index.touch(*hash)));
            let candidates = hashes.iter().filter_map(|hash| self.index.candidates(*hash).next());
            let rows: SmallVec<[RowId; GROUP]> = candidates.collect();
            self.warm_rows(&rows);
        }
    }

    pub(super) fn warm_rows(&self, rows: &[RowId]) {
        for group in rows.chunks(GROUP) {
            black_box(group.iter().fold(0, |sum, row| sum ^ self.rows.touch_row(*row)));
            black_box(group.iter().fold(0, |sum, row| sum ^ self.rows.touch_bytes(*row)));
        }
    }

    /// The same for what a write touches beside.
    fn warm_links<'a>(&self, users: impl Iterator<Item = &'a [u8]>) {
        let mut users = users.map(|user| self.hash_of_user(user)).peekable();
        while users.peek().is_some() {
            let hashes: SmallVec<[u64; GROUP]> = users.by_ref().take(GROUP).collect();
            let candidates = hashes.iter().filter_map(|hash| self.index.candidates(*hash).next());
            let links: SmallVec<[(RowId, RowId); GROUP]> = candidates.map(|row| self.links.around(row)).collect();
            black_box(links.iter().fold(0, |sum, (before, after)| sum ^ self.links.touch(*before, *after)));
        }
    }
}

impl State {
    /// Makes the following lookups of these users faster: worth it for ten or more. See `session::warm`.
    pub fn warm<'a>(&self, users: impl Iterator<Item = &'a [u8]>) {
        self.sessions.warm(users);
    }

    pub(crate) fn warm_for(&self, operations: &[SessionOperation]) {
        let users = || operations.iter().map(|operation| operation.key().user.as_ref());
        self.sessions.warm(users());
        self.sessions.warm_links(users());
    }
}
