//! The data directory of one node: whose it is, and that nobody else has it open.
//!
//! ```text
//! identity    format, cluster, node (0 until it has a number), the directory's own number; behind the first mark, and
//!             again when the cluster's feature level rises
//! LOCK        locked by the running process, whose id it holds
//! mark        the synced mark
//! log/        the Raft log
//! snapshots/  the newest snapshot
//! ```
//!
//! A directory belongs to one node of one cluster for ever: a vote cast under one id must never count under another. It
//! is given its number while it is empty; the number in the settings is only what an empty one begins with. A directory
//! that is neither empty nor ours is left untouched.

mod aside;
#[cfg(any(test, fuzzing))]
pub(in crate::store) mod fuzz;
mod identity;
mod unclaimed;

pub use identity::{Identity, Stage};
pub use unclaimed::UnclaimedDirectory;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use keeper_registry::Level;
use rustix::fs::{FlockOperation, flock, statvfs};

use super::mark::{MarkError, MarkFile};
use crate::levels::release_of;

/// The newest layout this binary reads and writes.
pub const FORMAT: u32 = 2;

/// Kept free of growth by default: room for the records that end sessions and leases, and for one more flush of the
/// log.
pub const RESERVE_BYTES: u64 = 64 << 20;

/// What to do about a directory that cannot be trusted any more.
pub(crate) const CURE: &str =
    "set this node's data aside with `keeper forget --config FILE`, and it joins again as a new one";

/// What a start itself writes: the mark, and what the database notes of being opened.
const START_BYTES: u64 = 1 << 20;

const IDENTITY: &str = "identity";
const IDENTITY_UNFINISHED: &str = "identity.unfinished";
const LOCK: &str = "LOCK";
const MARK: &str = "mark";
const MARK_UNFINISHED: &str = "mark.unfinished";

/// Why a data directory was refused.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be created or written.
    #[error("data directory {} cannot be written", path.display())]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the file system reported.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("data directory {} cannot be read", path.display())]
    Read {
        /// The directory.
        path: PathBuf,
        /// What the file system reported.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("data directory {} is in use by process {holder}: stop that one first", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// What the lock file says.
        holder: String,
    },
    /// It holds files, and no identity.
    #[error("{} is not a Keeper data directory: it holds {found} and no identity; name an empty one", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One of the files.
        found: String,
    },
    /// It holds what a node keeps, and not whose it is.
    #[error(
        "{} is not a Keeper data directory: it holds {found} and no identity. If it is the one that is meant, and not a \
         disk that was mounted in the wrong place, its identity is lost: {CURE}; otherwise name an empty one",
        path.display()
    )]
    Unidentified {
        /// The directory.
        path: PathBuf,
        /// One of the files.
        found: String,
    },
    /// It should be empty, and is not.
    #[error("data directory {} is not empty, it holds {found}: name an empty one, or one that does not exist", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
        /// One of the files.
        found: String,
    },
    /// Written by a newer binary.
    #[error(
        "data directory {} has format {found}; this keeper {} reads 1 to {FORMAT}: run keeper {needs} or newer",
        path.display(), env!("CARGO_PKG_VERSION")
    )]
    Format {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The release that reads it.
        needs: String,
    },
    /// It belongs to another cluster.
    #[error("data directory {} belongs to cluster `{found}`, not to `{expected}`", path.display())]
    Cluster {
        /// The directory.
        path: PathBuf,
        /// Its cluster.
        found: String,
        /// The cluster asked for.
        expected: String,
    },
    /// Its identity cannot be read.
    #[error("the identity in {} is damaged: {what}; {CURE}", path.display())]
    Identity {
        /// The directory.
        path: PathBuf,
        /// Which part.
        what: String,
    },
    /// Its synced mark is gone.
    #[error(
        "the synced mark is missing from data directory {}, so what this node acknowledged cannot be checked: \
         {CURE}",
        path.display()
    )]
    MarkMissing {
        /// The directory.
        path: PathBuf,
    },
    /// Its synced mark cannot be written.
    #[error("the synced mark cannot be written")]
    Mark {
        /// What went wrong.
        source: MarkError,
    },
    /// Too little space is left on its disk.
    #[error(
        "the disk of {} has {free_kib} KiB free and needs {needed_kib} KiB: make room there",
        path.display()
    )]
    Full {
        /// The directory.
        path: PathBuf,
        /// What is free.
        free_kib: u64,
        /// What must be.
        needed_kib: u64,
    },
}

/// A data directory, locked as long as this value lives.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    identity: Identity,
    stage: Stage,
    _lock: File,
}

impl DataDirectory {
    /// Opens the directory of a node, or makes an empty one its own.
    ///
    /// # Errors
    /// It belongs to somebody else, is in use, too new, damaged, not writable, or on a disk without room for the few
    /// pages that a start writes. A disk without room for more is no reason not to start: whoever starts can delete.
    pub fn open(path: &Path, claim: &Identity) -> Result<Self, DirectoryError> {
        let unwritable = |source| DirectoryError::Write { path: path.into(), source };
        fs::create_dir_all(path).map_err(unwritable)?;
        refuse_foreign(path)?;
        let lock = lock(path)?;
        refuse_full(path, START_BYTES)?;
        let (identity, stage) = match fs::read(path.join(IDENTITY)) {
            Ok(bytes) => {
                let (mut identity, stage) = claim.confirm(&String::from_utf8_lossy(&bytes), path)?;
                if identity.node_id == 0 && claim.node_id != 0 {
                    // It never had a number, and so never any data.
                    identity.node_id = claim.node_id;
                    write(path, &identity.to_text(stage.level)).map_err(unwritable)?;
                }
                // It came before the identity, so a directory without it has lost it.
                if !path.join(MARK).try_exists().map_err(|source| DirectoryError::Read { path: path.into(), source })? {
                    return Err(DirectoryError::MarkMissing { path: path.into() });
                }
                (identity, stage)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                drop(MarkFile::create(&path.join(MARK)).map_err(|source| DirectoryError::Mark { source })?);
                write(path, &claim.to_text(Level::FIRST)).map_err(unwritable)?;
                (claim.clone(), Stage { level: Level::FIRST, needs: release_of(Level::FIRST).to_owned() })
            }
            Err(source) => return Err(DirectoryError::Read { path: path.into(), source }),
        };
        let directory = Self { path: path.into(), identity, stage, _lock: lock };
        fs::create_dir_all(directory.log()).map_err(unwritable)?;
        fs::create_dir_all(directory.snapshots()).map_err(unwritable)?;
        sync_directory(path).map_err(unwritable)?;
        Ok(directory)
    }

    /// Whose it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Gives the directory its node's number, while it is empty.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn renumber(&self, node_id: u64) -> Result<(), DirectoryError> {
        let written = write(&self.path, &Identity { node_id, ..self.identity.clone() }.to_text(self.stage.level));
        written.map_err(|source| DirectoryError::Write { path: self.path.clone(), source })
    }

    /// How far its cluster was when it was opened.
    #[must_use]
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Makes it the directory of a cluster at a level, durably: older binaries refuse it from now on. What a level
    /// changes in the layout is changed here, one level after the other; so far that is the identity alone.
    ///
    /// # Errors
    /// It cannot be written; it is as it was.
    pub fn raise(&self, level: Level) -> io::Result<()> {
        write(&self.path, &self.identity.to_text(level))
    }

    /// Where the log lies.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the synced mark lies.
    #[must_use]
    pub fn mark(&self) -> PathBuf {
        self.path.join(MARK)
    }

    /// Where the snapshots lie.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// What is free on its disk.
    ///
    /// # Errors
    /// The file system does not answer.
    pub fn free_bytes(&self) -> io::Result<u64> {
        free_bytes(&self.path)
    }
}

fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn refuse_full(path: &Path, needed_bytes: u64) -> Result<(), DirectoryError> {
    let free = free_bytes(path).map_err(|source| DirectoryError::Read { path: path.into(), source })?;
    if free >= needed_bytes {
        return Ok(());
    }
    Err(DirectoryError::Full { path: path.into(), free_kib: free >> 10, needed_kib: needed_bytes >> 10 })
}

/// Before anything is written: a directory without an identity may hold only what an interrupted first start left.
fn refuse_foreign(path: &Path) -> Result<(), DirectoryError> {
    let unreadable = |source| DirectoryError::Read { path: path.into(), source };
    if path.join(IDENTITY).try_exists().map_err(unreadable)? {
        return Ok(());
    }
    match content(path, &[]).map_err(unreadable)? {
        None => Ok(()),
        Some(found) if ["log", "snapshots"].contains(&found.as_str()) => {
            // What is none of ours says more, whichever is seen first.
            match content(path, &["log", "snapshots"]).map_err(unreadable)? {
                None => Err(DirectoryError::Unidentified { path: path.into(), found }),
                Some(found) => Err(DirectoryError::Foreign { path: path.into(), found }),
            }
        }
        Some(found) => Err(DirectoryError::Foreign { path: path.into(), found }),
    }
}

/// Something in a directory that an interrupted first start has not left there, and that is none of `known`.
fn content(path: &Path, known: &[&str]) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        // What was set aside is nobody's any more.
        if name.to_string_lossy().starts_with(aside::PREFIX) {
            continue;
        }
        // The root of a file system of its own comes with the last one.
        let left = [LOCK, IDENTITY_UNFINISHED, MARK, MARK_UNFINISHED, "lost+found"];
        if !left.iter().chain(known).any(|ours| name == *ours) {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// Takes the lock that the kernel releases when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, DirectoryError> {
    let unwritable = |source| DirectoryError::Write { path: path.into(), source };
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(path.join(LOCK)).map_err(unwritable)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder);
            let holder = if read.is_ok() && !holder.is_empty() { holder } else { String::from("unknown") };
            return Err(DirectoryError::Locked { path: path.into(), holder: holder.trim().into() });
        }
        Err(error) => return Err(unwritable(error.into())),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(unwritable)?;
    Ok(file)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.join(IDENTITY_UNFINISHED);
    let mut file = File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path.join(IDENTITY))?;
    sync_directory(path)
}

/// Makes names created, renamed or removed in a directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests;
