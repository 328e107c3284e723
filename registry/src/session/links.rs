//! Which rows belong together: a doubly linked list for each owner, oldest registration first; lists of those that
//! linger; and the vacant rows.
//!
//! Links lie outside the pages, because relinking a row changes its neighbours, and a snapshot must not be the reason
//! to copy their pages. They are rebuilt on thaw.

use super::{row::RowId, rows::BLOCK_ROWS};

#[derive(Debug, Clone, Copy)]
struct Link {
    before: RowId,
    after: RowId,
}

const UNLINKED: Link = Link { before: RowId::NONE, after: RowId::NONE };

/// Rows in an order: an owner's by their epochs, lingering ones by when they dropped.
#[derive(Debug, Clone)]
pub(crate) struct List {
    head: RowId,
    tail: RowId,
    len: u64,
}

impl Default for List {
    fn default() -> Self {
        Self { head: RowId::NONE, tail: RowId::NONE, len: 0 }
    }
}

impl List {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The oldest one.
    pub(crate) fn first(&self) -> RowId {
        self.head
    }
}

#[derive(Debug)]
pub(super) struct Links {
    /// In blocks, so that growing never moves what is there.
    blocks: Vec<Box<[Link]>>,
    /// Rows were handed out up to here.
    used: u32,
    /// The first of the rows given back, chained by `after`.
    vacant: RowId,
}

impl Default for Links {
    fn default() -> Self {
        Self { blocks: Vec::new(), used: 0, vacant: RowId::NONE }
    }
}

impl Links {
    /// A row nobody uses. The number of sessions is limited below the number of rows.
    pub(super) fn take(&mut self) -> RowId {
        if self.vacant != RowId::NONE {
            let row = self.vacant;
            self.vacant = self.get(row).after;
            *self.get_mut(row) = UNLINKED;
            return row;
        }
        let row = RowId(self.used);
        self.used += 1;
        if self.blocks.len() * BLOCK_ROWS <= row.0 as usize {
            self.blocks.push(vec![UNLINKED; BLOCK_ROWS].into_boxed_slice());
        }
        row
    }

    pub(super) fn give_back(&mut self, row: RowId) {
        *self.get_mut(row) = Link { before: RowId::NONE, after: self.vacant };
        self.vacant = row;
    }

    pub(super) fn push(&mut self, list: &mut List, row: RowId) {
        *self.get_mut(row) = Link { before: list.tail, after: RowId::NONE };
        match list.tail {
            RowId::NONE => list.head = row,
            tail => self.get_mut(tail).after = row,
        }
        list.tail = row;
        list.len += 1;
    }

    pub(super) fn remove(&mut self, list: &mut List, row: RowId) {
        let Link { before, after } = *self.get(row);
        match before {
            RowId::NONE => list.head = after,
            before => self.get_mut(before).after = after,
        }
        match after {
            RowId::NONE => list.tail = before,
            after => self.get_mut(after).before = before,
        }
        *self.get_mut(row) = UNLINKED;
        list.len -= 1;
    }

    pub(super) fn rows(&self, list: &List) -> impl Iterator<Item = RowId> {
        let mut next = list.head;
        std::iter::from_fn(move || {
            let row = next;
            if row == RowId::NONE {
                return None;
            }
            next = self.get(row).after;
            Some(row)
        })
    }

    /// A row's neighbours.
    pub(super) fn around(&self, row: RowId) -> (RowId, RowId) {
        let Link { before, after } = *self.get(row);
        (before, after)
    }

    /// Reads the links of two rows.
    pub(super) fn touch(&self, one: RowId, other: RowId) -> u32 {
        let read = |row| if row == RowId::NONE { 0 } else { self.get(row).after.0 };
        read(one) ^ read(other)
    }

    fn get(&self, row: RowId) -> &Link {
        &self.blocks[row.0 as usize / BLOCK_ROWS][row.0 as usize % BLOCK_ROWS]
    }

    fn get_mut(&mut self, row: RowId) -> &mut Link {
        &mut self.blocks[row.0 as usize / BLOCK_ROWS][row.0 as usize % BLOCK_ROWS]
    }
}
