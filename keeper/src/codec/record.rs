//! The state as a stream of chunks: what snapshots are made of.
//!
//! A chunk is a versioned value that holds whole records, so that one can be checked, decoded and dropped before the
//! next is read: neither writing nor reading ever holds the whole state twice. Order and completeness are the
//! registry's to judge: its header counts and hashes what follows.

use bytes::Bytes;
use keeper_registry::{Frozen, Header, Level, PresenceLimits, Record, State, ThawError, Thawing};

use crate::codec::presence::Places;
use crate::codec::{DecodeError, Input, Output, VERSION_NEWEST, record_read, record_write, version_at};

/// Where a chunk ends, give or take one record.
pub const CHUNK_BYTES: usize = 512 << 10;

/// A snapshot that cannot be turned into a state.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A record does not decode.
    #[error("a record of the snapshot does not decode")]
    Decode(#[from] DecodeError),
    /// The records do not make a state.
    #[error("the records of the snapshot do not make a state")]
    Thaw(#[from] ThawError),
}

/// Writes a frozen state, chunk by chunk.
///
/// # Errors
/// What `write` answered.
pub fn write<E>(frozen: Frozen, mut write: impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
    let version = version_at(frozen.level());
    let begin = || Output::versioned(version, CHUNK_BYTES + CHUNK_BYTES / 8);
    let mut out = begin();
    frozen.visit(|record: Record<'_>| {
        record_write::write(&mut out, record);
        if out.size() < CHUNK_BYTES {
            return Ok(());
        }
        write(std::mem::replace(&mut out, begin()).finish())
    })?;
    write(out.finish())
}

/// Reads the header of a state from its first chunk, and its feature level, which comes right behind.
///
/// # Errors
/// The chunk begins with something else.
pub fn header(first: Bytes) -> Result<(Header, Level), DecodeError> {
    let (_, mut input) = Input::versioned("a snapshot", VERSION_NEWEST, first)?;
    record_read::header(&mut input)
}

/// Rebuilds a state from its chunks.
#[derive(Debug)]
pub struct Reader {
    thawing: Thawing,
    places: Places,
}

impl Reader {
    /// Before the first chunk. `presence` bounds the ring that the state will keep.
    #[must_use]
    pub fn new(presence: PresenceLimits) -> Self {
        Self { thawing: Thawing::new(presence), places: Places::default() }
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// It does not decode, or its records do not fit those before.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), ReadError> {
        let (_, mut input) = Input::versioned("a snapshot", VERSION_NEWEST, chunk)?;
        while !input.is_empty() {
            record_read::read(&mut input, &mut self.places, &mut self.thawing)?;
        }
        Ok(())
    }

    /// The state, after the last chunk.
    ///
    /// # Errors
    /// Records are missing, or the state is not the one that was frozen.
    pub fn finish(self) -> Result<State, ReadError> {
        Ok(self.thawing.finish()?)
    }
}
