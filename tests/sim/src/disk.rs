//! A node's disk: what was synced survives, what was not may vanish, and it fails when it is told to.
//!
//! The log lies on a [`MemoryDisk`], which keeps whole operations or none, as RocksDB's batches are. Snapshots are real
//! files in a folder of their own: they get their names after they were synced, so a crash loses unfinished ones only,
//! which is what leaving the folder as it is comes to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keeper::store::memory::{Fault, MemoryDisk, MemoryEngine, SyncPolicy};
use keeper::store::{Hooks, SnapshotError, SnapshotStore};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;
use tokio::sync::Notify;

/// How long a sync takes.
const SYNC_MS: std::ops::RangeInclusive<u64> = 0..=4;

/// What outlives the processes of a node.
pub struct Disk {
    log: MemoryDisk,
    snapshots: TempDir,
    slow_ms: Arc<AtomicU64>,
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
    /// An empty disk, whose snapshots lie in a folder that goes with it.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { log: MemoryDisk::default(), snapshots: TempDir::new()?, slow_ms: Arc::default() })
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
