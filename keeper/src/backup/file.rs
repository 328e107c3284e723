//! A backup in a file: its head at once, all of it when it is to be trusted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use keeper_registry::{Level, PresenceLimits};

use super::head::Head;
use super::limits::HEAD_BYTES_MAX;
use crate::codec::DecodeError;
use crate::levels::{is_release, release_of};
use crate::raft;
use crate::store::snapshot::{SnapshotError, SnapshotFile};

const MAGIC: [u8; 8] = *b"KEEPBACK";

const FIRST: u8 = 1;

/// Since which the release that is needed comes right behind the version. It stays there in every later one, so that a
/// binary which is too old for the rest can say what to run.
const NEEDS: u8 = 2;

/// Magic and version.
const MARK_BYTES: usize = MAGIC.len() + 1;

/// The length of the head.
const LENGTH_BYTES: usize = 4;

/// The name of a release, with its length in front.
const NEEDS_BYTES_MAX: usize = 1 + u8::MAX as usize;

const CHECKSUM_BYTES: usize = 4;

/// Why a file is not a backup that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the disk reported.
        source: io::Error,
    },
    /// It does not begin as a backup does.
    #[error("{} is no backup: it does not begin as one", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error("{} has backup format {found}; this keeper {} reads 1 to {NEEDS}: run keeper {needs} or newer",
        path.display(), env!("CARGO_PKG_VERSION"))]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u8,
        /// The release that reads it.
        needs: String,
    },
    /// It holds what came with a feature level that this program does not know.
    #[error("{} is of a cluster at feature level {level}; this keeper {} reaches {}: run keeper {needs} or newer",
        path.display(), env!("CARGO_PKG_VERSION"), Level::NEWEST)]
    Level {
        /// The file.
        path: PathBuf,
        /// The cluster's level.
        level: Level,
        /// The release that knows it.
        needs: String,
    },
    /// Its head is not what was written.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// Its head is whole, and cannot be read.
    #[error("the head of {} cannot be read", path.display())]
    Head {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The snapshot in it is not what was written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Its head describes another snapshot.
    #[error("the head of {} names revision {head}, and the snapshot in it ends at {snapshot}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The revision its head names.
        head: u64,
        /// The one of the snapshot.
        snapshot: u64,
    },
    /// Its checksums hold, and it does not make a state.
    #[error("the state in it cannot be used")]
    State(#[source] io::Error),
}

impl BackupError {
    /// Whether the disk failed, and not the file.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Snapshot(SnapshotError::Read { .. }))
    }
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Sessions that were live.
    pub sessions_live: u64,
    /// Instances that were open.
    pub instances: usize,
    /// Documents.
    pub configs: usize,
    /// The hash of the state.
    pub hash: u64,
}

/// A file whose head was checked.
#[derive(Debug)]
pub struct BackupFile {
    head: Head,
    snapshot: SnapshotFile,
}

/// What lies in front of the snapshot.
pub(super) fn front(head: &Head) -> Bytes {
    let (level, head) = (head.level, head.encode());
    let mut front = Vec::with_capacity(MARK_BYTES + NEEDS_BYTES_MAX + LENGTH_BYTES + head.len() + CHECKSUM_BYTES);
    front.extend_from_slice(&MAGIC);
    if level < Level::NAMED {
        front.push(FIRST);
    } else {
        let needs = release_of(level);
        front.push(NEEDS);
        front.push(u8::try_from(needs.len()).unwrap_or(u8::MAX));
        front.extend_from_slice(needs.as_bytes());
    }
    // Names are limited far below what the length holds.
    front.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_be_bytes());
    front.extend_from_slice(&head);
    let checksum = crc32c::crc32c(&front);
    front.extend_from_slice(&checksum.to_be_bytes());
    front.into()
}

impl BackupFile {
    /// Opens a file, and checks everything before the payload of its snapshot.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let (head, begin) = read_front(path)?;
        let snapshot = SnapshotFile::open_within(path, begin)?;
        if snapshot.index() != head.revision.0 {
            let (head, snapshot) = (head.revision.0, snapshot.index());
            return Err(BackupError::Mismatch { path: path.into(), head, snapshot });
        }
        Ok(Self { head, snapshot })
    }

    /// What it says of itself.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The snapshot in it.
    #[must_use]
    pub const fn snapshot(&self) -> &SnapshotFile {
        &self.snapshot
    }

    /// Reads to the end, for the checksums alone.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn verify(&self) -> Result<(), BackupError> {
        self.snapshot.read()?.verify()?;
        Ok(())
    }

    /// Makes the state it holds, which takes the memory that a node has for it, and says what is in it.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn contents(&self) -> Result<Contents, BackupError> {
        self.verify()?;
        let state = raft::read_snapshot(&self.snapshot, PresenceLimits::default()).map_err(BackupError::State)?;
        Ok(Contents {
            sessions_live: state.sessions_live(),
            instances: state.instances().count(),
            configs: state.configs("").count(),
            hash: state.hash(),
        })
    }
}

/// The head, and where the snapshot begins.
fn read_front(path: &Path) -> Result<(Head, u64), BackupError> {
    let failed = |source| BackupError::Read { path: path.into(), source };
    let damaged = |offset: usize, what| BackupError::Damaged { path: path.into(), offset: offset as u64, what };
    let mut front = Vec::new();
    let longest = MARK_BYTES + NEEDS_BYTES_MAX + LENGTH_BYTES + HEAD_BYTES_MAX + CHECKSUM_BYTES;
    File::open(path).and_then(|file| file.take(longest as u64).read_to_end(&mut front)).map_err(failed)?;
    let begun = &front[..front.len().min(MAGIC.len())];
    if *begun != MAGIC[..begun.len()] || begun.is_empty() {
        return Err(BackupError::Foreign { path: path.into() });
    }
    let short = || damaged(front.len(), "it ends too early");
    let found = *front.get(MAGIC.len()).ok_or_else(short)?;
    if found == 0 {
        return Err(damaged(MAGIC.len(), "its format is 0"));
    }
    let (needs, at) = if found >= NEEDS { needs(&front).ok_or_else(short)? } else { (String::new(), MARK_BYTES) };
    if found >= NEEDS && !is_release(&needs) {
        return Err(damaged(MARK_BYTES, "it names no release where it says which one it needs"));
    }
    if found > NEEDS {
        return Err(BackupError::Format { path: path.into(), found, needs });
    }
    let begin = at + LENGTH_BYTES;
    let length = front.get(at..begin).ok_or_else(short)?;
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if length > HEAD_BYTES_MAX {
        return Err(damaged(at, "the length of its head is out of range"));
    }
    let end = begin + length;
    let checksum = front.get(end..end + CHECKSUM_BYTES).ok_or_else(short)?;
    if crc32c::crc32c(&front[..end]).to_be_bytes() != checksum {
        return Err(damaged(0, "the checksum of its head does not match"));
    }
    let head = Head::decode(Bytes::copy_from_slice(&front[begin..end]));
    let head = head.map_err(|source| BackupError::Head { path: path.into(), source })?;
    if head.level > Level::NEWEST {
        return Err(BackupError::Level { path: path.into(), level: head.level, needs });
    }
    Ok((head, (end + CHECKSUM_BYTES) as u64))
}

/// The release that is needed, and where what follows it begins.
fn needs(front: &[u8]) -> Option<(String, usize)> {
    let length = usize::from(*front.get(MARK_BYTES)?);
    let begin = MARK_BYTES + 1;
    let name = front.get(begin..begin + length)?;
    Some((String::from_utf8_lossy(name).into_owned(), begin + length))
}
