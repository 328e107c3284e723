//! Whose a data directory is that no node runs on, by what its log and its snapshot say of the members.
//!
//! It is a guess for whoever is about to set a directory aside, and proves nothing: what cannot be read, as where the
//! data is damaged, says nothing.

use std::path::Path;

use openraft::EntryPayload;

use super::encode;
use super::snapshot_data;
use super::type_config::Member;
use crate::store::GroupId;
use crate::store::rocks::peek;
use crate::store::snapshot::SnapshotStore;

/// The one there is.
const GROUP: GroupId = 0;

/// A directory of one member, found where another one is reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is the data of node {node}, which the cluster reaches at {known}; at {said} it reaches node {other}")]
pub struct Misplaced {
    /// Whose it is.
    pub node: u64,
    /// Where the others reach that one.
    pub known: String,
    /// Where it was found.
    pub said: String,
    /// Whom they reach there.
    pub other: u64,
}

/// Whether the directory of a node lies where another member is reached.
#[must_use]
pub fn misplaced(log: &Path, snapshots: &Path, node: u64, said: &str) -> Option<Misplaced> {
    let members = members(log, snapshots);
    let known = members.iter().find(|(id, _)| *id == node).map(|(_, own)| own.peer_endpoint.clone())?;
    let other = members.iter().find(|(id, other)| *id != node && other.peer_endpoint == said).map(|(id, _)| *id)?;
    (known != said).then(|| Misplaced { node, known, said: said.to_owned(), other })
}

/// The members by the newest entry that names them, or else by the newest snapshot.
fn members(log: &Path, snapshots: &Path) -> Vec<(u64, Member)> {
    let mut newest = Vec::new();
    let seen = peek(log, GROUP, |record| {
        if let Ok(entry) = encode::decode_entry(record.bytes.clone())
            && let EntryPayload::Membership(membership) = &entry.payload
        {
            newest = membership.nodes().map(|(id, member)| (*id, member.clone())).collect();
        }
    });
    if let Err(error) = seen {
        tracing::debug!(%error, "the log does not say whose it is");
    }
    if newest.is_empty()
        && let Ok(store) = SnapshotStore::open(snapshots)
        && let Ok(Some(file)) = store.newest()
        && let Ok(meta) = snapshot_data::meta(&file)
    {
        newest = meta.last_membership.membership().nodes().map(|(id, member)| (*id, member.clone())).collect();
    }
    newest
}
