//! Everything on disk: the data directory, the log, the synced mark, the snapshot files.
//!
//! rocksdb is imported here and nowhere else; nothing here knows openraft or the registry. Records, log ids and votes
//! are bytes, with two properties the encoding in `raft` keeps for ever: a record begins with the bytes of its log id,
//! and of two votes the greater one has the greater bytes. They are what the [synced mark](mark) needs to tell a log
//! that lost acknowledged records from one that did not.

pub mod directory;
pub mod engine;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod mark;
pub mod memory;
pub mod rocks;
pub mod snapshot;
mod space;

pub(crate) use directory::CURE;
pub use directory::{DataDirectory, DirectoryError, Identity, Stage, UnclaimedDirectory};
pub use engine::{Done, GroupId, Hooks, LogEngine, LogOp, Position, Record, Recovered, Synced};
pub use error::{Cause, StoreError};
pub use mark::{LogLost, Mark};
pub use memory::{MemoryDisk, MemoryEngine};
pub use rocks::{RocksEngine, RocksOptions};
pub use snapshot::{SnapshotError, SnapshotFile, SnapshotStore};
pub use space::{FreeBytes, Room, Space, Standing};
