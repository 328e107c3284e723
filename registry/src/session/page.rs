//! Some sessions side by side, copied as one when a snapshot holds them.
//!
//! The rows are plain and of one size, and lie in the page itself, so that a reader who knows the page needs one step
//! to a row; everything of variable length lies in one heap beside them. A row whose bytes keep their length is
//! overwritten in place, which is what nearly every reconnect does; otherwise the old bytes become garbage, and the
//! heap is compacted once half of it is.

use super::row::{Content, Entry, Row};

/// Rows of a page: as many as make it, with its counts, 2 KiB, which allocators have a size for.
pub(super) const PAGE_ROWS: usize = 62;

/// What an offset can address. A page of the largest sessions, without garbage, is below it.
const HEAP_BYTES_MAX: usize = u16::MAX as usize;

#[derive(Debug, Clone)]
pub(super) struct Page {
    heap: Vec<u8>,
    garbage: u32,
    live: u8,
    rows: [Row; PAGE_ROWS],
}

const _: () = assert!(size_of::<Page>() + 2 * size_of::<usize>() <= 2048, "a shared page is 2 KiB");

impl Default for Page {
    fn default() -> Self {
        Self { heap: Vec::new(), garbage: 0, live: 0, rows: [Row::default(); PAGE_ROWS] }
    }
}

impl Page {
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<Entry<'_>> {
        let row = *self.rows.get(place)?;
        if row.is_vacant() {
            return None;
        }
        let start = usize::from(row.offset);
        Some(Entry { row, bytes: &self.heap[start..start + row.bytes()] })
    }

    /// See `warm`.
    pub(super) fn touch(&self, place: usize) -> usize {
        self.heap.len() ^ self.rows.get(place).map_or(0, |row| usize::from(row.offset))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..PAGE_ROWS).filter_map(|place| self.get(place))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    pub(super) fn put(&mut self, place: usize, content: &Content<'_>) {
        let mut row = Row::new(content);
        let (old, bytes) = (self.rows[place], row.bytes());
        if old.is_vacant() {
            self.live += 1;
            row.offset = self.extend(bytes);
        } else if old.bytes() == bytes {
            row.offset = old.offset;
        } else {
            self.rows[place] = Row::default();
            self.garbage += old.bytes() as u32;
            row.offset = self.extend(bytes);
        }
        let start = usize::from(row.offset);
        content.write(&mut self.heap[start..start + bytes]);
        self.rows[place] = row;
    }

    pub(super) fn clear(&mut self, place: usize) {
        let Some(row) = self.rows.get_mut(place).filter(|row| !row.is_vacant()) else { return };
        self.garbage += row.bytes() as u32;
        *row = Row::default();
        self.live -= 1;
        if self.is_wasteful() {
            self.compact();
        }
    }

    /// Makes room for `bytes` at the end of the heap.
    fn extend(&mut self, bytes: usize) -> u16 {
        if self.is_wasteful() || self.heap.len() + bytes > HEAP_BYTES_MAX {
            self.compact();
        }
        let start = self.heap.len();
        if self.heap.capacity() - start < bytes {
            self.heap.reserve_exact(bytes.max(self.expected_growth()));
        }
        self.heap.resize(start + bytes, 0);
        start as u16
    }

    /// What the page's vacant rows will want, if they are like the others, in a few steps.
    fn expected_growth(&self) -> usize {
        let vacant = PAGE_ROWS - usize::from(self.live).min(PAGE_ROWS);
        let typical = self.heap.len() / usize::from(self.live).max(1);
        typical * vacant.div_ceil(2)
    }

    fn is_wasteful(&self) -> bool {
        self.garbage as usize * 2 > self.heap.len()
    }

    fn compact(&mut self) {
        let mut heap = Vec::with_capacity(self.heap.len() - self.garbage as usize);
        for row in self.rows.iter_mut().filter(|row| !row.is_vacant()) {
            let start = usize::from(row.offset);
            row.offset = heap.len() as u16;
            heap.extend_from_slice(&self.heap[start..start + row.bytes()]);
        }
        self.heap = heap;
        self.garbage = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAP_BYTES_MAX, PAGE_ROWS, Page};
    use crate::{
        Epoch, LogTime, PresenceCursor, limits,
        session::{Content, Dropped, OwnerId, TopicId},
    };

    fn content<'a>(user: &'a [u8], attributes: &'a [u8], topics: &'a [TopicId]) -> Content<'a> {
        Content {
            owner: OwnerId(0),
            epoch: Epoch::default(),
            registered_at: LogTime(0),
            user,
            slot: &[1; limits::SLOT_BYTES_MAX],
            connection: &[2; limits::CONNECTION_BYTES_MAX],
            attributes,
            conn_seq: Some(u64::MAX),
            flushed: Some(Epoch::default()),
            dropped: Some(Dropped { cursor: PresenceCursor::default(), at: LogTime(0), graces: 0 }),
            topics,
        }
    }

    /// The largest sessions fill a page, and go on changing size, without a row ever losing its bytes.
    #[test]
    fn a_page_of_the_largest_sessions_survives_every_change_of_size() {
        let mut page = Page::default();
        let topics = [TopicId(7); limits::TOPICS_PER_SESSION_MAX];
        let lengths = (0..10 * PAGE_ROWS).map(|step| (step * 97) % (limits::ATTRIBUTES_BYTES_MAX + 1));
        let mut wanted = vec![Vec::new(); PAGE_ROWS];
        for (step, length) in lengths.enumerate() {
            let length = if step < PAGE_ROWS { limits::ATTRIBUTES_BYTES_MAX } else { length };
            let place = (step * 29) % PAGE_ROWS;
            wanted[place] = vec![step as u8; length];
            page.put(place, &content(&[step as u8; limits::USER_BYTES_MAX], &wanted[place], &topics));
            assert!(page.heap.len() <= HEAP_BYTES_MAX);
            for (place, wanted) in wanted.iter().enumerate() {
                let found = page.get(place).map_or(&[][..], |entry| entry.attributes());
                assert_eq!(found, wanted, "row {place} after step {step}");
            }
        }
        for place in 0..PAGE_ROWS {
            page.clear(place);
        }
        assert!(page.is_empty() && page.heap.is_empty());
    }
}
