//! Reading the log back: for followers far behind, for replay after a restart.

use bytes::Bytes;
use rocksdb::{DB, DBRawIterator, ReadOptions};

use super::keys::{self, Slot};
use crate::store::engine::{GroupId, Position, Record, Recovered};
use crate::store::error::StoreError;

/// Read ahead of an iterator: records are up to half a megabyte, and read in order.
const READ_AHEAD_BYTES: usize = 1 << 20;

/// Records `from..to`, in order, until they sum to more than `bytes_max`.
pub(super) fn records(
    db: &DB,
    group: GroupId,
    from: u64,
    to: u64,
    bytes_max: usize,
) -> Result<Vec<Record>, StoreError> {
    let mut found: Vec<Record> = Vec::new();
    let mut bytes = 0;
    let mut cursor = cursor(db, &keys::record(group, from), &keys::record(group, to));
    cursor.seek_to_first();
    while let Some((slot, value)) = item(&cursor)? {
        if let Slot::Record(index) = slot {
            if let Some(last) = found.last()
                && last.index + 1 != index
            {
                return Err(StoreError::Damaged { what: format!("record {} follows record {}", index, last.index) });
            }
            bytes += value.len();
            found.push(Record { index, bytes: Bytes::copy_from_slice(value) });
            if bytes >= bytes_max {
                break;
            }
        }
        cursor.next();
    }
    cursor.status().map_err(StoreError::read)?;
    Ok(found)
}

/// One record.
pub(super) fn record(db: &DB, group: GroupId, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
    db.get(keys::record(group, index)).map_err(StoreError::read)
}

/// What the log holds.
pub(super) fn recover(db: &DB, group: GroupId) -> Result<Recovered, StoreError> {
    let vote = db.get(keys::vote(group)).map_err(StoreError::read)?.map(Bytes::from);
    let purged = match db.get(keys::purged(group)).map_err(StoreError::read)? {
        Some(value) => Some(decode_position(&value)?),
        None => None,
    };
    let first = purged.as_ref().map_or(0, |purged| purged.index + 1);
    let (last, committed) = end_of_log(db, group, first)?;
    if last.is_some() && purged.is_some() && record(db, group, first)?.is_none() {
        return Err(StoreError::Damaged { what: format!("record {first}, the first behind the purged part, is gone") });
    }
    Ok(Recovered { vote, committed, purged, last })
}

/// The last record from `first` on, and the last committed log id that was noted.
fn end_of_log(db: &DB, group: GroupId, first: u64) -> Result<(Option<Record>, Option<Bytes>), StoreError> {
    // The note on the last purged record may be the newest.
    let lower = keys::record(group, first.saturating_sub(1));
    let mut cursor = cursor(db, &lower, &keys::log_end(group));
    let (mut last, mut committed) = (None, None);
    cursor.seek_to_last();
    while let Some((slot, value)) = item(&cursor)? {
        match slot {
            Slot::Record(index) if last.is_none() && index >= first => {
                last = Some(Record { index, bytes: Bytes::copy_from_slice(value) });
            }
            Slot::Committed(_) if committed.is_none() => committed = Some(Bytes::copy_from_slice(value)),
            Slot::Record(_) | Slot::Committed(_) => {}
        }
        if last.is_some() && committed.is_some() {
            break;
        }
        cursor.prev();
    }
    cursor.status().map_err(StoreError::read)?;
    Ok((last, committed))
}

fn cursor<'db>(db: &'db DB, from: &[u8], to: &[u8]) -> DBRawIterator<'db> {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(from);
    options.set_iterate_upper_bound(to);
    options.set_readahead_size(READ_AHEAD_BYTES);
    options.fill_cache(false);
    db.raw_iterator_opt(options)
}

fn item<'cursor>(cursor: &'cursor DBRawIterator<'_>) -> Result<Option<(Slot, &'cursor [u8])>, StoreError> {
    let Some((key, value)) = cursor.item() else { return Ok(None) };
    let slot = keys::parse(key).ok_or_else(|| StoreError::Damaged { what: format!("a key of {} bytes", key.len()) })?;
    Ok(Some((slot, value)))
}

/// A position as a value: the index, then the log id.
pub(super) fn encode_position(position: &Position) -> Vec<u8> {
    [&position.index.to_be_bytes()[..], &position.log_id[..]].concat()
}

fn decode_position(value: &[u8]) -> Result<Position, StoreError> {
    let (index, log_id) =
        value.split_first_chunk().ok_or_else(|| StoreError::Damaged { what: "the purged position".into() })?;
    Ok(Position { index: u64::from_be_bytes(*index), log_id: Bytes::copy_from_slice(log_id) })
}
