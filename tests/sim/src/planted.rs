//! Bugs on purpose: a harness that has never found anything proves nothing.
//!
//! Some lie in the simulated disk and are part of every build. The others lie in the daemon's own code, behind
//! [`keeper_registry::planted!`], and are there only in a build of this crate with its feature `planted`: what is
//! shipped holds none, which `tests/tests/tidy.rs` proves. One bug is chosen for a process, by `--planted` or
//! [`VARIABLE`]. Which seed finds each, and by which invariant, is a table in `docs/reliability.md` that
//! `tests/planted.rs` verifies.

use std::sync::{Arc, OnceLock};

use keeper::store::memory::MemoryEngine;
use keeper::store::{GroupId, LogEngine, LogOp, Record, Recovered, StoreError};

/// Names the bug to plant.
pub const VARIABLE: &str = "KEEPER_SIM_PLANTED";

/// Those of the disk.
const OF_DISK: [(&str, DiskBug); 3] = [
    ("ack-before-sync", DiskBug::AckBeforeSync),
    ("vote-forgotten", DiskBug::VoteForgotten),
    ("append-torn", DiskBug::AppendTorn),
];

/// Those of the daemon; each stands in its code by this name.
const OF_DAEMON: [&str; 13] = [
    "stale-epoch",
    "watch-skip",
    "presence-skip",
    "lease-deposed",
    "lease-quarter",
    "snapshot-meta-newer",
    "dedup-forgotten",
    "reap-newer",
    "old-leader-reads",
    "follow-deletion",
    "follow-torn",
    "ack-older",
    "gate-refused",
];

/// A bug that this build holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planted {
    name: &'static str,
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Disk(DiskBug),
    Daemon,
}

/// A bug of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DiskBug {
    /// Appends are acknowledged before they are synced.
    AckBeforeSync,
    /// Votes are acknowledged, and never reach the disk.
    VoteForgotten,
    /// Appended records do not reach the disk when there are several in one operation, except the last.
    AppendTorn,
}

/// What was planted in this process.
static DISK: OnceLock<DiskBug> = OnceLock::new();

impl Planted {
    /// The bug of this name.
    ///
    /// # Errors
    /// There is none, or only in the other build.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some((name, bug)) = OF_DISK.iter().find(|(it, _)| *it == name) {
            return Ok(Self { name, of: Of::Disk(*bug) });
        }
        match OF_DAEMON.iter().find(|it| **it == name) {
            Some(name) if cfg!(feature = "planted") => Ok(Self { name, of: Of::Daemon }),
            Some(_) => {
                Err("it lies in the daemon, and this build has none there: `make planted` builds one".to_owned())
            }
            None => Err(format!("there is no such bug; there are {}", Self::names().collect::<Vec<_>>().join(", "))),
        }
    }

    /// All there are, also in the other build.
    pub fn names() -> impl Iterator<Item = &'static str> {
        OF_DISK.iter().map(|(name, _)| *name).chain(OF_DAEMON)
    }

    /// By which it was found.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Puts it into this process.
    pub fn plant(self) {
        match self.of {
            Of::Disk(bug) => {
                DISK.get_or_init(|| bug);
            }
            #[cfg(feature = "planted")]
            Of::Daemon => keeper_registry::planted::choose(self.name),
            #[cfg(not(feature = "planted"))]
            Of::Daemon => {}
        }
    }
}

/// The engine as the disk of this process has it.
#[must_use]
pub fn engine(engine: Arc<MemoryEngine>) -> Arc<dyn LogEngine> {
    match DISK.get() {
        Some(bug) => Arc::new(Broken { engine, bug: *bug }),
        None => engine,
    }
}

struct Broken {
    engine: Arc<MemoryEngine>,
    bug: DiskBug,
}

impl LogEngine for Broken {
    fn submit(&self, op: LogOp) {
        match (self.bug, op) {
            (DiskBug::AckBeforeSync, LogOp::Append { group, records, last, done }) => {
                self.engine.submit(LogOp::Append { group, records, last, done: Box::new(|_| {}) });
                done(Ok(()));
            }
            (DiskBug::VoteForgotten, LogOp::SaveVote { done, .. }) => done(Ok(())),
            (DiskBug::AppendTorn, LogOp::Append { group, mut records, last, done }) if records.len() > 1 => {
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
