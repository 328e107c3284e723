//! Whose directory it is, as text that a person can read.

use std::path::Path;

use keeper_registry::Level;

use super::{DirectoryError, FORMAT};
use crate::levels::{is_release, release_of};

const TITLE: &str = "keeper data directory";

/// Begins the last line, which holds the CRC-32C of those before.
const CHECKSUM: &str = "checksum ";

/// The format since which the line behind it names the release that is needed. It stays there in every later one, so
/// that a binary which is too old for the rest can say what to run.
const FORMAT_NEEDS: u32 = 2;

/// The node a data directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the cluster.
    pub cluster: String,
    /// Id of the node in it; 0 while it waits for one.
    pub node_id: u64,
    /// When the directory was made, in Unix milliseconds; for people.
    pub created_at_ms: u64,
    /// Names the directory itself, so that a wiped one is told from the one it replaced. Never 0.
    pub disk_id: u64,
}

/// How far the cluster was when a directory was last written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The cluster's feature level.
    pub level: Level,
    /// The release that can read it.
    pub needs: String,
}

impl Identity {
    /// As it is written for a directory of a cluster at `level`. At the first level the first release reads it, so that
    /// a node can go back: it stops reading before the checksum.
    pub(super) fn to_text(&self, level: Level) -> String {
        let text = self.unchecked(level);
        let checksum = crc32c::crc32c(text.as_bytes());
        format!("{text}{CHECKSUM}{checksum:08x}\n")
    }

    /// Without a checksum, which is all that the first release wrote.
    fn unchecked(&self, level: Level) -> String {
        let Self { cluster, node_id, created_at_ms, disk_id } = self;
        let format = if level >= Level::NAMED {
            format!("format {FORMAT}\nneeds {}\nlevel {level}", release_of(level))
        } else {
            "format 1".to_owned()
        };
        format!(
            "{TITLE}\n{format}\ncluster {cluster}\nnode {node_id}\ncreated_at_ms {created_at_ms}\ndisk {disk_id:016x}\n"
        )
    }

    /// The identity that a directory has, if it is of the same cluster. Its number counts, whatever the claim says: one
    /// that joined has it from the cluster.
    pub(super) fn confirm(&self, text: &str, path: &Path) -> Result<(Self, Stage), DirectoryError> {
        let damaged = |what: &str| DirectoryError::Identity { path: path.into(), what: what.into() };
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Err(damaged("it does not begin with its title"));
        }
        let mut field = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.strip_prefix(' '));
            value.map(String::from).ok_or_else(|| damaged(&format!("it has no `{name}` where one belongs")))
        };
        // First, and alone: what follows may differ in a newer one.
        let found: u32 = field("format")?.parse().map_err(|_| damaged("`format` is not a number"))?;
        if found == 0 {
            return Err(damaged("`format` is 0"));
        }
        if found > FORMAT {
            let needs = field("needs")?;
            if !is_release(&needs) {
                return Err(damaged("`needs` names no release"));
            }
            return Err(DirectoryError::Format { path: path.into(), found, needs });
        }
        if found >= FORMAT_NEEDS || text.contains(CHECKSUM) {
            is_whole(text).map_err(|what| damaged(&what))?;
        }
        let stage = if found >= FORMAT_NEEDS {
            let needs = field("needs")?;
            let level = Level(field("level")?.parse().map_err(|_| damaged("`level` is not a number"))?);
            if level < Level::NAMED {
                return Err(damaged("`level` is one that has another format"));
            }
            Stage { needs, level }
        } else {
            Stage { needs: release_of(Level::FIRST).to_owned(), level: Level::FIRST }
        };
        let cluster = field("cluster")?;
        let node_id = field("node")?.parse().map_err(|_| damaged("`node` is not a number"))?;
        let created_at_ms = field("created_at_ms")?.parse().map_err(|_| damaged("`created_at_ms` is not a number"))?;
        let disk_id = u64::from_str_radix(&field("disk")?, 16).map_err(|_| damaged("`disk` is not a number"))?;
        let own = Self { cluster, node_id, created_at_ms, disk_id };
        if !text.contains(CHECKSUM) && text != own.unchecked(Level::FIRST) {
            return Err(damaged("its checksum is missing, and it is not what the first release wrote"));
        }
        let Self { cluster, .. } = &own;
        if *cluster != self.cluster {
            let expected = self.cluster.clone();
            return Err(DirectoryError::Cluster { path: path.into(), found: cluster.clone(), expected });
        }
        Ok((own, stage))
    }
}

/// Whether the text is as it was written, if it says so of itself.
fn is_whole(text: &str) -> Result<(), String> {
    let at = text.rfind(CHECKSUM).ok_or("its checksum is missing")?;
    let (checked, last) = text.split_at(at);
    let expected = format!("{CHECKSUM}{:08x}\n", crc32c::crc32c(checked.as_bytes()));
    if last == expected { Ok(()) } else { Err(format!("bytes 0 to {at} do not match the checksum behind them")) }
}
