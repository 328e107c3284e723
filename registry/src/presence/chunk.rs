//! Facts side by side, shared as one.
//!
//! The fixed parts lie in one piece and everything of variable length in another, so that a typical fact costs a
//! hundred bytes and no allocation of its own. Names are kept behind their lengths: user, slot, connection, topics, then
//! what the kind of fact needs.

use std::sync::Arc;

use super::{Former, OfflineReason, Place, PresenceCursor, PresenceFact, PresenceWhat, TopicNames};
use crate::{Epoch, LogTime, Revision};

/// Facts of a chunk: few enough to copy without a pause when a reader holds the one that is being filled, enough to make
/// cloning the pointers of a million facts cheap.
const CHUNK_FACTS: usize = 128;
/// What the first chunk expects of a fact's names.
const NAME_BYTES_EXPECTED: usize = 48;

const WHOLE: u8 = 0x80;
const ONLINE: u8 = 1;
const OFFLINE: u8 = 2;
const MOVED: u8 = 3;
const RECONNECTED: u8 = 4;
const DROPPED: u8 = 5;

/// The fixed part of a fact.
#[derive(Debug, Clone)]
struct Fixed {
    revision: u64,
    at: u64,
    epoch_revision: u64,
    place: Arc<Place>,
    former: Option<Arc<Place>>,
    position: u32,
    epoch_position: u32,
    /// Where its names begin.
    start: u32,
    user: u8,
    slot: u8,
    connection: u8,
    /// Bytes of the names of its topics.
    topics: u16,
    kind: u8,
    reason: u8,
}

const _: () = assert!(size_of::<Fixed>() == 64, "a cache line");

#[derive(Debug)]
pub(super) struct Chunk {
    facts: Vec<Fixed>,
    heap: Vec<u8>,
}

/// A clone is made to be filled further.
impl Clone for Chunk {
    fn clone(&self) -> Self {
        let mut clone = Self::with_room(self.heap.capacity());
        clone.facts.extend_from_slice(&self.facts);
        clone.heap.extend_from_slice(&self.heap);
        clone
    }
}

impl Chunk {
    /// An empty one, with room for facts like those before.
    pub(super) fn after(last: Option<&Self>) -> Self {
        let expected = last.map_or(CHUNK_FACTS * NAME_BYTES_EXPECTED, |last| last.heap.len());
        Self::with_room(expected + expected / 8)
    }

    fn with_room(heap: usize) -> Self {
        Self { facts: Vec::with_capacity(CHUNK_FACTS), heap: Vec::with_capacity(heap) }
    }

    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.facts.len() >= CHUNK_FACTS
    }

    pub(super) fn bytes(&self) -> usize {
        self.facts.len() * size_of::<Fixed>() + self.heap.len()
    }

    pub(super) fn cursor(&self, place: usize) -> Option<PresenceCursor> {
        self.facts.get(place).map(Fixed::cursor)
    }

    pub(super) fn last(&self) -> PresenceCursor {
        self.facts.last().map(Fixed::cursor).unwrap_or_default()
    }

    /// How many of its facts stand up to a cursor.
    pub(super) fn told(&self, cursor: PresenceCursor) -> usize {
        self.facts.partition_point(|fact| fact.cursor() <= cursor)
    }

    pub(super) fn facts_from(&self, place: usize) -> impl Iterator<Item = PresenceFact<'_>> {
        self.facts.get(place..).unwrap_or_default().iter().map(|fixed| self.fact(fixed))
    }

    /// Returns how many bytes it took.
    pub(super) fn push(&mut self, fact: &PresenceFact<'_>) -> usize {
        let start = self.heap.len();
        for part in [fact.user, fact.slot, fact.connection] {
            self.heap.extend_from_slice(part);
        }
        let names = self.heap.len();
        for topic in fact.topics.iter() {
            self.put_name(topic);
        }
        let topics = self.heap.len() - names;
        let (kind, reason, former) = self.put_what(&fact.what);
        self.facts.push(Fixed {
            revision: fact.cursor.revision.0,
            at: fact.at.0,
            epoch_revision: fact.epoch.revision.0,
            place: Arc::clone(fact.place),
            former,
            position: fact.cursor.position,
            epoch_position: fact.epoch.position,
            start: start as u32,
            user: fact.user.len() as u8,
            slot: fact.slot.len() as u8,
            connection: fact.connection.len() as u8,
            topics: topics as u16,
            kind: if fact.whole { kind | WHOLE } else { kind },
            reason,
        });
        size_of::<Fixed>() + self.heap.len() - start
    }

    fn put_what(&mut self, what: &PresenceWhat<'_>) -> (u8, u8, Option<Arc<Place>>) {
        match what {
            PresenceWhat::Online => (ONLINE, 0, None),
            PresenceWhat::Offline(reason) => (OFFLINE, self.put_reason(reason), None),
            PresenceWhat::Dropped(reason) => (DROPPED, self.put_reason(reason), None),
            PresenceWhat::Moved(former) => (MOVED, 0, Some(self.put_former(former))),
            PresenceWhat::Reconnected(former) => (RECONNECTED, 0, Some(self.put_former(former))),
        }
    }

    fn put_former(&mut self, former: &Former<'_>) -> Arc<Place> {
        self.heap.extend_from_slice(&former.epoch.revision.0.to_le_bytes());
        self.heap.extend_from_slice(&former.epoch.position.to_le_bytes());
        self.put_name(former.connection);
        Arc::clone(former.place)
    }

    fn put_reason(&mut self, reason: &OfflineReason<'_>) -> u8 {
        match reason {
            OfflineReason::Left => 1,
            OfflineReason::Lost => 2,
            OfflineReason::GatewayClosed => 3,
            OfflineReason::GatewayExpired => 4,
            OfflineReason::GatewayReplaced => 5,
            OfflineReason::Kicked { reason, author } => {
                self.put_name(reason.as_bytes());
                self.put_name(author.as_bytes());
                6
            }
            OfflineReason::Unbound => 7,
            OfflineReason::Unconfirmed => 8,
        }
    }

    /// Every name in a fact is limited below 256 bytes.
    fn put_name(&mut self, name: &[u8]) {
        self.heap.push(name.len() as u8);
        self.heap.extend_from_slice(name);
    }

    fn fact<'a>(&'a self, fixed: &'a Fixed) -> PresenceFact<'a> {
        let mut rest = Rest(self.heap.get(fixed.start as usize..).unwrap_or_default());
        let user = rest.take(fixed.user.into());
        let slot = rest.take(fixed.slot.into());
        let connection = rest.take(fixed.connection.into());
        let topics = TopicNames::packed(rest.take(fixed.topics.into()));
        PresenceFact {
            cursor: fixed.cursor(),
            at: LogTime(fixed.at),
            user,
            slot,
            epoch: Epoch { revision: Revision(fixed.epoch_revision), position: fixed.epoch_position },
            place: &fixed.place,
            connection,
            whole: fixed.kind & WHOLE != 0,
            topics,
            what: rest.what(fixed),
        }
    }
}

impl Fixed {
    fn cursor(&self) -> PresenceCursor {
        PresenceCursor { revision: Revision(self.revision), position: self.position }
    }
}

/// What of a fact's bytes was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(bytes).unwrap_or_default();
        self.0 = rest;
        taken
    }

    fn name(&mut self) -> &'a [u8] {
        let length = self.take(1).first().copied().unwrap_or_default();
        self.take(length.into())
    }

    fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.name()).unwrap_or_default()
    }

    fn what(&mut self, fixed: &'a Fixed) -> PresenceWhat<'a> {
        match fixed.kind & !WHOLE {
            OFFLINE => PresenceWhat::Offline(self.reason(fixed.reason)),
            DROPPED => PresenceWhat::Dropped(self.reason(fixed.reason)),
            MOVED => PresenceWhat::Moved(self.former(fixed)),
            RECONNECTED => PresenceWhat::Reconnected(self.former(fixed)),
            _ => PresenceWhat::Online,
        }
    }

    fn former(&mut self, fixed: &'a Fixed) -> Former<'a> {
        let revision = self.take(8).first_chunk().copied().unwrap_or_default();
        let position = self.take(4).first_chunk().copied().unwrap_or_default();
        let epoch = Epoch { revision: Revision(u64::from_le_bytes(revision)), position: u32::from_le_bytes(position) };
        Former { place: fixed.former.as_ref().unwrap_or(&fixed.place), epoch, connection: self.name() }
    }

    fn reason(&mut self, reason: u8) -> OfflineReason<'a> {
        match reason {
            1 => OfflineReason::Left,
            3 => OfflineReason::GatewayClosed,
            4 => OfflineReason::GatewayExpired,
            5 => OfflineReason::GatewayReplaced,
            6 => OfflineReason::Kicked { reason: self.text(), author: self.text() },
            7 => OfflineReason::Unbound,
            8 => OfflineReason::Unconfirmed,
            _ => OfflineReason::Lost,
        }
    }
}
