//! The snapshots of this node. One is current: the newest, whether it was written here or received.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use keeper_registry::{Frozen, PresenceLimits, State};
use openraft::alias::{SnapshotMetaOf, SnapshotOf};
use parking_lot::Mutex;

use super::encode;
use super::snapshot_data::{self, SnapshotData, sentence};
use super::type_config::TypeConfig;
use crate::store::snapshot::{SnapshotFile, SnapshotReceiver, SnapshotStore};

/// Shared by the state machine, the builder, and the receiver of a peer's snapshot.
#[derive(Debug)]
pub(super) struct SnapshotFiles {
    store: SnapshotStore,
    /// What a state keeps that is made of one.
    presence: PresenceLimits,
    current: Mutex<Option<Current>>,
    /// Held while a snapshot is written.
    writing: Mutex<()>,
    closed: AtomicBool,
}

#[derive(Debug, Clone)]
struct Current {
    meta: SnapshotMetaOf<TypeConfig>,
    file: SnapshotFile,
}

impl SnapshotFiles {
    /// Takes up the newest snapshot there is, verified to its last byte.
    pub(super) fn open(store: SnapshotStore, presence: PresenceLimits) -> io::Result<Self> {
        let current = match store.newest().map_err(sentence)? {
            Some(file) => Some(Current { meta: snapshot_data::meta(&file)?, file }),
            None => None,
        };
        let (current, writing) = (Mutex::new(current), Mutex::new(()));
        Ok(Self { store, presence, current, writing, closed: AtomicBool::new(false) })
    }

    /// Rebuilds the state in a file, after checking every byte it is made of.
    pub(super) fn thaw(&self, file: &SnapshotFile) -> io::Result<State> {
        snapshot_data::thaw(file, self.presence)
    }

    /// A handle to the current snapshot.
    pub(super) fn current(&self) -> Option<SnapshotOf<TypeConfig, SnapshotData>> {
        let Current { meta, file } = self.current.lock().clone()?;
        Some(SnapshotOf::<TypeConfig, SnapshotData> { meta, snapshot: SnapshotData::Kept(file) })
    }

    /// The file of the current snapshot.
    pub(super) fn current_file(&self) -> Option<SnapshotFile> {
        self.current.lock().as_ref().map(|current| current.file.clone())
    }

    /// Writes a frozen state. If a newer snapshot was installed meanwhile, that one stays current.
    pub(super) fn write(&self, meta: SnapshotMetaOf<TypeConfig>, frozen: Frozen) -> io::Result<Option<u64>> {
        let _writing = self.writing.lock();
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let mut writer = self.store.create(index, &encode::snapshot_meta(&meta, frozen.level())).map_err(sentence)?;
        snapshot_data::write(frozen, &mut writer, &self.closed)?;
        let mut current = self.current.lock();
        if current.as_ref().is_some_and(|current| current.file.index() >= index) {
            return Ok(None);
        }
        let file = writer.finish().map_err(sentence)?;
        let bytes = file.size_bytes();
        self.store.remove_older(index).map_err(sentence)?;
        *current = Some(Current { meta, file });
        Ok(Some(bytes))
    }

    /// Gives up what is being written, and waits until it has: the directory may be opened again afterwards.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        drop(self.writing.lock());
    }

    /// Begins to receive a peer's snapshot.
    pub(super) fn receive(&self) -> io::Result<SnapshotReceiver> {
        self.store.receive().map_err(sentence)
    }

    /// Makes a received snapshot the current one.
    pub(super) fn keep(
        &self,
        meta: SnapshotMetaOf<TypeConfig>,
        received: &SnapshotFile,
        receiver: SnapshotReceiver,
    ) -> io::Result<()> {
        let mut current = self.current.lock();
        let file = receiver.publish(received).map_err(sentence)?;
        self.store.remove_older(file.index()).map_err(sentence)?;
        *current = Some(Current { meta, file });
        Ok(())
    }
}
