//! All rows, by number.
//!
//! Pages lie in blocks, both behind `Arc`: a snapshot clones one pointer for each 7,936 rows, 1,261 for ten million.
//! While it holds a block, the first write to it copies the block's page pointers, and the first write to a page that
//! page. A page without rows is given back.

use std::sync::Arc;

use super::{
    page::{PAGE_ROWS, Page},
    row::{Content, Entry, RowId},
};

/// Pages of a block: copying so many pointers costs some ten microseconds.
const BLOCK_PAGES: usize = 128;
/// Rows of a block.
pub(super) const BLOCK_ROWS: usize = BLOCK_PAGES * PAGE_ROWS;

#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pages: Vec<Option<Arc<Page>>>,
}

impl Block {
    pub(super) fn into_pages(self) -> impl Iterator<Item = Arc<Page>> {
        self.pages.into_iter().flatten()
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    blocks: Vec<Arc<Block>>,
}

impl Rows {
    #[inline]
    pub(super) fn get(&self, row: RowId) -> Option<Entry<'_>> {
        let (page, place) = self.page(row)?;
        page.get(place)
    }

    /// Reads the page and the row.
    pub(super) fn touch_row(&self, row: RowId) -> usize {
        self.page(row).map_or(0, |(page, place)| page.touch(place))
    }

    /// Reads the row's bytes.
    pub(super) fn touch_bytes(&self, row: RowId) -> u8 {
        let first = self.get(row).and_then(|entry| entry.bytes.first().copied());
        first.unwrap_or_default()
    }

    #[inline]
    fn page(&self, row: RowId) -> Option<(&Page, usize)> {
        let (block, page, place) = locate(row);
        Some((self.blocks.get(block)?.pages.get(page)?.as_ref()?, place))
    }

    /// Rows are taken in the order of their numbers at first, so the page is there or the next to come.
    pub(super) fn put(&mut self, row: RowId, content: &Content<'_>) {
        let (block, page, place) = locate(row);
        while self.blocks.len() <= block {
            self.blocks.push(Arc::default());
        }
        let block = Arc::make_mut(&mut self.blocks[block]);
        while block.pages.len() <= page {
            block.pages.push(None);
        }
        Arc::make_mut(block.pages[page].get_or_insert_default()).put(place, content);
    }

    pub(super) fn clear(&mut self, row: RowId) {
        let (block, page, place) = locate(row);
        let Some(block) = self.blocks.get_mut(block) else { return };
        let Some(slot) = Arc::make_mut(block).pages.get_mut(page) else { return };
        let Some(page) = slot.as_mut().map(Arc::make_mut) else { return };
        page.clear(place);
        if page.is_empty() {
            *slot = None;
        }
    }

    pub(super) fn into_blocks(self) -> impl Iterator<Item = Arc<Block>> {
        self.blocks.into_iter()
    }
}

#[inline]
fn locate(row: RowId) -> (usize, usize, usize) {
    let number = row.0 as usize;
    (number / BLOCK_ROWS, number / PAGE_ROWS % BLOCK_PAGES, number % PAGE_ROWS)
}
