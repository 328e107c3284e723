//! The snapshots of one node. One is kept: the newest that is whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SnapshotError;
use super::file::SnapshotFile;
use super::receiver::SnapshotReceiver;
use super::writer::{SnapshotWriter, Unfinished};
use crate::store::directory::sync_directory;

const SUFFIX: &str = ".snapshot";
const SUFFIX_UNFINISHED: &str = ".unfinished";

/// The directory of snapshots.
#[derive(Debug)]
pub struct SnapshotStore {
    directory: PathBuf,
    /// Names unfinished files apart, should one be received while another is written.
    begun: AtomicU64,
}

pub(super) fn file_name(index: u64) -> String {
    // All digits, so that names sort as the indices do.
    format!("{index:020}{SUFFIX}")
}

impl SnapshotStore {
    /// Opens the directory, and removes what an interrupted run left unfinished.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn open(directory: &Path) -> Result<Self, SnapshotError> {
        let store = Self { directory: directory.into(), begun: AtomicU64::new(0) };
        for name in store.names()? {
            if name.ends_with(SUFFIX_UNFINISHED) {
                store.remove(&name)?;
            }
        }
        Ok(store)
    }

    /// Begins a snapshot of the state up to `index`.
    ///
    /// # Errors
    /// The disk failed, or `meta` is beyond its limit.
    pub fn create(&self, index: u64, meta: &[u8]) -> Result<SnapshotWriter, SnapshotError> {
        SnapshotWriter::create(self.unfinished(), index, meta)
    }

    /// Begins to receive a peer's snapshot.
    ///
    /// # Errors
    /// The disk failed.
    pub fn receive(&self) -> Result<SnapshotReceiver, SnapshotError> {
        Ok(SnapshotReceiver::new(Unfinished::create(self.unfinished())?))
    }

    /// The newest snapshot, verified to its last byte.
    ///
    /// # Errors
    /// It is damaged, too new, or cannot be read. An older one is not offered instead: the log behind the newest may
    /// already be gone.
    pub fn newest(&self) -> Result<Option<SnapshotFile>, SnapshotError> {
        let Some((_, path)) = self.list()?.pop() else { return Ok(None) };
        let file = SnapshotFile::open(&path)?;
        file.read()?.verify()?;
        Ok(Some(file))
    }

    /// Removes every snapshot below `index`. One that is being read stays readable until it is closed.
    ///
    /// # Errors
    /// The disk failed.
    pub fn remove_older(&self, index: u64) -> Result<(), SnapshotError> {
        for (found, _) in self.list()? {
            if found < index {
                self.remove(&file_name(found))?;
            }
        }
        sync_directory(&self.directory)
            .map_err(|source| SnapshotError::Write { path: self.directory.clone(), source: Arc::new(source) })
    }

    /// Index and path of every snapshot, the newest last.
    fn list(&self) -> Result<Vec<(u64, PathBuf)>, SnapshotError> {
        let indexed = |name: String| Some((name.strip_suffix(SUFFIX)?.parse().ok()?, self.directory.join(&name)));
        let mut found: Vec<_> = self.names()?.into_iter().filter_map(indexed).collect();
        found.sort_unstable();
        Ok(found)
    }

    fn names(&self) -> Result<Vec<String>, SnapshotError> {
        let failed = |source| read_failed(&self.directory, source);
        let entries = fs::read_dir(&self.directory).map_err(failed)?;
        entries.map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn remove(&self, name: &str) -> Result<(), SnapshotError> {
        let path = self.directory.join(name);
        fs::remove_file(&path).map_err(|source| SnapshotError::Write { path, source: Arc::new(source) })
    }

    fn unfinished(&self) -> PathBuf {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        self.directory.join(format!("{begun}{SUFFIX_UNFINISHED}"))
    }
}

fn read_failed(path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Read { path: path.into(), source: Arc::new(source) }
}
