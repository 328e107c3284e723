//! Snapshot files: written aside, checked chunk by chunk, visible only when whole.
//!
//! ```text
//! magic  "KEEPSNAP", version: u8
//! head   index: u64, length of meta: u32, meta, crc32c of everything so far
//! chunk  length: u32 (1 to 1 MiB), crc32c of (number of the chunk: u64, bytes), bytes
//! ...
//! end    length: u32 = 0, crc32c of (chunks, payload), chunks: u64, payload: u64
//! ```
//!
//! Integers are big-endian. The number in a chunk's checksum makes a chunk that is whole but in the wrong place damage,
//! and the counts at the end make a file that stops early, or goes on, damage. Payload and meta are bytes to this
//! module. A file gets its name, which holds the index it reaches, after it was synced: a file with a name was once
//! whole. It is verified again before it is trusted, since disks forget.

mod error;
mod file;
#[cfg(any(test, fuzzing))]
pub(in crate::store) mod fuzz;
mod reader;
mod receiver;
mod store;
mod writer;

pub use error::{Damage, SnapshotError};
pub use file::SnapshotFile;
pub use reader::{SnapshotReader, Summary};
pub use receiver::SnapshotReceiver;
pub use store::SnapshotStore;
pub use writer::SnapshotWriter;

/// Payload of one chunk at most, and so the memory a reader needs.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Meta at most: a membership of some hundred nodes.
pub const META_BYTES_MAX: usize = 1 << 20;

const MAGIC: [u8; 8] = *b"KEEPSNAP";

const VERSION: u8 = 1;

/// Written between two syncs: a sync of the log waits behind one of these at worst, a millisecond or two.
const SYNC_BYTES: u64 = 512 << 10;

/// The checksum of a chunk.
fn chunk_checksum(number: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_be_bytes()), bytes)
}

/// The checksum of the end.
fn end_checksum(summary: Summary) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&summary.chunks.to_be_bytes()), &summary.payload_bytes.to_be_bytes())
}

#[cfg(test)]
mod tests;
