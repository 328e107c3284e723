//! A node's disk: what was synced survives, what was not may vanish, and it fails when it is told to.
//!
//! The log lies on a [`MemoryDisk`], which keeps whole operations or none, as RocksDB's batches are. Snapshots are real
//! files in a folder of their own: they get their names after they were synced, so a crash loses unfinished ones only,
//! which is what leaving the folder as it is comes to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use keeper::store::memory::{Fault, MemoryDisk, MemoryEngine, SyncPolicy};
use keeper::store::{FreeBytes, Hooks, SnapshotError, SnapshotStore};
use keeper_registry::Level;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;
use tokio::sync::Notify;

/// Records that a damaged log has lost, at most; fewer than are kept behind a snapshot.
const TORN_MAX: usize = 5;

/// Room on a disk that nobody fills.
const ROOM_BYTES: u64 = 1 << 40;

/// What growth leaves free.
pub const RESERVE_BYTES: u64 = 64 << 20;

/// What is left of the reserve while a disk is [`Filled::Within`] it, and [`Filled::Up`]: not even a snapshot of
/// another node is taken then.
const LEFT_BYTES: [u64; 2] = [RESERVE_BYTES / 2, RESERVE_BYTES / 8];

/// How long a sync takes.
const SYNC_MS: std::ops::RangeInclusive<u64> = 0..=4;

/// What outlives the processes of a node.
pub struct Disk {
    log: MemoryDisk,
    snapshots: TempDir,
    slow_ms: Arc<AtomicU64>,
    /// Names it, as a data directory's file does.
    id: u64,
    /// Of the node whose disk it is; 0 while it was given none. Durable at once.
    number: AtomicU64,
    /// The feature level of what lies on it; durable at once, too.
    level: AtomicU32,
    /// How far something else fills it.
    filled: Arc<[AtomicBool; 2]>,
}

/// How far something else fills a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// What is left is for ending things.
    Within,
    /// Next to nothing is left.
    Up,
}

/// The log engine of one process, and what must run for it.
pub struct Opened {
    /// The log.
    pub engine: Arc<MemoryEngine>,
    due: Arc<Notify>,
    slow_ms: Arc<AtomicU64>,
    rng: StdRng,
}

impl Disk {
    /// An empty disk of the node of a number, or of one that waits for its number. Its snapshots lie in a folder that
    /// goes with it.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(id: u64, number: u64) -> std::io::Result<Self> {
        Ok(Self {
            log: MemoryDisk::default(),
            snapshots: TempDir::new()?,
            slow_ms: Arc::default(),
            id,
            number: AtomicU64::new(number),
            level: AtomicU32::new(Level::FIRST.0),
            filled: Arc::default(),
        })
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The number of its node; 0 while it has none.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Its node has this number from now on.
    pub fn keep_number(&self, number: u64) {
        self.number.store(number, Ordering::Relaxed);
    }

    /// The feature level of what lies on it.
    #[must_use]
    pub fn level(&self) -> Level {
        Level(self.level.load(Ordering::Relaxed))
    }

    /// What lies on it is of this level from now on.
    pub fn keep_level(&self, level: Level) {
        self.level.store(level.0, Ordering::Relaxed);
    }

    /// Something else takes room on it.
    pub fn fill(&self, filled: Filled) {
        self.filled[filled as usize].store(true, Ordering::Relaxed);
    }

    /// What had taken room is gone.
    pub fn relieve(&self, filled: Filled) {
        self.filled[filled as usize].store(false, Ordering::Relaxed);
    }

    /// Asks what is free on it.
    #[must_use]
    pub fn free_bytes(&self) -> FreeBytes {
        let filled = Arc::clone(&self.filled);
        Arc::new(move || {
            let worst = LEFT_BYTES.iter().zip(filled.iter()).rfind(|(_, filled)| filled.load(Ordering::Relaxed));
            Some(worst.map_or(ROOM_BYTES, |(left_bytes, _)| *left_bytes))
        })
    }

    /// The power is gone, or the process. Some of what was not synced had reached the disk all the same. Says how many
    /// operations are lost.
    pub fn crash(&self, rng: &mut StdRng) -> usize {
        let unsynced = self.log.unsynced();
        let survivors = rng.random_range(0..=unsynced);
        self.log.crash(survivors);
        unsynced - survivors
    }

    /// The next sync fails.
    pub fn fail(&self, fault: Fault) {
        self.log.inject(fault);
    }

    /// Every sync takes so much longer from now on.
    pub fn slow_down(&self, extra_ms: u64) {
        self.slow_ms.store(extra_ms, Ordering::Relaxed);
    }

    /// Damages what was synced, while no process runs on it: the end of the log is gone, or a bit of the snapshot is
    /// another one. Says what; none when there is nothing yet.
    pub fn damage(&self, rng: &mut StdRng) -> Option<&'static str> {
        let newest = self.snapshots().ok()?.newest().ok()??;
        if rng.random_range(0..2) == 0 {
            self.log.tear(0, rng.random_range(1..=TORN_MAX));
            return Some("the end of the log");
        }
        let mut bytes = std::fs::read(newest.path()).ok()?;
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
        std::fs::write(newest.path(), bytes).ok()?;
        Some("a bit of the snapshot")
    }

    /// Where snapshots lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.snapshots.path()
    }

    /// The snapshots.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn snapshots(&self) -> Result<SnapshotStore, SnapshotError> {
        SnapshotStore::open(self.folder())
    }

    /// Begins another run on this disk.
    #[must_use]
    pub fn open(&self, seed: u64, hooks: Hooks) -> Opened {
        let due = Arc::new(Notify::new());
        let notify = {
            let due = Arc::clone(&due);
            Box::new(move || due.notify_one())
        };
        let engine = Arc::new(MemoryEngine::open(&self.log, SyncPolicy::Notified(notify), hooks));
        let slow_ms = Arc::clone(&self.slow_ms);
        Opened { engine, due, slow_ms, rng: StdRng::seed_from_u64(seed) }
    }
}

impl Opened {
    /// Syncs what is due, for ever: all that was submitted while the last sync ran goes with the next.
    pub async fn sync(mut self) {
        loop {
            self.due.notified().await;
            let taking_ms = self.rng.random_range(SYNC_MS) + self.slow_ms.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(taking_ms)).await;
            self.engine.sync();
        }
    }
}
