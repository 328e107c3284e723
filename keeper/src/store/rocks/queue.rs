//! What waits for the writer thread, in order.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::store::engine::LogOp;

/// What one batch takes at most: a longer one would let the first waiter wait for the last one's bytes.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// Bytes queued at most. The Raft log waits at less than half of this; whoever gets here anyway is blocked, as the last
/// guard of this process's memory against a disk that has fallen behind.
const QUEUE_BYTES_MAX: usize = 128 << 20;

/// A queue with one reader.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    taken: Condvar,
}

#[derive(Default)]
struct Waiting {
    ops: VecDeque<LogOp>,
    bytes: usize,
    closed: Closed,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Closed {
    #[default]
    No,
    Yes,
}

impl Queue {
    /// Adds an operation, or gives it back when the queue is closed.
    pub(super) fn push(&self, op: LogOp) -> Result<(), LogOp> {
        let bytes = op.size_bytes();
        // A hint rides with the next batch, or with the reader's next look.
        let wakes = op.is_awaited();
        let mut waiting = self.waiting.lock();
        while waiting.bytes > QUEUE_BYTES_MAX && waiting.closed == Closed::No {
            self.taken.wait(&mut waiting);
        }
        if waiting.closed == Closed::Yes {
            return Err(op);
        }
        waiting.bytes += bytes;
        waiting.ops.push_back(op);
        drop(waiting);
        if wakes {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// The next batch. Waits for one up to `patience`, then returns what there is, if only hints; `None` once the queue
    /// is closed and empty.
    pub(super) fn take(&self, patience: Duration) -> Option<Vec<LogOp>> {
        let mut waiting = self.waiting.lock();
        if waiting.closed == Closed::No && !waiting.ops.iter().any(LogOp::is_awaited) {
            self.arrived.wait_for(&mut waiting, patience);
        }
        if waiting.ops.is_empty() {
            return if waiting.closed == Closed::Yes { None } else { Some(Vec::new()) };
        }
        let mut bytes = 0;
        let mut count = 0;
        for op in &waiting.ops {
            bytes += op.size_bytes();
            count += 1;
            if bytes >= BATCH_BYTES_MAX {
                break;
            }
        }
        waiting.bytes -= bytes;
        let batch = waiting.ops.drain(..count).collect();
        drop(waiting);
        self.taken.notify_all();
        Some(batch)
    }

    /// Takes nothing more; what is queued can still be taken.
    pub(super) fn close(&self) {
        self.waiting.lock().closed = Closed::Yes;
        self.arrived.notify_all();
        self.taken.notify_all();
    }

    /// Closes, and takes what is queued.
    pub(super) fn abandon(&self) -> VecDeque<LogOp> {
        self.close();
        std::mem::take(&mut self.waiting.lock().ops)
    }
}
