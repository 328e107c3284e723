//! openraft's log, over any [`LogEngine`].
//!
//! Appending hands the records to the engine and returns: the entries are readable at once, from a *tail* kept in
//! memory, and openraft is told when they are durable. Vote, append, truncate and purge pass through the engine's one
//! queue, so they reach the disk in the order openraft asked for them; vote and truncate are awaited, since openraft
//! relies on them when they return.
//!
//! Invariant: every entry that is not durable is in the tail, and the tail is consecutive up to the last entry. So a
//! read takes what lies below the tail from the engine and the rest from memory, and in steady state the engine is only
//! written.

mod reader;
mod storage;
mod tail;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use super::encode;
use super::offload::Offload;
use super::type_config::TypeConfig;
use crate::codec::DecodeError;
use crate::store::{Done, GroupId, LogEngine, LogOp, Position, StoreError};
use tail::Tail;

type Entry = EntryOf<TypeConfig>;
type LogId = LogIdOf<TypeConfig>;
type Vote = VoteOf<TypeConfig>;

/// Durable entries kept in memory: followers that keep up and apply itself never read the disk. A tenth of a second at
/// full load.
const TAIL_BYTES_MAX: usize = 8 << 20;

/// Entries handed to the engine and not yet durable; beyond it, appending waits for the disk.
const UNFLUSHED_BYTES_MAX: usize = 32 << 20;

/// What one read for replication gives: large enough for throughput, small enough to be sent within a heartbeat.
const READ_BYTES_MAX: usize = 2 << 20;

/// The log of one Raft group. Clones share it.
#[derive(Clone)]
pub struct RaftLog {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<dyn LogEngine>,
    group: GroupId,
    offload: Offload,
    /// Shared with callbacks, which must not keep the engine that calls them.
    tail: Arc<Mutex<Tail>>,
    unflushed: Arc<Semaphore>,
}

/// Why a log could not be taken up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine refused, or the log is lost.
    #[error("the log cannot be recovered")]
    Recover(#[from] StoreError),
    /// What the engine holds is not what was written.
    #[error("{what} in the log cannot be read")]
    Decode {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
}

impl RaftLog {
    /// Takes up the log that an engine holds.
    ///
    /// # Errors
    /// See [`OpenError`]. The node must not start Raft.
    pub fn open(engine: Arc<dyn LogEngine>, group: GroupId, offload: Offload) -> Result<Self, OpenError> {
        let found = engine.recover(group)?;
        let decode_id = |what, bytes: Option<Bytes>| {
            let decoded = bytes.map(encode::decode_log_id).transpose();
            decoded.map_err(|source| OpenError::Decode { what, source })
        };
        let purged = decode_id("the purged position", found.purged.map(|purged| purged.log_id))?;
        let committed = decode_id("the committed position", found.committed)?;
        let vote = found.vote.map(encode::decode_vote).transpose();
        let vote = vote.map_err(|source| OpenError::Decode { what: "the vote", source })?;
        let last = found.last.map(|last| encode::decode_entry(last.bytes)).transpose();
        let last = last.map_err(|source| OpenError::Decode { what: "the last entry", source })?;
        let last = last.map(|last| last.log_id).or(purged);
        let tail = Arc::new(Mutex::new(Tail::new(vote, committed, purged, last)));
        let unflushed = Arc::new(Semaphore::new(UNFLUSHED_BYTES_MAX));
        Ok(Self { shared: Arc::new(Shared { engine, group, offload, tail, unflushed }) })
    }

    /// Submits an operation, and waits until it is durable.
    async fn durable(&self, op: impl FnOnce(Done) -> LogOp) -> io::Result<()> {
        let (done, finished) = oneshot::channel();
        self.shared.engine.submit(op(Box::new(move |result| {
            // Nobody waits any more when Raft is shut down.
            _ = done.send(result);
        })));
        finished.await.unwrap_or(Err(StoreError::Stopped)).map_err(io::Error::other)
    }
}

fn position(log_id: &LogId) -> Position {
    Position { index: log_id.index, log_id: encode::log_id(log_id) }
}

impl fmt::Debug for RaftLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftLog").field("tail", &*self.shared.tail.lock()).finish_non_exhaustive()
    }
}
