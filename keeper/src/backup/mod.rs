//! Backups: the whole state in one file, taken from a node that goes on working, and a new cluster begun from it.
//!
//! A backup is a snapshot of a node with a head in front that says whose it is:
//!
//! ```text
//! magic     "KEEPBACK", version: u8
//! head      length: u32, [`Head`] encoded, crc32c of everything so far
//! snapshot  a snapshot file as in [`crate::store::snapshot`], to the end
//! ```
//!
//! So every byte is under a checksum, the file says by itself whether it is whole, and what is damaged is told by its
//! offset. Only the daemon reads and writes the format: to whoever fetches a backup it is bytes with a checksum.
//!
//! - **[`Backups`] takes one** ([`worker`] does the work). The state is frozen and written as for any snapshot, so the
//!   node pays what its own snapshots cost. Unless asked otherwise it has everything that was acknowledged anywhere
//!   before it began. One is taken at a time, and a reader that takes nothing for long loses its turn.
//! - **[`BackupFile`] checks one**: first every checksum, then by making the state that it holds.
//! - **[`restore`] begins a cluster with one**, in an empty data directory; `raft/restore.rs` says how.
//!
//! Not built: backups of what changed since the last one. The state of ten million sessions is a gigabyte, mostly of
//! sessions that gateways register again anyway.

mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod handle;
mod head;
mod limits;
mod restore;
#[cfg(test)]
mod tests;
mod worker;

pub use file::{BackupError, BackupFile, Contents};
pub use handle::{BackupStream, Backups, Part};
pub use head::Head;
pub use restore::{Found, RestoreFailed, restore};
pub use worker::{Source, Worker};
