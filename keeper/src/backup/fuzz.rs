//! Backups: files as a disk or a stranger may leave them, and whole ones around any snapshot.

use bytes::Bytes;
use keeper_registry::{Level, LogTime, Revision, StateId};

use super::file::front;
use super::{BackupError, BackupFile, Head};
use crate::codec::fuzz::{Property, round_trip};
use crate::store::fuzz::in_memory;

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] =
    &[("backup_head", |input| round_trip(input, Head::decode, Head::encode)), ("backup_file", backup_file)];

/// The input as a file, and as the snapshot of a backup whose head holds. A refusal says one line.
fn backup_file(input: &[u8]) {
    let head = Head {
        cluster: "prod".to_owned(),
        node: 2,
        program: "0.1.0".to_owned(),
        level: Level::FIRST,
        taken_at_ms: 0,
        state: StateId(0xFEED),
        revision: Revision(5),
        time: LogTime(7),
        sessions: 0,
        snapshot_bytes: input.len() as u64,
    };
    let around = Bytes::from([&front(&head)[..], input].concat());
    for bytes in [input, &around[..]] {
        let Ok(file) = in_memory(bytes) else { return };
        let read = BackupFile::open(file.path()).and_then(|backup| backup.contents());
        if let Err(refused) = read {
            assert!(!matches!(refused, BackupError::Read { .. }), "{refused}");
            assert_eq!(refused.to_string().lines().count(), 1);
        }
    }
}
