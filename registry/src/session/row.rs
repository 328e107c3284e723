//! The fixed part of a session, and the bytes that belong to it.

use smallvec::SmallVec;

use super::Dropped;
use crate::{Epoch, LogTime, PresenceCursor, Revision};

/// Where a row lies. It differs between replicas, and never reaches an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowId(pub(crate) u32);

impl RowId {
    /// No row.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// Which owner, as a place in the table of owners. It differs between replicas, and never reaches an outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OwnerId(pub(crate) u32);

/// Which topic, as a place in the table of topics. It differs between replicas, and never reaches an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicId(pub(crate) u32);

/// What is to be stored of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) owner: OwnerId,
    pub(crate) epoch: Epoch,
    pub(crate) registered_at: LogTime,
    pub(crate) user: &'a [u8],
    pub(crate) slot: &'a [u8],
    pub(crate) connection: &'a [u8],
    pub(crate) attributes: &'a [u8],
    pub(crate) conn_seq: Option<u64>,
    /// The epoch it had in a former history, if it was claimed again from there.
    pub(crate) flushed: Option<Epoch>,
    /// Its connection dropped, and it lingers.
    pub(crate) dropped: Option<Dropped>,
    pub(crate) topics: &'a [TopicId],
}

const CONN_SEQ_BYTES: usize = 8;
const FLUSHED_BYTES: usize = 12;
const DROPPED_BYTES: usize = 24;
const TOPIC_BYTES: usize = 4;
const HAS_CONN_SEQ: u8 = 0x80;
const IS_DROPPED: u8 = 0x40;
const IS_FLUSHED: u8 = 0x20;
const TOPICS: u8 = 0x1F;

const _: () = assert!(crate::limits::TOPICS_PER_SESSION_MAX <= TOPICS as usize, "the number of topics fits its bits");

/// The fixed part. Its bytes lie in the page's heap: user, slot, connection, attributes, then `conn_seq` if there is
/// one, then the epoch of a former history if it was flushed, then when it dropped if it lingers, then topic numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row {
    revision: u64,
    registered_at: u64,
    position: u32,
    owner: OwnerId,
    pub(super) offset: u16,
    attributes: u16,
    /// 0: the row is vacant, since no user name is empty.
    user: u8,
    slot: u8,
    connection: u8,
    /// The number of topics, whether there is a `conn_seq`, whether it was flushed, and whether it lingers.
    tail: u8,
}

const _: () = assert!(size_of::<Row>() == 32, "the footprint of a session is promised");

impl Row {
    /// Lengths are bounded by the limits, which a register has passed.
    pub(super) fn new(content: &Content<'_>) -> Self {
        let conn_seq = if content.conn_seq.is_some() { HAS_CONN_SEQ } else { 0 };
        let flushed = if content.flushed.is_some() { IS_FLUSHED } else { 0 };
        let dropped = if content.dropped.is_some() { IS_DROPPED } else { 0 };
        Self {
            revision: content.epoch.revision.0,
            registered_at: content.registered_at.0,
            position: content.epoch.position,
            owner: content.owner,
            offset: 0,
            attributes: content.attributes.len() as u16,
            user: content.user.len() as u8,
            slot: content.slot.len() as u8,
            connection: content.connection.len() as u8,
            tail: content.topics.len() as u8 | conn_seq | flushed | dropped,
        }
    }

    pub(super) fn is_vacant(&self) -> bool {
        self.user == 0
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.owner
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch { revision: Revision(self.revision), position: self.position }
    }

    fn topics(&self) -> usize {
        usize::from(self.tail & TOPICS)
    }

    fn has_conn_seq(&self) -> bool {
        self.tail & HAS_CONN_SEQ != 0
    }

    fn is_flushed(&self) -> bool {
        self.tail & IS_FLUSHED != 0
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.tail & IS_DROPPED != 0
    }

    /// Of user, slot, connection and attributes.
    fn text_bytes(&self) -> usize {
        usize::from(self.user) + usize::from(self.slot) + usize::from(self.connection) + usize::from(self.attributes)
    }

    pub(super) fn bytes(&self) -> usize {
        let conn_seq = if self.has_conn_seq() { CONN_SEQ_BYTES } else { 0 };
        let flushed = if self.is_flushed() { FLUSHED_BYTES } else { 0 };
        let dropped = if self.is_dropped() { DROPPED_BYTES } else { 0 };
        self.text_bytes() + conn_seq + flushed + dropped + TOPIC_BYTES * self.topics()
    }
}

impl Content<'_> {
    /// `into` is as long as [`Row::bytes`] of this content's row.
    pub(super) fn write(&self, into: &mut [u8]) {
        let mut rest = into;
        for part in [self.user, self.slot, self.connection, self.attributes] {
            rest = put(rest, part);
        }
        if let Some(conn_seq) = self.conn_seq {
            rest = put(rest, &conn_seq.to_le_bytes());
        }
        if let Some(flushed) = self.flushed {
            rest = put(rest, &flushed.revision.0.to_le_bytes());
            rest = put(rest, &flushed.position.to_le_bytes());
        }
        if let Some(Dropped { cursor, at, graces }) = self.dropped {
            rest = put(rest, &cursor.revision.0.to_le_bytes());
            rest = put(rest, &at.0.to_le_bytes());
            rest = put(rest, &cursor.position.to_le_bytes());
            rest = put(rest, &graces.to_le_bytes());
        }
        for topic in self.topics {
            rest = put(rest, &topic.0.to_le_bytes());
        }
    }
}

fn put<'a>(into: &'a mut [u8], part: &[u8]) -> &'a mut [u8] {
    let (here, rest) = into.split_at_mut(part.len());
    here.copy_from_slice(part);
    rest
}

/// A row together with its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) row: Row,
    pub(super) bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(crate) fn user(&self) -> &'a [u8] {
        &self.bytes[..usize::from(self.row.user)]
    }

    pub(crate) fn slot(&self) -> &'a [u8] {
        &self.bytes[usize::from(self.row.user)..][..usize::from(self.row.slot)]
    }

    pub(crate) fn connection(&self) -> &'a [u8] {
        let start = usize::from(self.row.user) + usize::from(self.row.slot);
        &self.bytes[start..][..usize::from(self.row.connection)]
    }

    pub(crate) fn attributes(&self) -> &'a [u8] {
        let end = self.row.text_bytes();
        &self.bytes[end - usize::from(self.row.attributes)..end]
    }

    /// Its bytes, to write it again from.
    pub(super) fn copied(&self) -> Copied {
        Copied(SmallVec::from_slice(self.bytes))
    }

    /// User, slot, connection and attributes in one piece.
    pub(super) fn text(&self) -> &'a [u8] {
        &self.bytes[..self.row.text_bytes()]
    }

    /// The lengths that divide [`Self::text`].
    pub(super) fn shape(&self) -> u64 {
        u64::from_le_bytes([self.row.user, self.row.slot, self.row.connection, self.row.tail, 0, 0, 0, 0])
    }

    pub(crate) fn registered_at(&self) -> LogTime {
        LogTime(self.row.registered_at)
    }

    pub(crate) fn conn_seq(&self) -> Option<u64> {
        let bytes = self.bytes[self.row.text_bytes()..].first_chunk::<CONN_SEQ_BYTES>();
        bytes.filter(|_| self.row.has_conn_seq()).map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// The epoch it had in a former history, if it was claimed again from there.
    pub(crate) fn flushed(&self) -> Option<Epoch> {
        if !self.row.is_flushed() {
            return None;
        }
        let start = self.row.text_bytes() + if self.row.has_conn_seq() { CONN_SEQ_BYTES } else { 0 };
        let (revision, rest) = self.bytes[start..].split_first_chunk()?;
        let position = rest.first_chunk()?;
        Some(Epoch { revision: Revision(u64::from_le_bytes(*revision)), position: u32::from_le_bytes(*position) })
    }

    /// When its connection dropped, if it lingers.
    pub(crate) fn dropped(&self) -> Option<Dropped> {
        if !self.row.is_dropped() {
            return None;
        }
        let end = self.bytes.len() - TOPIC_BYTES * self.row.topics();
        let bytes = &self.bytes[end - DROPPED_BYTES..end];
        let (revision, bytes) = bytes.split_first_chunk()?;
        let (at, bytes) = bytes.split_first_chunk()?;
        let (position, bytes) = bytes.split_first_chunk()?;
        let (graces, _) = bytes.split_first_chunk()?;
        let (revision, position) = (Revision(u64::from_le_bytes(*revision)), u32::from_le_bytes(*position));
        let (at, graces) = (LogTime(u64::from_le_bytes(*at)), u32::from_le_bytes(*graces));
        Some(Dropped { cursor: PresenceCursor { revision, position }, at, graces })
    }

    pub(crate) fn topics(&self) -> impl ExactSizeIterator<Item = TopicId> + use<'a> {
        let start = self.bytes.len() - TOPIC_BYTES * self.row.topics();
        let (numbers, _) = self.bytes[start..].as_chunks::<TOPIC_BYTES>();
        numbers.iter().map(|number| TopicId(u32::from_le_bytes(*number)))
    }
}

/// The bytes of a session that is written again.
#[derive(Debug)]
pub(super) struct Copied(SmallVec<[u8; 128]>);

impl Copied {
    /// What is stored of the session they were copied from, but its topics.
    pub(super) fn content(&self, of: Entry<'_>) -> Content<'_> {
        let copy = Entry { row: of.row, bytes: &self.0 };
        Content {
            owner: copy.row.owner(),
            epoch: copy.row.epoch(),
            registered_at: copy.registered_at(),
            user: copy.user(),
            slot: copy.slot(),
            connection: copy.connection(),
            attributes: copy.attributes(),
            conn_seq: copy.conn_seq(),
            flushed: copy.flushed(),
            dropped: copy.dropped(),
            topics: &[],
        }
    }
}
