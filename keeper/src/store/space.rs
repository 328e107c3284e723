//! Room on the disk: how much is free, how much must be, and whether that is too little.
//!
//! Growth ends while there is still room for everything that ends something: the records of deletes and expiry, one
//! flush of the log, and one snapshot, without which the log could not be cut. So what must be free is the reserve of
//! the settings and what the next snapshot takes.
//!
//! A node that was short is not before a quarter of its need more is free: growth that came and went with every deleted
//! file would be worse than either.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks what is free where the data lies; none where there is no disk, or it does not answer.
pub type FreeBytes = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// The disk of one node.
pub struct Space {
    free_bytes: FreeBytes,
    reserve_bytes: u64,
    was_short: AtomicBool,
}

/// What there is, and what must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free where the data lies.
    pub free_bytes: u64,
    /// What must be, before anything grows.
    pub needed_bytes: u64,
    /// Whether there is too little.
    pub standing: Standing,
}

/// Whether the state may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Ample,
    /// It may not: what is left is for ending things.
    Short,
}

impl Space {
    /// A disk of which growth leaves `reserve_bytes`.
    #[must_use]
    pub fn new(free_bytes: FreeBytes, reserve_bytes: u64) -> Self {
        Self { free_bytes, reserve_bytes, was_short: AtomicBool::new(false) }
    }

    /// No disk at all, as in a simulation.
    #[must_use]
    pub fn boundless() -> Self {
        Self::new(Arc::new(|| None), 0)
    }

    /// What there is now, when the next snapshot takes `snapshot_bytes`.
    #[must_use]
    pub fn room(&self, snapshot_bytes: u64) -> Option<Room> {
        let free_bytes = (self.free_bytes)()?;
        let needed_bytes = self.reserve_bytes.saturating_add(snapshot_bytes);
        let before = if self.was_short.load(Ordering::Relaxed) { Standing::Short } else { Standing::Ample };
        let standing = standing(free_bytes, needed_bytes, before);
        self.was_short.store(standing == Standing::Short, Ordering::Relaxed);
        Some(Room { free_bytes, needed_bytes, standing })
    }

    /// Whether the log has room left behind something else that is written, which can be done later.
    #[must_use]
    pub fn spares_log(&self) -> bool {
        (self.free_bytes)().is_none_or(|free_bytes| free_bytes >= self.reserve_bytes / 4)
    }
}

const fn standing(free_bytes: u64, needed_bytes: u64, before: Standing) -> Standing {
    let enough = match before {
        Standing::Ample => needed_bytes,
        Standing::Short => needed_bytes.saturating_add(needed_bytes / 4),
    };
    if free_bytes < enough { Standing::Short } else { Standing::Ample }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("reserve_bytes", &self.reserve_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn who_was_short_needs_more_than_who_was_not() {
        let free = Arc::new(AtomicU64::new(100));
        let probe = Arc::clone(&free);
        let space = Space::new(Arc::new(move || Some(probe.load(Ordering::Relaxed))), 60);
        let mut standings = Vec::new();
        for now in [100, 80, 79, 99, 100, 80] {
            free.store(now, Ordering::Relaxed);
            standings.push(space.room(20).map(|room| room.standing));
        }
        use Standing::{Ample, Short};
        assert_eq!(standings, [Ample, Ample, Short, Short, Ample, Ample].map(Some));
    }

    #[test]
    fn a_snapshot_to_come_counts() {
        let space = Space::new(Arc::new(|| Some(100)), 60);
        let room = |snapshot| space.room(snapshot).map(|room| (room.needed_bytes, room.standing));
        assert_eq!(room(40), Some((100, Standing::Ample)));
        assert_eq!(room(41), Some((101, Standing::Short)));
        assert_eq!(Space::boundless().room(1), None);
        assert!(space.spares_log() && Space::boundless().spares_log());
        assert!(!Space::new(Arc::new(|| Some(14)), 60).spares_log());
    }
}
