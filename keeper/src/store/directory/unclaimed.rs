//! A data directory in the making: filled first, claimed last.
//!
//! A directory gets its identity when everything it is to begin with lies in it. Until then no node starts on it: files
//! without an identity are somebody else's. Given up, it is emptied again; a process killed meanwhile leaves files that
//! are refused until somebody removes them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use keeper_registry::Level;

use super::{DataDirectory, DirectoryError, Identity, LOCK, MARK, content, lock, refuse_full, sync_directory, write};
use crate::store::mark::MarkFile;

/// A directory that holds what a node is to begin with, and belongs to nobody yet. Dropped, it is empty again.
#[derive(Debug)]
pub struct UnclaimedDirectory {
    path: PathBuf,
    /// None once it was claimed.
    lock: Option<File>,
}

impl DataDirectory {
    /// Takes an empty directory, or one that does not exist, to fill it.
    ///
    /// # Errors
    /// It holds anything, is in use, not writable, or on a disk with less than `needed_bytes` free.
    pub fn prepare(path: &Path, needed_bytes: u64) -> Result<UnclaimedDirectory, DirectoryError> {
        let unwritable = |source| DirectoryError::Write { path: path.into(), source };
        let unreadable = |source| DirectoryError::Read { path: path.into(), source };
        fs::create_dir_all(path).map_err(unwritable)?;
        let found = content(path, &[]).map_err(unreadable)?;
        // A directory in use is not empty either, and that it is in use says more. Nothing is written to any other.
        let is_lockable = found.is_none() || path.join(LOCK).try_exists().map_err(unreadable)?;
        let lock = if is_lockable { Some(lock(path)?) } else { None };
        if let Some(found) = found {
            return Err(DirectoryError::Occupied { path: path.into(), found });
        }
        let directory = UnclaimedDirectory { path: path.into(), lock };
        refuse_full(path, needed_bytes)?;
        drop(MarkFile::create(&directory.mark()).map_err(|source| DirectoryError::Mark { source })?);
        for folder in [directory.log(), directory.snapshots()] {
            fs::create_dir(folder).map_err(unwritable)?;
        }
        Ok(directory)
    }
}

impl UnclaimedDirectory {
    /// Where the log will lie.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the synced mark lies.
    #[must_use]
    pub fn mark(&self) -> PathBuf {
        self.path.join(MARK)
    }

    /// Where the snapshots will lie.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// Makes it the directory of a node, in a cluster at a level.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn claim(mut self, identity: &Identity, level: Level) -> Result<(), DirectoryError> {
        let unwritable = |source| DirectoryError::Write { path: self.path.clone(), source };
        sync_directory(&self.path).map_err(unwritable)?;
        write(&self.path, &identity.to_text(level)).map_err(unwritable)?;
        self.lock = None;
        Ok(())
    }
}

impl Drop for UnclaimedDirectory {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // What cannot be removed is found, and refused, by whoever comes next.
            drop(fs::remove_dir_all(self.log()));
            drop(fs::remove_dir_all(self.snapshots()));
            drop(fs::remove_file(self.mark()));
            drop(fs::remove_file(self.path.join(LOCK)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { cluster: "prod".into(), node_id: 3, created_at_ms: 1_700_000_000_000, disk_id: 5 }
    }

    fn entries(path: &Path) -> usize {
        fs::read_dir(path).expect("a directory").count()
    }

    #[test]
    fn a_directory_is_a_nodes_once_it_was_claimed() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("data");
        let prepared = DataDirectory::prepare(&path, 0).expect("it does not exist");
        fs::write(prepared.snapshots().join("one"), "").expect("a write");
        prepared.claim(&identity(), Level::FIRST).expect("its own");
        let opened = DataDirectory::open(&path, &identity()).expect("its own directory");
        assert!(opened.snapshots().join("one").exists());
    }

    #[test]
    fn one_that_was_given_up_is_empty_again() {
        let root = tempfile::tempdir().expect("a directory");
        drop(DataDirectory::prepare(root.path(), 0).expect("an empty directory"));
        assert_eq!(entries(root.path()), 0);
        let refused = DataDirectory::prepare(root.path(), u64::MAX).expect_err("no disk is that large");
        assert!(matches!(refused, DirectoryError::Full { .. }), "{refused}");
        assert_eq!(entries(root.path()), 0);
    }

    #[test]
    fn one_that_was_left_half_filled_is_neither_started_nor_filled() {
        let root = tempfile::tempdir().expect("a directory");
        let left = DataDirectory::prepare(root.path(), 0).expect("an empty directory");
        // As a process that is killed leaves it.
        std::mem::forget(left);
        fs::remove_file(root.path().join(LOCK)).expect("a lock");
        let refused = DataDirectory::open(root.path(), &identity()).expect_err("it has no identity");
        assert!(matches!(refused, DirectoryError::Unidentified { .. }), "{refused}");
        let refused = DataDirectory::prepare(root.path(), 0).expect_err("it holds files");
        assert!(matches!(refused, DirectoryError::Occupied { .. }), "{refused}");
    }

    #[test]
    fn one_that_belongs_to_a_node_is_refused_and_left_alone() {
        let root = tempfile::tempdir().expect("a directory");
        let open = DataDirectory::open(root.path(), &identity()).expect("a directory");
        let before = entries(root.path());
        let refused = DataDirectory::prepare(root.path(), 0).expect_err("it is open");
        assert!(matches!(refused, DirectoryError::Locked { .. }), "{refused}");
        drop(open);
        let refused = DataDirectory::prepare(root.path(), 0).expect_err("it is a node's");
        assert!(matches!(refused, DirectoryError::Occupied { .. }), "{refused}");
        assert_eq!(entries(root.path()), before);
    }
}
