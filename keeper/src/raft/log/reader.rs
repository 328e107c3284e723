//! Reading entries: for replication, for apply, for start-up.

use std::fmt;
use std::io;
use std::ops::{Bound, Range, RangeBounds};

use futures_util::Stream;
use futures_util::stream::{self, StreamExt as _};
use openraft::{OptionalSend, RaftLogReader};

use super::tail::Purpose;
use super::{Entry, READ_BYTES_MAX, RaftLog, Vote};
use crate::raft::encode;
use crate::raft::type_config::TypeConfig;
use crate::store::StoreError;

impl RaftLogReader<TypeConfig> for RaftLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + fmt::Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let range = bounds(&range);
        let mut entries = self.read(range.clone(), usize::MAX, Purpose::Replicate).await?;
        // What became durable meanwhile may have left the tail; only the engine's part can have been cut short.
        while let Some(next) = entries.last().map(|last| last.log_id.index + 1)
            && next < range.end
        {
            let more = self.read(next..range.end, usize::MAX, Purpose::Replicate).await?;
            if more.first().is_none_or(|first| first.log_id.index != next) {
                break;
            }
            entries.extend(more);
        }
        Ok(entries)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let mut entries = self.read(start..end, READ_BYTES_MAX, Purpose::Replicate).await?;
        // Purged meanwhile: what follows must not be sent as if it were the beginning. openraft then sends a snapshot.
        if entries.first().is_some_and(|first| first.log_id.index != start) {
            entries.clear();
        }
        Ok(entries)
    }

    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + fmt::Debug + OptionalSend,
    {
        let pieces = stream::try_unfold((self.clone(), bounds(&range)), |(log, range)| async move {
            let piece = log.read(range.clone(), READ_BYTES_MAX, Purpose::Apply).await?;
            let next = piece.last().map(|last| last.log_id.index + 1..range.end);
            io::Result::Ok(next.map(|next| (piece, (log, next))))
        });
        pieces
            .flat_map(|piece| match piece {
                Ok(entries) => stream::iter(entries.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            })
            .boxed()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.shared.tail.lock().vote)
    }
}

impl RaftLog {
    /// The first entries of a range that the log has, up to `bytes_max`; at least one if there is any.
    async fn read(&self, range: Range<u64>, bytes_max: usize, purpose: Purpose) -> io::Result<Vec<Entry>> {
        let found = self.shared.tail.lock().find(range, bytes_max, purpose);
        if found.below.is_empty() {
            return Ok(found.held);
        }
        let below = found.below.clone();
        let shared = self.shared.clone();
        let read =
            move || shared.engine.read(shared.group, below.start, below.end, bytes_max).map_err(io::Error::other);
        let records = self.shared.offload.short(read).await?;
        let mut next = found.below.start;
        let mut entries = Vec::with_capacity(records.len() + found.held.len());
        for record in records {
            if record.index != next {
                break;
            }
            entries.push(encode::decode_entry(record.bytes).map_err(io::Error::other)?);
            next += 1;
        }
        if next == found.below.end && bytes_max == usize::MAX {
            entries.extend(found.held);
        }
        // A purge may have overtaken the read; anything else that is missing is damage.
        let purged = self.shared.tail.lock().purged.is_some_and(|purged| purged.index >= found.below.start);
        if entries.is_empty() && !purged {
            let what = format!("record {} is not there", found.below.start);
            return Err(io::Error::other(StoreError::Damaged { what }));
        }
        Ok(entries)
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}
