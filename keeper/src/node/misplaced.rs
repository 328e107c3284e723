//! Whether a node's settings lead to the data of another member.

use crate::raft;
use crate::settings::Settings;
use crate::store::DataDirectory;

/// Whether the data is that of another member than the one that is reached at the addresses in the settings; where that
/// can be read, and in words.
#[must_use]
pub fn misplaced(settings: &Settings) -> Option<String> {
    let (node, log, snapshots) = DataDirectory::owner(&settings.data_dir, &settings.cluster)?;
    let said = settings.advertise.peer.clone().unwrap_or_else(|| settings.listen.peer.to_string());
    raft::misplaced(&log, &snapshots, node, &said).map(|found| found.to_string())
}
