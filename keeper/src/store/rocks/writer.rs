//! The thread that writes: one batch, one sync, callbacks in order.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocksdb::{DB, WriteBatch, WriteOptions};
use tokio::time::Instant;

use super::queue::Queue;
use super::{keys, reader};
use crate::clock;
use crate::store::engine::{GroupId, Hooks, LogOp, Synced};
use crate::store::error::StoreError;
use crate::store::mark::{FLUSH_INTERVAL_MS, MarkFile, Marks};

const FLUSH_INTERVAL: Duration = Duration::from_millis(FLUSH_INTERVAL_MS);

/// Owns everything that is written.
pub(super) struct Writer {
    db: Arc<DB>,
    queue: Arc<Queue>,
    mark_file: MarkFile,
    marks: Marks,
    marks_dirty_since: Option<Instant>,
    hooks: Hooks,
    /// Where each group's log ends, found when the group is first written to.
    ends: BTreeMap<GroupId, End>,
}

/// The end of a log.
#[derive(Default)]
struct End {
    /// Index of the last record there is or was.
    index: u64,
    /// The last committed log id.
    committed: Option<Bytes>,
}

/// A batch, as it is built.
#[derive(Default)]
struct Plan {
    batch: WriteBatch,
    sync: Sync,
    /// Groups whose committed log id is to be noted behind the last record.
    noted: BTreeSet<GroupId>,
    purged: BTreeMap<GroupId, u64>,
    votes: BTreeMap<GroupId, Bytes>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Sync {
    #[default]
    Later,
    Now,
}

impl Writer {
    pub(super) const fn new(db: Arc<DB>, queue: Arc<Queue>, mark_file: MarkFile, marks: Marks, hooks: Hooks) -> Self {
        Self { db, queue, mark_file, marks, marks_dirty_since: None, hooks, ends: BTreeMap::new() }
    }

    /// Writes until the queue is closed and empty, or the disk fails.
    pub(super) fn run(mut self) {
        while let Some(ops) = self.queue.take(FLUSH_INTERVAL) {
            let result = if ops.is_empty() { Ok(()) } else { self.write(&ops) };
            for op in ops {
                op.finish(result.clone());
            }
            // Behind the callbacks: a page written ten times a second must not stand between a sync and its waiters.
            let result = result.and_then(|()| self.flush_marks_if_due());
            if let Err(error) = result {
                return self.stop(&error);
            }
        }
        if self.marks_dirty_since.is_some()
            && let Err(error) = self.flush_marks()
        {
            self.stop(&error);
        }
    }

    fn stop(&self, error: &StoreError) {
        for op in self.queue.abandon() {
            op.finish(Err(StoreError::Stopped));
        }
        (self.hooks.fatal)(error);
    }

    fn write(&mut self, ops: &[LogOp]) -> Result<(), StoreError> {
        self.lower_marks(ops)?;
        let bytes = ops.iter().map(LogOp::size_bytes).sum();
        let plan = self.plan(ops, bytes)?;
        let mut options = WriteOptions::default();
        options.set_sync(plan.sync == Sync::Now);
        let begun = clock::now();
        self.db.write_opt(plan.batch, &options).map_err(StoreError::write)?;
        if plan.sync == Sync::Now {
            (self.hooks.synced)(Synced { ops: ops.len(), bytes, elapsed: begun.elapsed() });
        }
        self.raise_marks(ops, plan.votes)?;
        for (group, upto) in plan.purged {
            self.drop_files(group, upto)?;
        }
        Ok(())
    }

    fn plan(&mut self, ops: &[LogOp], bytes: usize) -> Result<Plan, StoreError> {
        let mut plan = Plan { batch: WriteBatch::with_capacity_bytes(bytes), ..Plan::default() };
        for op in ops {
            if op.is_awaited() {
                plan.sync = Sync::Now;
            }
            match op {
                LogOp::Append { group, records, last, .. } => {
                    for record in records {
                        plan.batch.put(keys::record(*group, record.index), &record.bytes);
                    }
                    self.end(*group)?.index = last.index;
                }
                LogOp::SaveVote { group, vote, .. } => {
                    plan.batch.put(keys::vote(*group), vote);
                    plan.votes.insert(*group, vote.clone());
                }
                LogOp::TruncateAfter { group, last, .. } => {
                    let first_gone = last.as_ref().map_or(0, |last| last.index + 1);
                    let end = self.end(*group)?;
                    // Up to the end only: a tombstone over the whole key space would lie across every later file.
                    if first_gone <= end.index {
                        plan.batch.delete_range(keys::record(*group, first_gone), keys::record(*group, end.index + 1));
                        end.index = first_gone.saturating_sub(1);
                    }
                    // The note may have been behind a record that is gone.
                    plan.noted.insert(*group);
                }
                LogOp::Purge { group, upto } => {
                    plan.batch.put(keys::purged(*group), reader::encode_position(upto));
                    plan.purged.insert(*group, upto.index);
                    let end = self.end(*group)?;
                    end.index = end.index.max(upto.index);
                    // Files are dropped at once, so the position that makes them unneeded must not be lost.
                    plan.sync = Sync::Now;
                }
                LogOp::SaveCommitted { group, log_id } => {
                    self.end(*group)?.committed = Some(log_id.clone());
                    plan.noted.insert(*group);
                }
            }
        }
        for group in &plan.noted {
            let end = self.end(*group)?;
            if let Some(committed) = &end.committed {
                plan.batch.put(keys::committed(*group, end.index), committed);
            }
        }
        Ok(plan)
    }

    fn end(&mut self, group: GroupId) -> Result<&mut End, StoreError> {
        match self.ends.entry(group) {
            Entry::Occupied(end) => Ok(end.into_mut()),
            Entry::Vacant(unknown) => {
                let found = reader::recover(&self.db, group)?;
                let index = found.last_index().unwrap_or_default();
                Ok(unknown.insert(End { index, committed: found.committed }))
            }
        }
    }

    /// Before records are removed, the mark stops asking for them.
    fn lower_marks(&mut self, ops: &[LogOp]) -> Result<(), StoreError> {
        let mut lowered = false;
        for op in ops {
            if let LogOp::TruncateAfter { group, last, .. } = op
                && let Some(mark) = self.marks.get_mut(group)
                && mark.last.as_ref().map(|mark| mark.index) > last.as_ref().map(|last| last.index)
            {
                mark.last.clone_from(last);
                lowered = true;
            }
        }
        if lowered { self.flush_marks() } else { Ok(()) }
    }

    /// After a sync, the mark asks for what it made durable. A vote is asked for before it is acknowledged.
    fn raise_marks(&mut self, ops: &[LogOp], votes: BTreeMap<GroupId, Bytes>) -> Result<(), StoreError> {
        let mut moved = false;
        for op in ops {
            match op {
                LogOp::Append { group, last, .. } => {
                    self.marks.entry(*group).or_default().last = Some(last.clone());
                    moved = true;
                }
                LogOp::TruncateAfter { group, last, .. } => {
                    // What this batch appended before it is gone.
                    if let Some(mark) = self.marks.get_mut(group)
                        && mark.last.as_ref().map(|mark| mark.index) > last.as_ref().map(|last| last.index)
                    {
                        mark.last.clone_from(last);
                    }
                }
                LogOp::SaveVote { .. } | LogOp::Purge { .. } | LogOp::SaveCommitted { .. } => {}
            }
        }
        if moved && self.marks_dirty_since.is_none() {
            self.marks_dirty_since = Some(clock::now());
        }
        if votes.is_empty() {
            return Ok(());
        }
        for (group, vote) in votes {
            self.marks.entry(group).or_default().vote = Some(vote);
        }
        self.flush_marks()
    }

    fn flush_marks_if_due(&mut self) -> Result<(), StoreError> {
        match self.marks_dirty_since {
            Some(since) if since.elapsed() >= FLUSH_INTERVAL => self.flush_marks(),
            Some(_) | None => Ok(()),
        }
    }

    fn flush_marks(&mut self) -> Result<(), StoreError> {
        self.mark_file.write(&self.marks)?;
        self.marks_dirty_since = None;
        Ok(())
    }

    fn drop_files(&self, group: GroupId, upto: u64) -> Result<(), StoreError> {
        // The range includes its end, so it ends before the note on the last purged record.
        self.db.delete_file_in_range(keys::record(group, 0), keys::record(group, upto)).map_err(StoreError::write)
    }
}
