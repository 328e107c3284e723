//! A log in memory that forgets like a disk, for simulation.
//!
//! A [`MemoryDisk`] outlives the node that wrote it; a [`MemoryEngine`] is one run of that node. Operations wait until
//! they are synced, and then become durable together, in order. A crash drops those that were not, except for a prefix
//! that may have reached the disk by itself: like the real engine's batches, operations survive whole or not at all.
//! Faults are injected by name; nothing here reads a clock, starts a thread or draws a random number, so a run depends
//! only on its caller.

mod disk;

pub use disk::{Fault, MemoryDisk};

use std::sync::Arc;

use parking_lot::Mutex;

use super::engine::{GroupId, Hooks, LogEngine, LogOp, Record, Recovered};
use super::error::StoreError;
use disk::Run;

/// When operations are synced.
pub enum SyncPolicy {
    /// As they are submitted; callbacks are called from within `submit`.
    AtOnce,
    /// When [`MemoryEngine::sync`] is called; this is called whenever there is something to sync, to have that
    /// arranged.
    Notified(Box<dyn Fn() + Send + Sync>),
}

/// One run of a node on a disk in memory.
pub struct MemoryEngine {
    disk: MemoryDisk,
    run: Run,
    policy: SyncPolicy,
    hooks: Hooks,
    stopped: Mutex<Option<StoreError>>,
}

impl MemoryEngine {
    /// Starts a run. An earlier one that still holds the disk can no longer write to it.
    #[must_use]
    pub fn open(disk: &MemoryDisk, policy: SyncPolicy, hooks: Hooks) -> Self {
        Self { disk: disk.clone(), run: disk.begin_run(), policy, hooks, stopped: Mutex::new(None) }
    }

    /// Makes everything submitted durable and completes it, in order; or fails it all, if a fault was injected.
    pub fn sync(&self) {
        let (ops, result) = self.disk.sync(self.run);
        let failed = result.as_ref().err().cloned();
        if let Some(error) = &failed {
            *self.stopped.lock() = Some(error.clone());
        }
        // The disk's lock is free again: a callback may submit.
        for done in ops {
            done(result.clone());
        }
        if let Some(error) = failed {
            (self.hooks.fatal)(&error);
        }
    }
}

impl LogEngine for MemoryEngine {
    fn submit(&self, op: LogOp) {
        if self.stopped.lock().is_some() {
            return op.finish(Err(StoreError::Stopped));
        }
        let awaited = op.is_awaited();
        if let Err(op) = self.disk.push(self.run, op) {
            return op.finish(Err(StoreError::Stopped));
        }
        match &self.policy {
            SyncPolicy::AtOnce => self.sync(),
            SyncPolicy::Notified(notify) if awaited => notify(),
            SyncPolicy::Notified(_) => {}
        }
    }

    fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<Record>, StoreError> {
        self.disk.read(group, from, to, bytes_max)
    }

    fn recover(&self, group: GroupId) -> Result<Recovered, StoreError> {
        self.disk.recover(group)
    }
}

impl Hooks {
    /// For those who wait for every callback: failures are visible there alone.
    #[must_use]
    pub fn ignore() -> Self {
        Self { fatal: Arc::new(|_| {}), synced: Arc::new(|_| {}) }
    }
}

#[cfg(test)]
mod tests;
