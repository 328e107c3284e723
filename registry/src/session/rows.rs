//! All rows, by number.
//!
//! Pages lie in blocks, both behind `Arc`: a snapshot clones one pointer for each 8,192 rows, 1,221 for ten million. While
//! it holds a block, the first write to it copies the block's page pointers, and the first write to a page that page.

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
    pages: Vec<Arc<Page>>,
}

impl Block {
    pub(super) fn into_pages(self) -> impl Iterator<Item = Arc<Page>> {
        self.pages.into_iter()
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    blocks: Vec<Arc<Block>>,
}

impl Rows {
    pub(super) fn get(&self, row: RowId) -> Option<Entry<'_>> {
        let (page, place) = self.page(row)?;
        page.get(place)
    }

    /// Reads the page's own memory.
    pub(super) fn touch_page(&self, row: RowId) -> usize {
        self.page(row).map_or(0, |(page, _)| page.touch())
    }

    /// Reads the row.
    pub(super) fn touch_row(&self, row: RowId) -> usize {
        self.page(row).map_or(0, |(page, place)| page.touch_row(place))
    }

    /// Reads the row's bytes.
    pub(super) fn touch_bytes(&self, row: RowId) -> u8 {
        let first = self.get(row).and_then(|entry| entry.bytes.first().copied());
        first.unwrap_or_default()
    }

    fn page(&self, row: RowId) -> Option<(&Page, usize)> {
        let (block, page, place) = locate(row);
        Some((self.blocks.get(block)?.pages.get(page)?, place))
    }

    /// Rows are taken in the order of their numbers at first, so the page is there or the next to come.
    pub(super) fn put(&mut self, row: RowId, content: &Content<'_>) {
        let (block, page, place) = locate(row);
        while self.blocks.len() <= block {
            self.blocks.push(Arc::default());
        }
        let block = Arc::make_mut(&mut self.blocks[block]);
        while block.pages.len() <= page {
            block.pages.push(Arc::default());
        }
        Arc::make_mut(&mut block.pages[page]).put(place, content);
    }

    pub(super) fn clear(&mut self, row: RowId) {
        let (block, page, place) = locate(row);
        let Some(block) = self.blocks.get_mut(block) else { return };
        let Some(page) = Arc::make_mut(block).pages.get_mut(page) else { return };
        Arc::make_mut(page).clear(place);
    }

    pub(super) fn into_blocks(self) -> impl Iterator<Item = Arc<Block>> {
        self.blocks.into_iter()
    }
}

fn locate(row: RowId) -> (usize, usize, usize) {
    let number = row.0 as usize;
    (number / BLOCK_ROWS, number / PAGE_ROWS % BLOCK_PAGES, number % PAGE_ROWS)
}
