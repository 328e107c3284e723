//! Files beside the log: the mark, the identity, snapshots.

pub(crate) use super::snapshot::fuzz::in_memory;
use super::{directory, mark, snapshot};
use crate::codec::fuzz::Property;

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] = &[
    ("identity", directory::fuzz::identity),
    ("mark", mark::fuzz::mark),
    ("mark_file", mark::fuzz::mark_file),
    ("snapshot_file", snapshot::fuzz::snapshot_file),
    ("snapshot_chunks", snapshot::fuzz::snapshot_chunks),
];
