//! A cluster begun from a backup.

use keeper_registry::StateId;

use crate::backup::{self, BackupFile, Found, RestoreFailed};
use crate::node::start::{new_disk_id, new_state_id};
use crate::raft::Restored;
use crate::settings::Settings;

/// Fills the empty data directory of the settings' node with what a backup of the cluster `of` holds. The node that
/// starts on it leads a group of itself alone, to be founded with the others.
///
/// # Errors
/// See [`RestoreFailed`]; the directory is as it was.
pub fn restore(backup: &BackupFile, settings: &Settings, of: &str) -> Result<Restored, RestoreFailed> {
    let found = Found { disk_id: new_disk_id(), state_id: StateId(new_state_id()) };
    backup::restore(backup, settings, of, found)
}
