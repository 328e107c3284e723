//! What survives a run.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::store::engine::{Done, GroupId, LogOp, Position, Record, Recovered};
use crate::store::error::StoreError;
use crate::store::mark::Mark;

/// A disk, shared by whoever holds a clone.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// What goes wrong at the next sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device reports an error.
    Io,
    /// The disk is full.
    NoSpace,
}

/// Which run of the node; only the last one writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Run(u64);

#[derive(Default)]
struct State {
    run: Run,
    groups: BTreeMap<GroupId, Group>,
    unsynced: VecDeque<LogOp>,
    fault: Option<Fault>,
}

#[derive(Default)]
struct Group {
    vote: Option<Bytes>,
    committed: Option<Bytes>,
    purged: Option<Position>,
    records: BTreeMap<u64, Bytes>,
    mark: Mark,
}

impl MemoryDisk {
    /// Loses power: of what was not synced, the first `survivors` operations had reached the disk.
    pub fn crash(&self, survivors: usize) {
        let mut state = self.state.lock();
        let unsynced = std::mem::take(&mut state.unsynced);
        for op in unsynced.into_iter().take(survivors) {
            // Durable, but never acknowledged.
            drop(state.apply(op));
        }
        state.run.0 += 1;
        state.fault = None;
    }

    /// Operations submitted and not synced.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.state.lock().unsynced.len()
    }

    /// Fails the next sync.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().fault = Some(fault);
    }

    /// Damages the log so that its last records are gone, as the real engine would drop them. The mark stays.
    pub fn tear(&self, group: GroupId, records: usize) {
        let mut state = self.state.lock();
        let log = &mut state.groups.entry(group).or_default().records;
        for _ in 0..records {
            log.pop_last();
        }
    }

    pub(super) fn begin_run(&self) -> Run {
        let mut state = self.state.lock();
        state.run.0 += 1;
        state.unsynced.clear();
        state.run
    }

    pub(super) fn push(&self, run: Run, op: LogOp) -> Result<(), LogOp> {
        let mut state = self.state.lock();
        if state.run != run {
            return Err(op);
        }
        state.unsynced.push_back(op);
        Ok(())
    }

    /// What waited, and how it ended.
    pub(super) fn sync(&self, run: Run) -> (Vec<Done>, Result<(), StoreError>) {
        let mut state = self.state.lock();
        if state.run != run {
            return (Vec::new(), Ok(()));
        }
        let unsynced = std::mem::take(&mut state.unsynced);
        let Some(fault) = state.fault.take() else {
            return (unsynced.into_iter().filter_map(|op| state.apply(op)).collect(), Ok(()));
        };
        let error = match fault {
            Fault::Io => io::Error::other("injected input/output error"),
            Fault::NoSpace => io::Error::new(io::ErrorKind::StorageFull, "injected lack of space"),
        };
        (unsynced.into_iter().filter_map(waiter).collect(), Err(StoreError::write(error)))
    }

    pub(super) fn read(&self, group: GroupId, from: u64, to: u64, bytes_max: usize) -> Result<Vec<Record>, StoreError> {
        let state = self.state.lock();
        let mut found: Vec<Record> = Vec::new();
        let mut bytes = 0;
        let Some(group) = state.groups.get(&group).filter(|_| from < to) else { return Ok(found) };
        for (index, record) in group.records.range(from..to) {
            if let Some(last) = found.last()
                && last.index + 1 != *index
            {
                return Err(StoreError::Damaged { what: format!("record {} follows record {}", index, last.index) });
            }
            bytes += record.len();
            found.push(Record { index: *index, bytes: record.clone() });
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(found)
    }

    pub(super) fn recover(&self, group: GroupId) -> Result<Recovered, StoreError> {
        let state = self.state.lock();
        let Some(group) = state.groups.get(&group) else { return Ok(Recovered::default()) };
        let last = group.records.last_key_value();
        let recovered = Recovered {
            vote: group.vote.clone(),
            committed: group.committed.clone(),
            purged: group.purged.clone(),
            last: last.map(|(index, bytes)| Record { index: *index, bytes: bytes.clone() }),
        };
        let marked = group.mark.last.as_ref().and_then(|last| group.records.get(&last.index));
        group.mark.check(&recovered, marked.map(|record| &record[..]))?;
        Ok(recovered)
    }
}

impl State {
    /// Makes an operation durable; the mark follows at once.
    fn apply(&mut self, op: LogOp) -> Option<Done> {
        match op {
            LogOp::Append { group, records, last, done } => {
                let group = self.groups.entry(group).or_default();
                group.records.extend(records.into_iter().map(|record| (record.index, record.bytes)));
                group.mark.last = Some(last);
                Some(done)
            }
            LogOp::SaveVote { group, vote, done } => {
                let group = self.groups.entry(group).or_default();
                group.vote = Some(vote.clone());
                group.mark.vote = Some(vote);
                Some(done)
            }
            LogOp::TruncateAfter { group, last, done } => {
                let group = self.groups.entry(group).or_default();
                let first_gone = last.as_ref().map_or(0, |last| last.index + 1);
                group.records.split_off(&first_gone);
                if group.mark.last.as_ref().is_some_and(|mark| mark.index >= first_gone) {
                    group.mark.last = last;
                }
                Some(done)
            }
            LogOp::Purge { group, upto } => {
                let group = self.groups.entry(group).or_default();
                group.records = group.records.split_off(&(upto.index + 1));
                group.purged = Some(upto);
                None
            }
            LogOp::SaveCommitted { group, log_id } => {
                self.groups.entry(group).or_default().committed = Some(log_id);
                None
            }
        }
    }
}

fn waiter(op: LogOp) -> Option<Done> {
    match op {
        LogOp::Append { done, .. } | LogOp::SaveVote { done, .. } | LogOp::TruncateAfter { done, .. } => Some(done),
        LogOp::Purge { .. } | LogOp::SaveCommitted { .. } => None,
    }
}
