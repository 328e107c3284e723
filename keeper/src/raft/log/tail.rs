//! What is known of the log without reading it, and its last entries.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use openraft::EntryPayload;

use super::{Entry, LogId, TAIL_BYTES_MAX, Vote};
use crate::batch::Batch;

/// The end of the log, in memory.
pub(super) struct Tail {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    /// Index of the first entry of the log, wherever it is kept.
    begin: u64,
    /// Consecutive, up to `last`.
    entries: VecDeque<Held>,
    bytes: usize,
    /// Entries below this index are durable.
    flushed_to: u64,
}

struct Held {
    entry: Entry,
    bytes: usize,
}

/// What a read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Sending entries to followers, or looking at them.
    Replicate,
    /// Applying them, which happens once: the commands a leader kept from encoding them leave the tail, which goes on
    /// holding the encoded bytes alone.
    Apply,
}

/// Where the entries of a range are.
pub(super) struct Found {
    /// The part that only the engine has, if there is one; it comes before `held`.
    pub(super) below: Range<u64>,
    /// The part that is in memory, as far as it was asked for.
    pub(super) held: Vec<Entry>,
}

impl Tail {
    pub(super) fn new(
        vote: Option<Vote>,
        committed: Option<LogId>,
        purged: Option<LogId>,
        last: Option<LogId>,
    ) -> Self {
        let flushed_to = last.map_or(0, |last| last.index + 1);
        let begin = purged.map_or(0, |purged| purged.index + 1);
        Self { vote, committed, purged, last, begin, entries: VecDeque::new(), bytes: 0, flushed_to }
    }

    /// Index behind the last entry.
    fn end(&self) -> u64 {
        self.last.map_or(0, |last| last.index + 1)
    }

    /// Index of the first entry held; the end if none is.
    fn first(&self) -> u64 {
        self.end() - self.entries.len() as u64
    }

    pub(super) fn push(&mut self, entry: Entry, bytes: usize) {
        if self.last.is_none() {
            self.begin = entry.log_id.index;
        }
        self.last = Some(entry.log_id);
        self.bytes += bytes;
        self.entries.push_back(Held { entry, bytes });
    }

    /// Everything up to `index` is durable, so the oldest entries may leave.
    pub(super) fn flushed(&mut self, index: u64) {
        self.flushed_to = self.flushed_to.max(index + 1);
        while self.bytes > TAIL_BYTES_MAX && self.first() < self.flushed_to {
            self.pop_front();
        }
    }

    /// Removes what lies behind `last`.
    pub(super) fn truncate_after(&mut self, last: Option<LogId>) {
        let end = last.map_or(0, |last| last.index + 1);
        if end >= self.end() {
            return;
        }
        let kept = usize::try_from(end.saturating_sub(self.first())).unwrap_or(usize::MAX);
        while self.entries.len() > kept {
            if let Some(held) = self.entries.pop_back() {
                self.bytes -= held.bytes;
            }
        }
        self.last = last;
        self.flushed_to = self.flushed_to.min(end);
    }

    pub(super) fn purge(&mut self, upto: LogId) {
        while self.first() <= upto.index && !self.entries.is_empty() {
            self.pop_front();
        }
        self.purged = self.purged.max(Some(upto));
        self.begin = self.begin.max(upto.index + 1);
        if self.last < Some(upto) {
            self.last = Some(upto);
            self.flushed_to = self.flushed_to.max(upto.index + 1);
        }
    }

    /// The entries of `range` that the log has. Those held are given up to `bytes_max`, at least one.
    pub(super) fn find(&mut self, range: Range<u64>, bytes_max: usize, purpose: Purpose) -> Found {
        let begin = range.start.max(self.begin);
        let end = range.end.min(self.end());
        let first = self.first();
        let below = begin..end.min(first);
        let mut held = Vec::new();
        let mut bytes = 0;
        for index in begin.max(first)..end {
            // Within the tail by its bounds above.
            let Some(found) = usize::try_from(index - first).ok().and_then(|at| self.entries.get_mut(at)) else {
                break;
            };
            bytes += found.bytes;
            held.push(found.entry.clone());
            if purpose == Purpose::Apply
                && let EntryPayload::Normal(batch) = &mut found.entry.payload
            {
                *batch = Batch::from_encoded(batch.encoded().clone());
            }
            if bytes >= bytes_max {
                break;
            }
        }
        Found { below, held }
    }

    fn pop_front(&mut self) {
        if let Some(held) = self.entries.pop_front() {
            self.bytes -= held.bytes;
        }
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail")
            .field("vote", &self.vote)
            .field("committed", &self.committed)
            .field("purged", &self.purged)
            .field("last", &self.last)
            .field("held", &self.entries.len())
            .field("flushed_to", &self.flushed_to)
            .finish_non_exhaustive()
    }
}
