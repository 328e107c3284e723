//! A snapshot of this moment, for whoever wants to keep one elsewhere.
//!
//! It is an ordinary snapshot of this node, taken ahead of its time: frozen by cloning pointers, written in the
//! background, the new current one when it is done. So a reader costs the node what its own snapshots do, and one that
//! is slow holds nothing but an open file: the next snapshot removes its name, and its blocks go with the last reader.

use std::io;

use bytes::Bytes;
use keeper_registry::{Header, Level, Revision};
use tokio::time::timeout;

use super::handle::RaftHandle;
use super::limits::SNAPSHOT_RETRY;
use super::offload::Offload;
use super::snapshot_data::{self, sentence};
use crate::store::snapshot::SnapshotFile;

/// An open snapshot of this node.
#[derive(Debug, Clone)]
pub struct SnapshotCopy {
    file: SnapshotFile,
    offload: Offload,
}

impl RaftHandle {
    /// A snapshot that covers everything up to `revision`, which this node has applied.
    ///
    /// # Errors
    /// See [`SnapshotRefused`].
    pub async fn snapshot_of(&self, revision: Revision) -> Result<SnapshotCopy, SnapshotRefused> {
        let mut done = self.raft.watch_snapshot_progress();
        loop {
            if let Some(file) = self.snapshots.current_file().filter(|file| file.index() >= revision.0) {
                return Ok(SnapshotCopy { file, offload: self.offload });
            }
            if !self.vitals.is_sound() {
                return Err(SnapshotRefused::Differs);
            }
            if !self.vitals.fits_snapshot() {
                return Err(SnapshotRefused::NoRoom);
            }
            self.raft.trigger().snapshot().await.map_err(|_| SnapshotRefused::Stopped)?;
            // openraft drops the request while it still counts an earlier snapshot as under way.
            if let Ok(Err(_)) = timeout(SNAPSHOT_RETRY, done.changed()).await {
                return Err(SnapshotRefused::Stopped);
            }
        }
    }
}

impl SnapshotCopy {
    /// Its size.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    /// What the state in it says of itself.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub async fn header(&self) -> io::Result<(Header, Level)> {
        let file = self.file.clone();
        self.offload.short(move || snapshot_data::header(&file)).await
    }

    /// At most `bytes_max` of its bytes from `at` on; none at its end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn read(&self, at: u64, bytes_max: usize) -> io::Result<Bytes> {
        let file = self.file.clone();
        self.offload.short(move || file.read_raw(at, bytes_max).map_err(sentence)).await
    }
}

/// Why there is no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotRefused {
    /// There is no room for it on the disk.
    #[error("the disk of this node has no room for it: make room, or take it from another node with `--from`")]
    NoRoom,
    /// This node's state is not that of the others.
    #[error("the state of this node differs from that of the others: take it from another node with `--from`")]
    Differs,
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopped,
}
