//! A snapshot with a name.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::reader::SnapshotReader;
use super::{CHUNK_BYTES_MAX, SnapshotError};

/// A snapshot file, open: it stays readable when its name is removed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SnapshotFile {
    file: Arc<File>,
    path: PathBuf,
    /// Where in the file it begins.
    begin: u64,
    bytes: u64,
    index: u64,
    meta: Bytes,
}

impl SnapshotFile {
    /// Opens a file and checks its head.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or too new.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        Self::open_within(path, 0)
    }

    /// The same for a snapshot that is the rest of a file from `begin` on. Damage is told by its place in the file.
    ///
    /// # Errors
    /// As [`SnapshotFile::open`].
    pub fn open_within(path: &Path, begin: u64) -> Result<Self, SnapshotError> {
        let failed = |source| SnapshotError::Read { path: path.into(), source: Arc::new(source) };
        let file = Arc::new(File::open(path).map_err(failed)?);
        let bytes = file.metadata().map_err(failed)?.len().saturating_sub(begin);
        let reader = SnapshotReader::new(Arc::clone(&file), begin, path)?;
        Ok(Self { file, path: path.into(), begin, bytes, index: reader.index(), meta: reader.meta().clone() })
    }

    /// The last index whose effect it holds.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What the writer said about the payload.
    #[must_use]
    pub const fn meta(&self) -> &Bytes {
        &self.meta
    }

    /// Its size.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it was written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the payload, from its beginning.
    ///
    /// # Errors
    /// The file cannot be read, or its head is damaged by now.
    pub fn read(&self) -> Result<SnapshotReader, SnapshotError> {
        SnapshotReader::new(Arc::clone(&self.file), self.begin, &self.path)
    }

    /// Bytes of the snapshot as it was written, for a peer; at most [`CHUNK_BYTES_MAX`] of them, and none at its end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read_raw(&self, at: u64, bytes_max: usize) -> Result<Bytes, SnapshotError> {
        let rest = usize::try_from(self.bytes.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut piece = vec![0; bytes_max.min(CHUNK_BYTES_MAX).min(rest)];
        self.file
            .read_exact_at(&mut piece, self.begin + at)
            .map_err(|source| SnapshotError::Read { path: self.path.clone(), source: Arc::new(source) })?;
        Ok(piece.into())
    }
}
