//! The keys: `group: u32 | tag: u8 | index: u64 [| note: u8]`, big-endian, so that they sort as the log does.

use crate::store::engine::GroupId;

const VOTE: u8 = 1;
const PURGED: u8 = 2;
const LOG: u8 = 3;

/// Marks the note that follows a record.
const COMMITTED: u8 = 1;

const RECORD_KEY_BYTES: usize = 13;

/// The vote's key.
pub(super) fn vote(group: GroupId) -> [u8; RECORD_KEY_BYTES] {
    key(group, VOTE, 0)
}

/// The key of the last record purged.
pub(super) fn purged(group: GroupId) -> [u8; RECORD_KEY_BYTES] {
    key(group, PURGED, 0)
}

/// A record's key.
pub(super) fn record(group: GroupId, index: u64) -> [u8; RECORD_KEY_BYTES] {
    key(group, LOG, index)
}

/// The key of the committed log id noted behind a record.
pub(super) fn committed(group: GroupId, index: u64) -> [u8; RECORD_KEY_BYTES + 1] {
    let mut note = [COMMITTED; RECORD_KEY_BYTES + 1];
    note[..RECORD_KEY_BYTES].copy_from_slice(&record(group, index));
    note
}

/// Behind the last key of a group's log.
pub(super) fn log_end(group: GroupId) -> [u8; RECORD_KEY_BYTES] {
    key(group, LOG + 1, 0)
}

/// What a key within the log stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The record of this index.
    Record(u64),
    /// The committed log id, as of the record of this index.
    Committed(u64),
}

/// Reads a key within the log; `None` if it is none of ours.
pub(super) fn parse(key: &[u8]) -> Option<Slot> {
    let (record, note) = key.split_at_checked(RECORD_KEY_BYTES)?;
    let index = u64::from_be_bytes(record[5..].try_into().ok()?);
    match note {
        [] => Some(Slot::Record(index)),
        [COMMITTED] => Some(Slot::Committed(index)),
        _ => None,
    }
}

fn key(group: GroupId, tag: u8, index: u64) -> [u8; RECORD_KEY_BYTES] {
    let mut key = [tag; RECORD_KEY_BYTES];
    key[..4].copy_from_slice(&group.to_be_bytes());
    key[5..].copy_from_slice(&index.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_the_log_does() {
        let sorted: [Vec<u8>; 9] = [
            vote(0).into(),
            purged(0).into(),
            record(0, 0).into(),
            committed(0, 0).into(),
            record(0, 1).into(),
            record(0, 256).into(),
            record(0, u64::MAX).into(),
            log_end(0).into(),
            vote(1).into(),
        ];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        assert_eq!(parse(&record(7, 1 << 40)), Some(Slot::Record(1 << 40)));
        assert_eq!(parse(&committed(7, 9)), Some(Slot::Committed(9)));
        assert_eq!(parse(b"short"), None);
    }
}
