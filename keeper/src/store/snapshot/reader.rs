//! Reading a snapshot, every byte of it checked before it is given out.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{CHUNK_BYTES_MAX, Damage, MAGIC, META_BYTES_MAX, SnapshotError, VERSION, chunk_checksum, end_checksum};

/// Magic, version, index, and the length of the description.
const HEAD_BYTES: usize = MAGIC.len() + 13;

/// How much a snapshot holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Chunks.
    pub chunks: u64,
    /// Their payload.
    pub payload_bytes: u64,
}

/// A snapshot being read: its description, then an iterator over its chunks, which ends after the first error.
#[derive(Debug)]
pub struct SnapshotReader {
    input: io::BufReader<FromStart>,
    path: PathBuf,
    index: u64,
    meta: Bytes,
    offset: u64,
    read: Summary,
    state: State,
}

/// Reads a shared file from where the snapshot begins, whoever else reads it.
#[derive(Debug)]
struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Chunks,
    Ended,
}

impl SnapshotReader {
    /// Checks the head of an open file, in which the snapshot begins at `begin`.
    pub(super) fn new(file: Arc<File>, begin: u64, path: &Path) -> Result<Self, SnapshotError> {
        let mut reader = Self {
            input: io::BufReader::with_capacity(64 << 10, FromStart { file, at: begin }),
            path: path.into(),
            index: 0,
            meta: Bytes::new(),
            offset: begin,
            read: Summary::default(),
            state: State::Chunks,
        };
        let mut head = [0; HEAD_BYTES];
        reader.fill(&mut head)?;
        let (magic, rest) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(reader.damaged(begin, Damage::Magic));
        }
        let found = rest[0];
        if found == 0 || found > VERSION {
            return Err(SnapshotError::Format { path: path.into(), found });
        }
        let length = number(&rest[9..]);
        let within = usize::try_from(length).ok().filter(|length| *length <= META_BYTES_MAX);
        let at = begin + HEAD_BYTES as u64 - 4;
        let mut meta = vec![0; within.ok_or_else(|| reader.damaged(at, Damage::Length(length)))?];
        reader.fill(&mut meta)?;
        let mut checksum = [0; 4];
        reader.fill(&mut checksum)?;
        if crc32c::crc32c_append(crc32c::crc32c(&head), &meta) != u32::from_be_bytes(checksum) {
            return Err(reader.damaged(begin, Damage::Head));
        }
        reader.index = rest[1..9].iter().fold(0, |index, byte| index << 8 | u64::from(*byte));
        reader.meta = meta.into();
        Ok(reader)
    }

    /// The last index whose effect the payload holds.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What the writer said about the payload.
    #[must_use]
    pub const fn meta(&self) -> &Bytes {
        &self.meta
    }

    /// Reads to the end, for the checksums alone.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn verify(mut self) -> Result<Summary, SnapshotError> {
        self.by_ref().try_for_each(|chunk| chunk.map(drop))?;
        Ok(self.read)
    }

    fn chunk(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        let begin = self.offset;
        let mut header = [0; 8];
        self.fill(&mut header)?;
        let length = number(&header[..4]);
        let checksum = number(&header[4..]);
        if length == 0 {
            return self.end(begin, checksum).map(|()| None);
        }
        let within = usize::try_from(length).ok().filter(|length| *length <= CHUNK_BYTES_MAX);
        let mut payload = vec![0; within.ok_or_else(|| self.damaged(begin, Damage::Length(length)))?];
        self.fill(&mut payload)?;
        if chunk_checksum(self.read.chunks, &payload) != checksum {
            return Err(self.damaged(begin, Damage::Chunk(self.read.chunks)));
        }
        self.read.chunks += 1;
        self.read.payload_bytes += u64::from(length);
        Ok(Some(payload.into()))
    }

    fn end(&mut self, begin: u64, checksum: u32) -> Result<(), SnapshotError> {
        let mut counts = [0; 16];
        self.fill(&mut counts)?;
        let (chunks, payload_bytes) = counts.split_at(8);
        let expected = self.read;
        let same = chunks == expected.chunks.to_be_bytes() && payload_bytes == expected.payload_bytes.to_be_bytes();
        if !same || end_checksum(expected) != checksum {
            return Err(self.damaged(begin, Damage::End));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged(self.offset, Damage::Trailing)),
            Err(source) => Err(SnapshotError::Read { path: self.path.clone(), source: Arc::new(source) }),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), SnapshotError> {
        match self.input.read_exact(buffer) {
            Ok(()) => {
                self.offset += buffer.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged(self.offset, Damage::Short)),
            Err(source) => Err(SnapshotError::Read { path: self.path.clone(), source: Arc::new(source) }),
        }
    }

    fn damaged(&self, offset: u64, damage: Damage) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), offset, damage }
    }
}

impl Iterator for SnapshotReader {
    type Item = Result<Bytes, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Ended {
            return None;
        }
        let chunk = self.chunk().transpose();
        if !matches!(chunk, Some(Ok(_))) {
            self.state = State::Ended;
        }
        chunk
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
