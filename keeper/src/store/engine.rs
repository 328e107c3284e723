//! What the Raft log asks of whatever keeps it.
//!
//! An engine takes operations in one order and makes them durable in that order. `submit` returns at once; `done` is
//! called when the operation, and every one before it, has reached the disk. Between the two the caller must be able to
//! serve what it submitted from its own memory: `read` shows records that are done.
//!
//! Operations without `done` are hints that reach the disk with a later sync or soon after; losing the last of them is
//! harmless. The first failure is final: the failed operations and all later ones get the error, and [`Hooks::fatal`]
//! is called once. Trying again is not offered, since a second sync may report success for data that the first one
//! lost.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::error::StoreError;

/// Which Raft group a record belongs to; always 0 as long as there is one group.
pub type GroupId = u32;

/// Called once, when the operation is durable or has failed.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Keeps the log of one node.
pub trait LogEngine: Send + Sync + 'static {
    /// Queues an operation.
    fn submit(&self, op: LogOp);

    /// Durable records `from..to`, in order, until they sum to `bytes_max`; at least one if there is any. `from` lies
    /// behind the purged part. May wait for a disk.
    ///
    /// # Errors
    /// The disk failed, or the records are not consecutive.
    fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<Record>, StoreError>;

    /// What the log held when it was opened, once the synced mark has confirmed that nothing is missing.
    ///
    /// # Errors
    /// The disk failed, or acknowledged records are lost: then this node must never again take part under its id.
    fn recover(&self, group: GroupId) -> Result<Recovered, StoreError>;
}

/// One change of a group's log.
pub enum LogOp {
    /// Adds records behind the last one.
    Append {
        /// The group.
        group: GroupId,
        /// Consecutive, and not empty.
        records: Vec<Record>,
        /// Log id of the last of them.
        last: Position,
        /// Told when they are durable.
        done: Done,
    },
    /// Replaces the vote.
    SaveVote {
        /// The group.
        group: GroupId,
        /// Order-preserving encoding.
        vote: Bytes,
        /// Told when it is durable.
        done: Done,
    },
    /// Removes every record behind `last`.
    TruncateAfter {
        /// The group.
        group: GroupId,
        /// The record that becomes the last; `None` removes all.
        last: Option<Position>,
        /// Told when it is durable.
        done: Done,
    },
    /// Removes every record up to and including `upto`; without a log beyond it, the log goes on behind it.
    Purge {
        /// The group.
        group: GroupId,
        /// The last record removed.
        upto: Position,
    },
    /// Remembers how far the log is committed.
    SaveCommitted {
        /// The group.
        group: GroupId,
        /// Log id of the last committed record.
        log_id: Bytes,
    },
}

impl LogOp {
    /// How much of a batch this takes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        /// Key, record header, and the operation's own place in the queue.
        const OVERHEAD_BYTES: usize = 64;
        match self {
            Self::Append { records, .. } => records.iter().map(|record| record.bytes.len() + OVERHEAD_BYTES).sum(),
            Self::SaveVote { .. } | Self::TruncateAfter { .. } | Self::Purge { .. } | Self::SaveCommitted { .. } => {
                OVERHEAD_BYTES
            }
        }
    }

    /// Whether somebody waits for it.
    #[must_use]
    pub const fn is_awaited(&self) -> bool {
        match self {
            Self::Append { .. } | Self::SaveVote { .. } | Self::TruncateAfter { .. } => true,
            Self::Purge { .. } | Self::SaveCommitted { .. } => false,
        }
    }

    /// Ends the operation.
    pub fn finish(self, result: Result<(), StoreError>) {
        match self {
            Self::Append { done, .. } | Self::SaveVote { done, .. } | Self::TruncateAfter { done, .. } => done(result),
            Self::Purge { .. } | Self::SaveCommitted { .. } => {}
        }
    }
}

impl fmt::Debug for LogOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { records, last, .. } => write!(f, "append {} records up to {}", records.len(), last.index),
            Self::SaveVote { .. } => write!(f, "save vote"),
            Self::TruncateAfter { last, .. } => write!(f, "truncate after {:?}", last.as_ref().map(|last| last.index)),
            Self::Purge { upto, .. } => write!(f, "purge up to {}", upto.index),
            Self::SaveCommitted { .. } => write!(f, "save committed"),
        }
    }
}

/// One entry of the log; its bytes begin with those of its log id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log.
    pub index: u64,
    /// What is stored.
    pub bytes: Bytes,
}

/// A record's log id, and its index for those who cannot read the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Its place in the log.
    pub index: u64,
    /// The encoded log id.
    pub log_id: Bytes,
}

/// What a log held when it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last vote saved.
    pub vote: Option<Bytes>,
    /// The last committed log id that reached the disk; it may be behind the truth, and ahead of `last`.
    pub committed: Option<Bytes>,
    /// The last record purged.
    pub purged: Option<Position>,
    /// The last record behind `purged`, if there is one.
    pub last: Option<Record>,
}

impl Recovered {
    /// Index of the last record there is or was; `None` for a log that never held one.
    #[must_use]
    pub fn last_index(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.index).or_else(|| self.purged.as_ref().map(|purged| purged.index))
    }
}

/// One sync, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synced {
    /// Operations it made durable.
    pub ops: usize,
    /// Their size.
    pub bytes: usize,
    /// How long the write and the sync took.
    pub elapsed: Duration,
}

/// Whom an engine tells about itself. Both are called on the engine's own thread.
#[derive(Clone)]
pub struct Hooks {
    /// The log failed; the process must stop.
    pub fatal: Arc<dyn Fn(&StoreError) + Send + Sync>,
    /// A sync has ended.
    pub synced: Arc<dyn Fn(Synced) + Send + Sync>,
}
