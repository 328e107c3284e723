//! Writing a snapshot of this node's own state.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::SnapshotFile;
use super::{
    CHUNK_BYTES_MAX, MAGIC, META_BYTES_MAX, SYNC_BYTES, SnapshotError, Summary, VERSION, chunk_checksum, end_checksum,
};
use crate::store::directory::sync_directory;

/// A snapshot being written. Dropped before it is finished, it is removed.
#[derive(Debug)]
pub struct SnapshotWriter {
    output: Unfinished,
    index: u64,
    written: Summary,
}

impl SnapshotWriter {
    pub(super) fn create(path: PathBuf, index: u64, meta: &[u8]) -> Result<Self, SnapshotError> {
        let length = u32::try_from(meta.len()).ok().filter(|_| meta.len() <= META_BYTES_MAX);
        let length = length.ok_or(SnapshotError::MetaTooLarge { found: meta.len() })?;
        let mut output = Unfinished::create(path)?;
        let mut header = Vec::with_capacity(meta.len() + 25);
        header.extend_from_slice(&MAGIC);
        header.push(VERSION);
        header.extend_from_slice(&index.to_be_bytes());
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(meta);
        let checksum = crc32c::crc32c(&header);
        header.extend_from_slice(&checksum.to_be_bytes());
        output.write(&header)?;
        Ok(Self { output, index, written: Summary::default() })
    }

    /// Adds payload, as one chunk or several. How it was cut is not kept.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write(&mut self, payload: &[u8]) -> Result<(), SnapshotError> {
        for chunk in payload.chunks(CHUNK_BYTES_MAX) {
            let checksum = chunk_checksum(self.written.chunks, chunk);
            // At most the limit above, so it fits.
            let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            self.output.write(&length.to_be_bytes())?;
            self.output.write(&checksum.to_be_bytes())?;
            self.output.write(chunk)?;
            self.written.chunks += 1;
            self.written.payload_bytes += chunk.len() as u64;
        }
        Ok(())
    }

    /// Payload written so far.
    #[must_use]
    pub const fn written(&self) -> Summary {
        self.written
    }

    /// Ends the file, and makes it and its name durable.
    ///
    /// # Errors
    /// The disk failed; the file is gone.
    pub fn finish(mut self) -> Result<SnapshotFile, SnapshotError> {
        let Summary { chunks, payload_bytes } = self.written;
        let mut end = Vec::with_capacity(24);
        end.extend_from_slice(&0_u32.to_be_bytes());
        end.extend_from_slice(&end_checksum(self.written).to_be_bytes());
        end.extend_from_slice(&chunks.to_be_bytes());
        end.extend_from_slice(&payload_bytes.to_be_bytes());
        self.output.write(&end)?;
        let path = self.output.publish(self.index)?;
        SnapshotFile::open(&path)
    }
}

/// A file that has no name yet by which it would be taken for a snapshot.
#[derive(Debug)]
pub(super) struct Unfinished {
    file: Option<io::BufWriter<File>>,
    path: PathBuf,
    bytes: u64,
    synced_bytes: u64,
}

impl Unfinished {
    pub(super) fn create(path: PathBuf) -> Result<Self, SnapshotError> {
        let file = File::create(&path)
            .map_err(|source| SnapshotError::Write { path: path.clone(), source: Arc::new(source) })?;
        Ok(Self { file: Some(io::BufWriter::with_capacity(64 << 10, file)), path, bytes: 0, synced_bytes: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.bytes += bytes.len() as u64;
        let sync = self.bytes - self.synced_bytes >= SYNC_BYTES;
        self.with_file(|file| {
            file.write_all(bytes)?;
            if sync { file.flush().and_then(|()| file.get_ref().sync_data()) } else { Ok(()) }
        })?;
        if sync {
            self.synced_bytes = self.bytes;
        }
        Ok(())
    }

    /// Everything written is in the file, and on the disk.
    pub(super) fn sync(&mut self) -> Result<(), SnapshotError> {
        self.with_file(|file| file.flush().and_then(|()| file.get_ref().sync_all()))
    }

    /// Gives the file its name, and returns it.
    pub(super) fn publish(mut self, index: u64) -> Result<PathBuf, SnapshotError> {
        self.sync()?;
        let name = super::store::file_name(index);
        let target = self.path.with_file_name(name);
        fs::rename(&self.path, &target)
            .and_then(|()| target.parent().map_or(Ok(()), sync_directory))
            .map_err(|source| SnapshotError::Write { path: target.clone(), source: Arc::new(source) })?;
        self.file = None;
        Ok(target)
    }

    fn with_file(
        &mut self,
        write: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), SnapshotError> {
        self.file
            .as_mut()
            .map_or_else(|| Err(io::Error::other("it was finished")), write)
            .map_err(|source| SnapshotError::Write { path: self.path.clone(), source: Arc::new(source) })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // What is buffered need not reach a file that is removed; what cannot be removed is removed at the next
            // start.
            drop(file.into_parts());
            drop(fs::remove_file(&self.path));
        }
    }
}
