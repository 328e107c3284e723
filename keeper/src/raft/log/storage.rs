//! Writing: what openraft asks of its log.

use std::io;
use std::sync::Arc;

use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend};

use super::{Entry, LogId, RaftLog, UNFLUSHED_BYTES_MAX, Vote, position};
use crate::raft::encode;
use crate::raft::type_config::TypeConfig;
use crate::store::{Done, LogOp, Record, StoreError};

impl RaftLogStorage<TypeConfig> for RaftLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let tail = self.shared.tail.lock();
        Ok(LogState { last_purged_log_id: tail.purged, last_log_id: tail.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let group = self.shared.group;
        self.durable(|done| LogOp::SaveVote { group, vote: encode::vote(vote), done }).await?;
        self.shared.tail.lock().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(committed) = committed else { return Ok(()) };
        self.shared.tail.lock().committed = Some(committed);
        let log_id = encode::log_id(&committed);
        self.shared.engine.submit(LogOp::SaveCommitted { group: self.shared.group, log_id });
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        let tail = self.shared.tail.lock();
        // It may have reached the disk before the entries it covers.
        Ok(tail.committed.min(tail.last))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let record = |entry: &Entry| Record { index: entry.log_id.index, bytes: encode::entry(entry) };
        let records: Vec<Record> = entries.iter().map(record).collect();
        let bytes = records.iter().map(|record| record.bytes.len()).sum::<usize>().min(UNFLUSHED_BYTES_MAX);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let admitted = Arc::clone(&self.shared.unflushed).acquire_many_owned(permits).await;
        let admitted = admitted.map_err(|_| io::Error::other(StoreError::Stopped))?;
        let last = {
            let mut tail = self.shared.tail.lock();
            for (entry, record) in entries.into_iter().zip(&records) {
                tail.push(entry, record.bytes.len());
            }
            tail.last
        };
        let Some(last) = last else {
            callback.io_completed(Ok(()));
            return Ok(());
        };
        let tail = Arc::clone(&self.shared.tail);
        let done: Done = Box::new(move |result| {
            if result.is_ok() {
                tail.lock().flushed(last.index);
            }
            drop(admitted);
            callback.io_completed(result.map_err(io::Error::other));
        });
        // Without records it still waits its turn: it reports that everything before it is durable.
        self.shared.engine.submit(LogOp::Append { group: self.shared.group, records, last: position(&last), done });
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let group = self.shared.group;
        self.shared.tail.lock().truncate_after(last);
        self.durable(|done| LogOp::TruncateAfter { group, last: last.as_ref().map(position), done }).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.shared.tail.lock().purge(upto);
        self.shared.engine.submit(LogOp::Purge { group: self.shared.group, upto: position(&upto) });
        Ok(())
    }
}
