//! A data directory that a new cluster begins with.

use keeper_registry::{Level, StateId};

use super::file::{BackupError, BackupFile};
use crate::clock;
use crate::raft::{self, RestoreError, RestoreParts, Restored};
use crate::settings::Settings;
use crate::store::snapshot::{SnapshotError, SnapshotStore};
use crate::store::{DataDirectory, DirectoryError, Hooks, Identity, RocksEngine, RocksOptions, StoreError};

/// Numbers that no other directory and no other history has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Names the data directory.
    pub disk_id: u64,
    /// Names the history.
    pub state_id: StateId,
}

/// Why there is no directory to begin with. What was begun is removed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFailed {
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The backup is of a cluster of another name.
    #[error(
        "the backup is of cluster `{found}`, and the settings are for `{expected}`: if that is meant, say \
             `--backup-of {found}`"
    )]
    OtherCluster {
        /// The cluster it is of.
        found: String,
        /// The one of the settings.
        expected: String,
    },
    /// The settings name no number.
    #[error("node_id is missing from the settings: whoever begins a cluster has a number, for example node_id = 1")]
    Unnumbered,
    /// The directory is not to be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log cannot be made.
    #[error("the log cannot be made")]
    Log(#[source] StoreError),
    /// The snapshots' folder cannot be used.
    #[error("the snapshots cannot be written")]
    Snapshots(#[source] SnapshotError),
    /// The state cannot be restored.
    #[error("the state cannot be restored")]
    State(#[from] RestoreError),
}

impl RestoreFailed {
    /// Whether this is a decision: the same again will be answered the same.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Backup(error) => !error.is_unreadable(),
            Self::OtherCluster { .. } | Self::Unnumbered => true,
            Self::Directory(error) => {
                matches!(
                    error,
                    DirectoryError::Locked { .. } | DirectoryError::Occupied { .. } | DirectoryError::Full { .. }
                )
            }
            Self::Log(_) | Self::Snapshots(_) | Self::State(_) => false,
        }
    }
}

/// Fills the data directory of a node with what a backup holds. `of` is the cluster the backup is expected to be of.
///
/// # Errors
/// See [`RestoreFailed`].
pub fn restore(backup: &BackupFile, settings: &Settings, of: &str, found: Found) -> Result<Restored, RestoreFailed> {
    if backup.head().cluster != of {
        let (found, expected) = (backup.head().cluster.clone(), of.to_owned());
        return Err(RestoreFailed::OtherCluster { found, expected });
    }
    let node = settings.node_id.ok_or(RestoreFailed::Unnumbered)?;
    backup.verify()?;
    let needed_bytes = settings.storage.disk_reserve_bytes.saturating_add(backup.snapshot().size_bytes());
    let directory = DataDirectory::prepare(&settings.data_dir, needed_bytes)?;
    let restored = {
        // A failure to write is told to whoever waits for the write.
        let hooks = Hooks::ignore();
        let log = RocksEngine::open(&directory.log(), &directory.mark(), &RocksOptions::default(), hooks);
        let identity = raft::Identity {
            cluster: settings.cluster.clone(),
            group: 0,
            node,
            disk_id: found.disk_id,
            level_max: Level::NEWEST,
        };
        raft::restore(&RestoreParts {
            from: backup.snapshot(),
            identity: &identity,
            snapshots: &SnapshotStore::open(&directory.snapshots()).map_err(RestoreFailed::Snapshots)?,
            log: &log.map_err(RestoreFailed::Log)?,
            presence: settings.presence.limits(),
            state_id: found.state_id,
            wall_ms: clock::wall_ms(),
        })?
    };
    let identity = Identity {
        cluster: settings.cluster.clone(),
        node_id: node,
        created_at_ms: clock::wall_ms(),
        disk_id: found.disk_id,
    };
    directory.claim(&identity, restored.level)?;
    Ok(restored)
}
