//! When each update of a document was due, and what became of it.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::Error;

use crate::desk::{Desk, Done};

/// Updates are numbered 1, 2, 3 ...; number 0 is what watchers begin with.
#[derive(Debug)]
pub(crate) struct Board {
    begun: Instant,
    /// Microseconds since `begun`.
    due_us: Vec<AtomicU64>,
    last: AtomicU64,
    closed: AtomicBool,
    desk: Desk,
    duplicates: AtomicU64,
    skipped: AtomicU64,
}

impl Board {
    /// For so many updates at most.
    pub(crate) fn new(updates: u64) -> Self {
        Self {
            begun: Instant::now(),
            due_us: (0..=updates).map(|_| AtomicU64::new(0)).collect(),
            last: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            desk: Desk::new(),
            duplicates: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    fn since_begun_us(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.begun).as_micros()).unwrap_or(u64::MAX)
    }

    fn slot(&self, number: u64) -> Option<&AtomicU64> {
        self.due_us.get(usize::try_from(number).ok()?)
    }

    /// An update is about to be published; false when there shall be no other one.
    pub(crate) fn publishes(&self, number: u64, due: Instant) -> bool {
        let Some(slot) = self.slot(number).filter(|_| !self.closed.load(Relaxed)) else { return false };
        slot.store(self.since_begun_us(due), Relaxed);
        self.last.fetch_max(number, Relaxed);
        true
    }

    /// No further update.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// An update was not published.
    pub(crate) fn failed(&self, error: Error) {
        self.desk.failed(error);
    }

    /// A watcher that had `last` has got `number`.
    pub(crate) fn received(&self, watcher: usize, last: u64, number: u64) {
        if number <= last {
            self.duplicates.fetch_add(1, Relaxed);
            return;
        }
        self.skipped.fetch_add(number - last - 1, Relaxed);
        if let Some(slot) = self.slot(number) {
            let latency = self.since_begun_us(Instant::now()).saturating_sub(slot.load(Relaxed));
            self.desk.answered(watcher, Duration::from_micros(latency));
        }
    }

    /// How many updates were published.
    pub(crate) fn updates(&self) -> u64 {
        self.last.load(Relaxed)
    }

    /// From when an update was due to its receipt, of all receipts since the last time; and what failed.
    pub(crate) fn take(&self) -> Done {
        self.desk.take()
    }

    /// Updates that a watcher saw again.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates.load(Relaxed)
    }

    /// Updates that a watcher never saw, because it saw a later one.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_twice_or_skipped_is_counted() {
        let board = Board::new(5);
        let due = board.begun + Duration::from_millis(1);
        assert!((1..=5).all(|number| board.publishes(number, due)));
        assert!(!board.publishes(6, due));
        board.received(0, 0, 1);
        board.received(0, 1, 4);
        board.received(0, 4, 4);
        assert_eq!((board.updates(), board.skipped(), board.duplicates()), (5, 2, 1));
        assert_eq!(board.take().latencies.count(), 2);
    }
}
