//! What can be wrong with a snapshot file, always with the file, and for damage with the place.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{CHUNK_BYTES_MAX, META_BYTES_MAX, VERSION};

/// A failure with a snapshot file.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SnapshotError {
    /// The file or its directory could not be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the disk reported.
        source: Arc<io::Error>,
    },
    /// The file or its directory could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the disk reported.
        source: Arc<io::Error>,
    },
    /// The file is not what was written.
    #[error("{} is damaged at byte {offset}: {damage}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong there.
        damage: Damage,
    },
    /// Written by a newer binary.
    #[error("{} has snapshot format {found}; this binary reads 1 to {VERSION}: run a newer keeper", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u8,
    },
    /// The description is beyond its limit.
    #[error("a snapshot's description of {found} bytes exceeds the limit of {META_BYTES_MAX}")]
    MetaTooLarge {
        /// Its size.
        found: usize,
    },
}

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The file does not begin as a snapshot does.
    Magic,
    /// The checksum of index and description does not hold.
    Head,
    /// A length out of range.
    Length(u32),
    /// A chunk's checksum does not hold.
    Chunk(u64),
    /// The end's checksum does not hold, or its counts are not those of the file.
    End,
    /// The file ends within something.
    Short,
    /// Bytes follow the end.
    Trailing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => write!(f, "it does not begin as a snapshot does"),
            Self::Head => write!(f, "the checksum of its head does not match"),
            Self::Length(found) => write!(f, "a length of {found} is above {CHUNK_BYTES_MAX}"),
            Self::Chunk(number) => write!(f, "the checksum of chunk {number} does not match"),
            Self::End => write!(f, "the counts at the end do not match"),
            Self::Short => write!(f, "it ends too early"),
            Self::Trailing => write!(f, "something follows its end"),
        }
    }
}
