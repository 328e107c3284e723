//! The synced mark: what this node has promised to remember, kept where a damaged log cannot take it along.
//!
//! RocksDB ends the replay of a damaged write-ahead log at the damage and opens without a word, so a voter would come
//! back having forgotten records it had acknowledged. Counted again towards another majority, it loses data for all.
//! The mark is a small file beside the log that names the last record synced and the vote. A log that does not reach
//! its mark is
//! *lost*: the node's id must never vote again.
//!
//! The record is compared, not only its index: when a truncation and what followed it are lost, the old log is longer
//! than the mark asks, and wrong.
//!
//! The vote is in the file before it is acknowledged. For records the file may lag by [`FLUSH_INTERVAL_MS`]: a power
//! cut together with damage to the last records synced within that time goes unnoticed.

mod file;
#[cfg(any(test, fuzzing))]
pub(in crate::store) mod fuzz;

pub use file::{MarkError, MarkFile};

use std::collections::BTreeMap;

use bytes::Bytes;

use super::directory::CURE;
use super::engine::{GroupId, Position, Recovered};

/// How often a moved mark is written: rarely enough to cost nothing beside the syncs of the log itself.
pub const FLUSH_INTERVAL_MS: u64 = 100;

/// The marks of a node's groups.
pub type Marks = BTreeMap<GroupId, Mark>;

/// What one group's log must at least hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last record synced.
    pub last: Option<Position>,
    /// The last vote synced.
    pub vote: Option<Bytes>,
}

/// The log has forgotten what this node acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogLost {
    /// The log ends before its mark.
    #[error("record {marked} was synced, but the log {}; {CURE}", ends(*found))]
    Shorter {
        /// Index of the mark.
        marked: u64,
        /// Where the log ends.
        found: Option<u64>,
    },
    /// Another record stands at the mark: a truncation and what followed it are gone.
    #[error("record {marked} was replaced and synced, but the log holds the replaced one; {CURE}")]
    Replaced {
        /// Index of the mark.
        marked: u64,
    },
    /// The log holds no vote, or an older one.
    #[error("a newer vote was synced than the log holds; {CURE}")]
    Vote,
    /// There is a log, and no mark.
    #[error("the log has records, but its mark is missing; {CURE}")]
    Unmarked,
}

fn ends(found: Option<u64>) -> String {
    found.map_or_else(|| String::from("is empty"), |index| format!("ends at {index}"))
}

impl Mark {
    /// Compares a log with its mark. `marked` is the record the log holds at the mark's index.
    ///
    /// # Errors
    /// The log is behind.
    pub fn check(&self, log: &Recovered, marked: Option<&[u8]>) -> Result<(), LogLost> {
        if let Some(vote) = &self.vote
            && log.vote.as_ref().is_none_or(|found| found < vote)
        {
            return Err(LogLost::Vote);
        }
        let Some(last) = &self.last else { return Ok(()) };
        if log.purged.as_ref().is_some_and(|purged| purged.index >= last.index) {
            return Ok(());
        }
        match marked {
            None => Err(LogLost::Shorter { marked: last.index, found: log.last_index() }),
            Some(record) if !record.starts_with(&last.log_id) => Err(LogLost::Replaced { marked: last.index }),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Record;

    fn at(index: u64, log_id: &'static str) -> Position {
        Position { index, log_id: Bytes::from_static(log_id.as_bytes()) }
    }

    fn log(last: u64) -> Recovered {
        let last = Some(Record { index: last, bytes: Bytes::from_static(b"t2 payload") });
        Recovered { vote: Some(Bytes::from_static(b"vote 2")), last, ..Recovered::default() }
    }

    fn mark(last: Position, vote: &'static str) -> Mark {
        Mark { last: Some(last), vote: Some(Bytes::from_static(vote.as_bytes())) }
    }

    #[test]
    fn a_log_that_reaches_its_mark_is_whole() {
        assert_eq!(mark(at(7, "t2"), "vote 2").check(&log(9), Some(b"t2 x")), Ok(()));
        assert_eq!(Mark::default().check(&Recovered::default(), None), Ok(()));
    }

    #[test]
    fn a_log_behind_its_mark_is_lost() {
        let shorter = LogLost::Shorter { marked: 10, found: Some(9) };
        assert_eq!(mark(at(10, "t2"), "vote 2").check(&log(9), None), Err(shorter));
        assert_eq!(mark(at(7, "t3"), "vote 2").check(&log(9), Some(b"t2 x")), Err(LogLost::Replaced { marked: 7 }));
        assert_eq!(mark(at(7, "t2"), "vote 3").check(&log(9), Some(b"t2 x")), Err(LogLost::Vote));
        assert_eq!(mark(at(7, "t2"), "vote 2").check(&Recovered::default(), None), Err(LogLost::Vote));
    }

    #[test]
    fn a_mark_within_the_purged_part_asks_for_nothing() {
        let log = Recovered { purged: Some(at(20, "t2")), vote: Some(Bytes::from_static(b"vote 2")), ..log(25) };
        assert_eq!(mark(at(7, "t2"), "vote 2").check(&log, None), Ok(()));
    }

    #[test]
    fn what_is_lost_is_said_in_one_sentence() {
        let lost = LogLost::Shorter { marked: 10, found: None };
        assert_eq!(lost.to_string(), format!("record 10 was synced, but the log is empty; {CURE}"));
    }
}
