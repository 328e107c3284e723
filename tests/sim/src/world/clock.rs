//! The wall clock of a host: the world's time, moved by jumps and drift.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::EPOCH_MS;

/// A wall clock. Clones are the same clock.
#[derive(Debug, Clone, Default)]
pub struct SimClock {
    now_ms: Arc<AtomicU64>,
    off_ms: Arc<AtomicI64>,
    /// Reads since the last jump: a jump that nobody saw did not happen.
    reads: Arc<AtomicU64>,
}

impl SimClock {
    /// Follows the world's time.
    pub fn follow(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Jumps, in either direction.
    pub fn jump(&self, by_ms: i64) {
        self.off_ms.fetch_add(by_ms, Ordering::Relaxed);
        self.reads.store(0, Ordering::Relaxed);
    }

    /// Reads since the last jump.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// What it shows, in Unix milliseconds.
    #[must_use]
    pub fn read_ms(&self) -> u64 {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (now_ms, off_ms) = (self.now_ms.load(Ordering::Relaxed), self.off_ms.load(Ordering::Relaxed));
        (EPOCH_MS + now_ms).saturating_add_signed(off_ms)
    }
}
