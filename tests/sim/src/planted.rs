//! Bugs on purpose: a harness that has never found anything proves nothing.
//!
//! Those here lie in the simulated disk, so that the daemon that is shipped knows nothing of them. They are chosen by
//! name in [`VARIABLE`], and `tests/planted.rs` holds the seeds that find each.

use std::sync::Arc;

use keeper::store::memory::MemoryEngine;
use keeper::store::{GroupId, LogEngine, LogOp, Record, Recovered, StoreError};

/// Names the bug.
pub const VARIABLE: &str = "KEEPER_SIM_PLANTED";

/// A bug of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Appends are acknowledged before they are synced.
    AckBeforeSync,
    /// Votes are acknowledged, and never reach the disk.
    VoteForgotten,
    /// Appended records do not reach the disk when there are several in one operation, except the last.
    AppendTorn,
}

impl Planted {
    /// The bug that the environment names, if it names one.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        match std::env::var(VARIABLE).ok()?.as_str() {
            "ack-before-sync" => Some(Self::AckBeforeSync),
            "vote-forgotten" => Some(Self::VoteForgotten),
            "append-torn" => Some(Self::AppendTorn),
            _ => None,
        }
    }

    /// An engine with this bug.
    #[must_use]
    pub fn into(self, engine: Arc<MemoryEngine>) -> Arc<dyn LogEngine> {
        Arc::new(Broken { engine, bug: self })
    }
}

struct Broken {
    engine: Arc<MemoryEngine>,
    bug: Planted,
}

impl LogEngine for Broken {
    fn submit(&self, op: LogOp) {
        match (self.bug, op) {
            (Planted::AckBeforeSync, LogOp::Append { group, records, last, done }) => {
                self.engine.submit(LogOp::Append { group, records, last, done: Box::new(|_| {}) });
                done(Ok(()));
            }
            (Planted::VoteForgotten, LogOp::SaveVote { done, .. }) => done(Ok(())),
            (Planted::AppendTorn, LogOp::Append { group, mut records, last, done }) if records.len() > 1 => {
                records.remove(0);
                self.engine.submit(LogOp::Append { group, records, last, done });
            }
            (_, op) => self.engine.submit(op),
        }
    }

    fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<Record>, StoreError> {
        self.engine.read(group, from, to, bytes_max)
    }

    fn recover(&self, group: GroupId) -> Result<Recovered, StoreError> {
        self.engine.recover(group)
    }
}
