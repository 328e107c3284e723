//! The file that holds the marks of all groups.
//!
//! Two slots, a disk page each, are written in turn and in place: the file never grows, so a sync writes one page and
//! no metadata. A slot counts only if its checksum holds, and of two the later sequence counts: a write that tore
//! leaves the slot before it. With both slots damaged there is no mark to trust, and the node does not start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{Mark, Marks};
use crate::codec::{DecodeError, Input, Output};
use crate::store::directory::{CURE, sync_directory};
use crate::store::engine::Position;

/// A slot: what a disk writes at once. Holds the marks of about fifty groups.
pub(super) const SLOT_BYTES: usize = 4_096;

/// Checksum, then the length of the body.
const HEADER_BYTES: usize = 8;

/// The encoding of the body.
const VERSION: u8 = 1;

/// Why the mark could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MarkError {
    /// The file could not be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the disk reported.
        source: Arc<io::Error>,
    },
    /// The file could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the disk reported.
        source: Arc<io::Error>,
    },
    /// Neither slot can be trusted.
    #[error("{} is damaged in both slots, at bytes 0 and {SLOT_BYTES}; {CURE}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A whole slot, in an encoding this binary does not read.
    #[error("{} cannot be decoded", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// More groups than a slot holds.
    #[error("the marks of {groups} groups do not fit into {SLOT_BYTES} bytes")]
    Full {
        /// How many there are.
        groups: usize,
    },
}

/// The open file.
#[derive(Debug)]
pub struct MarkFile {
    file: File,
    path: PathBuf,
    sequence: u64,
}

impl MarkFile {
    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or cannot be trusted.
    pub fn open(path: &Path) -> Result<Option<(Self, Marks)>, MarkError> {
        let failed = |source| MarkError::Read { path: path.into(), source: Arc::new(source) };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut newest = None;
        for slot in 0..2 {
            let mut page = vec![0; SLOT_BYTES];
            let offset = slot * SLOT_BYTES as u64;
            match file.read_exact_at(&mut page, offset) {
                Ok(()) => newest = newest.max(body(&page.into())),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let newest = newest.ok_or_else(|| MarkError::Damaged { path: path.into() })?;
        let (sequence, marks) = decode(newest.1).map_err(|source| MarkError::Decode { path: path.into(), source })?;
        Ok(Some((Self { file, path: path.into(), sequence }, marks)))
    }

    /// Begins a file for a log that is still empty.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path) -> Result<Self, MarkError> {
        let failed = |source| MarkError::Write { path: path.into(), source: Arc::new(source) };
        // Under another name until it holds a mark: a file without one is damage.
        let unfinished = path.with_extension("unfinished");
        let file = File::create(&unfinished).map_err(failed)?;
        file.write_all_at(&[0; 2 * SLOT_BYTES], 0).map_err(failed)?;
        let mut created = Self { file, path: path.into(), sequence: 0 };
        created.write(&Marks::new())?;
        fs::rename(&unfinished, path).map_err(failed)?;
        path.parent().map_or(Ok(()), sync_directory).map_err(failed)?;
        Ok(created)
    }

    /// Replaces the marks. Durable when it returns.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write(&mut self, marks: &Marks) -> Result<(), MarkError> {
        let sequence = self.sequence + 1;
        let page = encode(sequence, marks).ok_or(MarkError::Full { groups: marks.len() })?;
        let offset = (sequence % 2) * SLOT_BYTES as u64;
        self.file
            .write_all_at(&page, offset)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| MarkError::Write { path: self.path.clone(), source: Arc::new(source) })?;
        self.sequence = sequence;
        Ok(())
    }
}

/// A page with its checksum in front; `None` if the marks do not fit.
pub(super) fn encode(sequence: u64, marks: &Marks) -> Option<Vec<u8>> {
    let mut body = Output::versioned(VERSION, SLOT_BYTES);
    // Fixed in width and in front, so that slots can be ordered before they are decoded.
    body.raw(&sequence.to_be_bytes());
    body.list(marks.iter(), |body, (group, mark)| {
        body.u32(*group);
        body.option(mark.last.as_ref(), |body, last| {
            body.u64(last.index);
            body.bytes(&last.log_id);
        });
        body.option(mark.vote.as_ref(), |body, vote| body.bytes(vote));
    });
    let body = body.finish();
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&length), &body).to_be_bytes();
    let mut page = [&checksum[..], &length[..], &body[..]].concat();
    if page.len() > SLOT_BYTES {
        return None;
    }
    page.resize(SLOT_BYTES, 0);
    Some(page)
}

/// The sequence and the body of a page whose checksum holds.
pub(super) fn body(page: &Bytes) -> Option<(u64, Bytes)> {
    let checksum = u32::from_be_bytes(page.get(..4)?.try_into().ok()?);
    let length = page.get(4..HEADER_BYTES)?;
    let end = HEADER_BYTES.checked_add(usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?)?;
    let body = page.get(HEADER_BYTES..end)?;
    if crc32c::crc32c_append(crc32c::crc32c(length), body) != checksum {
        return None;
    }
    let sequence = u64::from_be_bytes(body.get(1..9)?.try_into().ok()?);
    Some((sequence, page.slice(HEADER_BYTES..end)))
}

pub(super) fn decode(body: Bytes) -> Result<(u64, Marks), DecodeError> {
    let (_, mut input) = Input::versioned("a synced mark", VERSION, body)?;
    let mut sequence = [0; 8];
    sequence.copy_from_slice(&input.raw(8)?);
    let marks = input.list(|input| {
        let group = input.u32()?;
        let last = input.option(|input| Ok(Position { index: input.u64()?, log_id: input.bytes()? }))?;
        let vote = input.option(Input::bytes)?;
        Ok((group, Mark { last, vote }))
    })?;
    input.finish()?;
    Ok((u64::from_be_bytes(sequence), marks.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(index: u64) -> Marks {
        let last = Position { index, log_id: Bytes::from(format!("log id {index}")) };
        Marks::from([(0, Mark { last: Some(last), vote: Some(Bytes::from_static(b"vote")) })])
    }

    fn read(path: &Path) -> Marks {
        MarkFile::open(path).expect("the file can be trusted").expect("the file is there").1
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mark");
        assert!(MarkFile::open(&path).expect("no file is no failure").is_none());
        let mut file = MarkFile::create(&path).expect("a file");
        assert_eq!(read(&path), Marks::new());
        for index in 1..5 {
            file.write(&marks(index)).expect("a write");
            assert_eq!(read(&path), marks(index));
        }
    }

    #[test]
    fn a_torn_write_leaves_the_mark_before_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mark");
        let mut file = MarkFile::create(&path).expect("a file");
        for index in 1..4 {
            file.write(&marks(index)).expect("a write");
        }
        let whole = fs::read(&path).expect("its bytes");
        // The empty mark was the first; so the third mark is the fourth write, in slot 0.
        let written = encode(0, &marks(3)).expect("it fits").iter().rposition(|byte| *byte != 0).unwrap_or(0);
        for torn in 0..=written {
            let mut bytes = whole.clone();
            bytes[torn] ^= 0x40;
            fs::write(&path, &bytes).expect("a write");
            assert_eq!(read(&path), marks(2), "byte {torn} of the newest slot was flipped");
        }
    }

    #[test]
    fn without_a_whole_slot_nothing_is_trusted() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mark");
        for bytes in [vec![], vec![0; 100], vec![0; 2 * SLOT_BYTES], vec![0xff; 2 * SLOT_BYTES]] {
            fs::write(&path, bytes).expect("a write");
            assert!(matches!(MarkFile::open(&path), Err(MarkError::Damaged { .. })));
        }
    }

    #[test]
    fn more_groups_than_fit_are_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = MarkFile::create(&directory.path().join("mark")).expect("a file");
        let many = (0..1_000).map(|group| (group, marks(7)[&0].clone())).collect();
        assert!(matches!(file.write(&many), Err(MarkError::Full { groups: 1_000 })));
    }
}
