//! Facts side by side, shared as one.
//!
//! The fixed parts lie in one piece and everything of variable length in another; what the facts of one log entry, or
//! of one gateway, have in common is there once. So a typical fact costs sixty to eighty bytes and no allocation of its
//! own. Names lie one behind the other: user, slot, connection, topics, then what the kind of fact needs.

use std::sync::Arc;

use super::{Former, OfflineReason, Place, PresenceCursor, PresenceFact, PresenceWhat, TopicNames};
use crate::{Epoch, LogTime, Revision};

/// Facts of a chunk: few enough to copy for a reader while they are being filled, enough to make cloning the pointers
/// of a million facts cheap.
const CHUNK_FACTS: usize = 128;

const WHOLE: u8 = 0x80;
const ONLINE: u8 = 1;
const OFFLINE: u8 = 2;
const MOVED: u8 = 3;
const RECONNECTED: u8 = 4;
const DROPPED: u8 = 5;

/// The fixed part of a fact.
#[derive(Debug, Clone, Copy, Default)]
struct Fixed {
    epoch_revision: u64,
    epoch_position: u32,
    position: u32,
    /// Where its names begin.
    start: u32,
    /// Bytes of the names of its topics.
    topics: u16,
    user: u8,
    slot: u8,
    connection: u8,
    kind: u8,
    reason: u8,
    /// Which of the chunk's entries it is from.
    entry: u8,
    /// Which of the chunk's places.
    place: u8,
    former: u8,
}

const _: () = assert!(size_of::<Fixed>() == 32, "half a cache line");
const _: () = assert!(2 * CHUNK_FACTS <= 1 + u8::MAX as usize, "a byte counts the entries and places of a chunk");

/// What the facts of one log entry have in common.
#[derive(Debug, Clone, Copy)]
struct Entry {
    revision: Revision,
    at: LogTime,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    facts: Vec<Fixed>,
    heap: Vec<u8>,
    entries: Vec<Entry>,
    /// Each once.
    places: Vec<Arc<Place>>,
}

impl Chunk {
    /// An empty one, with room for facts like those of the last one; in the memory of another one if that fits.
    pub(super) fn after(last: &Self, forgotten: Option<Self>) -> Self {
        let expected = last.heap.len().max(CHUNK_FACTS);
        let room = expected + expected / 8;
        let fitting = forgotten.filter(|chunk| (expected..=room * 2).contains(&chunk.heap.capacity()));
        let mut chunk = fitting.unwrap_or_else(|| Self::with_room(room));
        chunk.entries.clear();
        chunk.places.clear();
        chunk.bring_near();
        chunk
    }

    fn with_room(heap: usize) -> Self {
        let (facts, heap) = (Vec::with_capacity(CHUNK_FACTS), Vec::with_capacity(heap));
        Self { facts, heap, entries: Vec::new(), places: Vec::new() }
    }

    /// Writes its room once, in one go: the processor then has it at hand when facts come one by one. Otherwise each of
    /// them would wait for memory that was last touched a whole ring ago.
    fn bring_near(&mut self) {
        self.facts.clear();
        self.facts.resize(CHUNK_FACTS, Fixed::default());
        self.facts.clear();
        let room = self.heap.capacity();
        self.heap.clear();
        self.heap.resize(room, 0);
        self.heap.clear();
    }

    /// A copy of the facts after a cursor.
    pub(super) fn copy_after(&self, cursor: PresenceCursor) -> Self {
        let facts = self.facts.get(self.told(cursor)..).unwrap_or_default();
        let start = facts.first().map_or(self.heap.len(), |first| first.start as usize);
        let heap = self.heap.get(start..).unwrap_or_default().to_vec();
        let moved = |fixed: &Fixed| Fixed { start: fixed.start - start as u32, ..*fixed };
        let facts = facts.iter().map(moved).collect();
        Self { facts, heap, entries: self.entries.clone(), places: self.places.clone() }
    }

    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.facts.len() >= CHUNK_FACTS
    }

    pub(super) fn bytes(&self) -> usize {
        let fixed = self.facts.len() * size_of::<Fixed>() + self.entries.len() * size_of::<Entry>();
        fixed + self.heap.len() + self.places.len() * size_of::<Arc<Place>>()
    }

    pub(super) fn cursor(&self, place: usize) -> Option<PresenceCursor> {
        self.facts.get(place).map(|fact| self.cursor_of(fact))
    }

    pub(super) fn last(&self) -> PresenceCursor {
        self.facts.last().map(|fact| self.cursor_of(fact)).unwrap_or_default()
    }

    /// How many of its facts stand up to a cursor.
    pub(super) fn told(&self, cursor: PresenceCursor) -> usize {
        self.facts.partition_point(|fact| self.cursor_of(fact) <= cursor)
    }

    pub(super) fn facts_from(&self, place: usize) -> impl Iterator<Item = PresenceFact<'_>> {
        self.facts.get(place..).unwrap_or_default().iter().map(|fixed| self.fact(fixed))
    }

    pub(super) fn push(&mut self, fact: &PresenceFact<'_>) {
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
        let fixed = Fixed {
            epoch_revision: fact.epoch.revision.0,
            epoch_position: fact.epoch.position,
            position: fact.cursor.position,
            start: start as u32,
            topics: topics as u16,
            user: fact.user.len() as u8,
            slot: fact.slot.len() as u8,
            connection: fact.connection.len() as u8,
            kind: if fact.whole { kind | WHOLE } else { kind },
            reason,
            entry: self.entry_of(fact),
            place: self.place_of(fact.place),
            former,
        };
        self.facts.push(fixed);
    }

    fn entry_of(&mut self, fact: &PresenceFact<'_>) -> u8 {
        let is_same = |last: &Entry| last.revision == fact.cursor.revision && last.at == fact.at;
        if !self.entries.last().is_some_and(is_same) {
            self.entries.push(Entry { revision: fact.cursor.revision, at: fact.at });
        }
        (self.entries.len() - 1) as u8
    }

    /// One gateway's facts mostly come together.
    fn place_of(&mut self, place: &Arc<Place>) -> u8 {
        let known = self.places.iter().rposition(|known| Arc::ptr_eq(known, place));
        let found = known.unwrap_or_else(|| {
            self.places.push(Arc::clone(place));
            self.places.len() - 1
        });
        found as u8
    }

    fn put_what(&mut self, what: &PresenceWhat<'_>) -> (u8, u8, u8) {
        match what {
            PresenceWhat::Online => (ONLINE, 0, 0),
            PresenceWhat::Offline(reason) => (OFFLINE, self.put_reason(reason), 0),
            PresenceWhat::Dropped(reason) => (DROPPED, self.put_reason(reason), 0),
            PresenceWhat::Moved(former) => (MOVED, 0, self.put_former(former)),
            PresenceWhat::Reconnected(former) => (RECONNECTED, 0, self.put_former(former)),
        }
    }

    fn put_former(&mut self, former: &Former<'_>) -> u8 {
        self.heap.extend_from_slice(&former.epoch.revision.0.to_le_bytes());
        self.heap.extend_from_slice(&former.epoch.position.to_le_bytes());
        self.put_name(former.connection);
        self.place_of(former.place)
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
            cursor: self.cursor_of(fixed),
            at: self.entries[usize::from(fixed.entry)].at,
            user,
            slot,
            epoch: Epoch { revision: Revision(fixed.epoch_revision), position: fixed.epoch_position },
            place: &self.places[usize::from(fixed.place)],
            connection,
            whole: fixed.kind & WHOLE != 0,
            topics,
            what: rest.what(fixed, &self.places[usize::from(fixed.former)]),
        }
    }

    fn cursor_of(&self, fixed: &Fixed) -> PresenceCursor {
        PresenceCursor { revision: self.entries[usize::from(fixed.entry)].revision, position: fixed.position }
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

    fn what(&mut self, fixed: &Fixed, former: &'a Arc<Place>) -> PresenceWhat<'a> {
        match fixed.kind & !WHOLE {
            OFFLINE => PresenceWhat::Offline(self.reason(fixed.reason)),
            DROPPED => PresenceWhat::Dropped(self.reason(fixed.reason)),
            MOVED => PresenceWhat::Moved(self.former(former)),
            RECONNECTED => PresenceWhat::Reconnected(self.former(former)),
            _ => PresenceWhat::Online,
        }
    }

    fn former(&mut self, place: &'a Arc<Place>) -> Former<'a> {
        let revision = self.take(8).first_chunk().copied().unwrap_or_default();
        let position = self.take(4).first_chunk().copied().unwrap_or_default();
        let epoch = Epoch { revision: Revision(u64::from_le_bytes(revision)), position: u32::from_le_bytes(position) };
        Former { place, epoch, connection: self.name() }
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
