//! A snapshot on its way through openraft.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use keeper_registry::{Frozen, Header, Level, PresenceLimits, State};
use openraft::alias::SnapshotMetaOf;

use super::encode;
use super::type_config::TypeConfig;
use crate::codec::record;
use crate::store::snapshot::{SnapshotError, SnapshotFile, SnapshotReceiver, SnapshotWriter};

/// A snapshot: of this node's own, or from a peer.
#[derive(Debug)]
pub(super) enum SnapshotData {
    /// The current one, or the one found at the start.
    Kept(SnapshotFile),
    /// Received, verified and thawed, and of no name yet: the file gets one when openraft decides to install it, which
    /// is after the log that contradicts it was truncated.
    Received(Box<Received>),
}

#[derive(Debug)]
pub(super) struct Received {
    pub(super) state: State,
    pub(super) file: SnapshotFile,
    pub(super) receiver: SnapshotReceiver,
}

impl SnapshotData {
    pub(super) const fn file(&self) -> &SnapshotFile {
        match self {
            Self::Kept(file) => file,
            Self::Received(received) => &received.file,
        }
    }
}

/// What the file says it covers.
pub(super) fn meta(file: &SnapshotFile) -> io::Result<SnapshotMetaOf<TypeConfig>> {
    let (level, needs) = encode::snapshot_needs(file.meta().clone()).map_err(|error| damaged(file, &error))?;
    if level > Level::NEWEST {
        let (level, needs) = (level.to_string(), needs.as_str());
        return Err(damaged(
            file,
            &format!("it is of a cluster at feature level {level}: run keeper {needs} or newer"),
        ));
    }
    let meta = encode::decode_snapshot_meta(file.meta().clone()).map_err(|error| damaged(file, &error))?;
    if meta.last_log_id.map_or(0, |id| id.index) == file.index() {
        Ok(meta)
    } else {
        Err(damaged(file, &"its head and its description name different indices"))
    }
}

/// Writes the state as the payload of a file. Each part of the codec is framed by its length: the file cuts its payload
/// where it likes.
pub(super) fn write(frozen: Frozen, writer: &mut SnapshotWriter, give_up: &AtomicBool) -> io::Result<()> {
    record::write(frozen, |part: Bytes| {
        if give_up.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the node is stopping"));
        }
        let length = u32::try_from(part.len()).map_err(|_| io::Error::other("a part of the state is too long"))?;
        writer.write(&length.to_be_bytes()).map_err(sentence)?;
        writer.write(&part).map_err(sentence)?;
        // A low priority bounds how much of a processor the writer gets, not how long whoever wakes waits for it.
        std::thread::yield_now();
        Ok(())
    })
}

/// Rebuilds the state, after checking every byte it is made of.
///
/// # Errors
/// The file cannot be read, is damaged, or makes no state.
pub fn thaw(file: &SnapshotFile, presence: PresenceLimits) -> io::Result<State> {
    let mut reader = record::Reader::new(presence);
    let mut rest = BytesMut::new();
    for chunk in file.read().map_err(sentence)? {
        rest.put(chunk.map_err(sentence)?);
        while let Some(part) = next_part(&mut rest) {
            reader.push(part).map_err(|error| damaged(file, &error))?;
        }
    }
    if rest.has_remaining() {
        return Err(damaged(file, &"its payload ends within a part"));
    }
    reader.finish().map_err(|error| damaged(file, &error))
}

/// What the state in a file says of itself, and the level of its cluster, without reading the rest.
pub(super) fn header(file: &SnapshotFile) -> io::Result<(Header, Level)> {
    let mut rest = BytesMut::new();
    for chunk in file.read().map_err(sentence)? {
        rest.put(chunk.map_err(sentence)?);
        if let Some(part) = next_part(&mut rest) {
            return record::header(part).map_err(|error| damaged(file, &error));
        }
    }
    Err(damaged(file, &"it holds no state"))
}

fn next_part(rest: &mut BytesMut) -> Option<Bytes> {
    let length = rest.first_chunk().map(|length| u32::from_be_bytes(*length))?;
    let length = usize::try_from(length).ok().filter(|length| rest.len() >= 4 + length)?;
    rest.advance(4);
    Some(rest.split_to(length).freeze())
}

fn damaged(file: &SnapshotFile, what: &dyn std::fmt::Display) -> io::Error {
    let text = format!("snapshot {} cannot be used: {what}", file.path().display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// One sentence with its cause: openraft passes on the text alone.
pub(super) fn sentence(error: SnapshotError) -> io::Error {
    if matches!(error, SnapshotError::Damaged { .. }) {
        return io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    }
    match std::error::Error::source(&error) {
        Some(cause) => io::Error::other(format!("{error}: {cause}")),
        None => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_wherever_the_payload_is_cut() {
        let parts = [&b"one"[..], b"", b"three"];
        let payload: Vec<u8> =
            parts.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes()[..], part].concat()).collect();
        for cut in 0..payload.len() {
            let mut rest = BytesMut::new();
            let mut found = Vec::new();
            for piece in [&payload[..cut], &payload[cut..]] {
                rest.put(piece);
                found.extend(std::iter::from_fn(|| next_part(&mut rest)));
            }
            assert_eq!(found, parts, "cut at {cut}");
            assert!(rest.is_empty());
        }
    }
}
