//! Snapshot files: bytes as a disk may leave them, and chunks of any content under checksums that hold.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

use super::{CHUNK_BYTES_MAX, MAGIC, SnapshotFile, Summary, VERSION, chunk_checksum, end_checksum};

/// A file that lies in memory, and has a path.
pub(crate) struct InMemory {
    _file: File,
    path: PathBuf,
}

impl InMemory {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A file of these bytes.
pub(crate) fn in_memory(bytes: &[u8]) -> io::Result<InMemory> {
    let mut file = File::from(memfd_create("input", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok(InMemory { _file: file, path })
}

/// What verifies is whole: one byte less of it is damage, at a place within the file.
pub(in crate::store) fn snapshot_file(input: &[u8]) {
    let verify = |bytes: &[u8]| SnapshotFile::open(in_memory(bytes).ok()?.path()).ok()?.read().ok()?.verify().ok();
    if verify(input).is_some() {
        assert_eq!(verify(&input[..input.len() - 1]), None, "a file that was cut off verifies");
    }
}

/// What was written in chunks is read as it was: the input is cut where its own bytes say.
pub(in crate::store) fn snapshot_chunks(input: &[u8]) {
    let (meta, payload) = input.split_at(input.len().min(7));
    let chunks: Vec<&[u8]> = payload.split(|byte| *byte == 0).filter(|chunk| !chunk.is_empty()).collect();
    let Ok(file) = in_memory(&sealed(5, meta, &chunks)) else { return };
    let file = SnapshotFile::open(file.path()).expect("its head holds");
    assert_eq!((file.index(), &file.meta()[..]), (5, meta));
    let read: Result<Vec<_>, _> = file.read().expect("its head holds").collect();
    match read {
        Ok(read) => assert_eq!(read, chunks),
        Err(damaged) => assert!(chunks.iter().any(|chunk| chunk.len() > CHUNK_BYTES_MAX), "{damaged}"),
    }
}

/// A snapshot of these chunks, under checksums that hold.
pub(crate) fn sealed(index: u64, meta: &[u8], chunks: &[&[u8]]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut file = [&MAGIC[..], &[VERSION], &index.to_be_bytes(), &length(meta), meta].concat();
    let checksum = crc32c::crc32c(&file);
    file.extend_from_slice(&checksum.to_be_bytes());
    let mut summary = Summary::default();
    for chunk in chunks {
        file.extend_from_slice(&length(chunk));
        file.extend_from_slice(&chunk_checksum(summary.chunks, chunk).to_be_bytes());
        file.extend_from_slice(chunk);
        summary.chunks += 1;
        summary.payload_bytes += chunk.len() as u64;
    }
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&end_checksum(summary).to_be_bytes());
    file.extend_from_slice(&summary.chunks.to_be_bytes());
    file.extend_from_slice(&summary.payload_bytes.to_be_bytes());
    file
}
