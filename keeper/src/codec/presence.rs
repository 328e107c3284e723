//! Presence facts. The tags are on disk: they never change and are never used again.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{
    Former, Incarnation, LogTime, OfflineReason, Place, PresenceCursor, PresenceFact, PresenceWhat, Revision,
    TopicNames,
};

use crate::codec::command::{read_epoch, unknown, write_epoch};
use crate::codec::{DecodeError, Input, Output};

type Decoded<T> = Result<T, DecodeError>;

mod tag {
    pub(super) const ONLINE: u8 = 1;
    pub(super) const OFFLINE: u8 = 2;
    pub(super) const MOVED: u8 = 3;
    pub(super) const RECONNECTED: u8 = 4;
    pub(super) const DROPPED: u8 = 5;

    pub(super) const LEFT: u8 = 1;
    pub(super) const LOST: u8 = 2;
    pub(super) const GATEWAY_CLOSED: u8 = 3;
    pub(super) const GATEWAY_EXPIRED: u8 = 4;
    pub(super) const GATEWAY_REPLACED: u8 = 5;
    pub(super) const KICKED: u8 = 6;
    pub(super) const UNBOUND: u8 = 7;
    pub(super) const UNCONFIRMED: u8 = 8;
}

/// Places read so far: facts name few, and share them.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<Incarnation, Arc<Place>>);

impl Places {
    fn read(&mut self, input: &mut Input) -> Decoded<Arc<Place>> {
        let (service, id, incarnation) = (input.bytes()?, input.bytes()?, Incarnation(input.u64()?));
        if let Some(known) = self.0.get(&incarnation)
            && *known.service.as_bytes() == *service
            && *known.id.as_bytes() == *id
        {
            return Ok(Arc::clone(known));
        }
        let text = |name: &Bytes| match std::str::from_utf8(name) {
            Ok(name) => Ok(Arc::from(name)),
            Err(_) => Err(unknown(input, "the name of a place")),
        };
        let place = Arc::new(Place { service: text(&service)?, id: text(&id)?, incarnation });
        self.0.insert(incarnation, Arc::clone(&place));
        Ok(place)
    }
}

/// Writes a place in the order of facts.
pub(super) fn write_cursor(out: &mut Output, cursor: PresenceCursor) {
    out.u64(cursor.revision.0);
    out.u32(cursor.position);
}

/// Reads a place in the order of facts.
pub(super) fn read_cursor(input: &mut Input) -> Decoded<PresenceCursor> {
    Ok(PresenceCursor { revision: Revision(input.u64()?), position: input.u32()? })
}

/// Writes a fact.
pub(super) fn write_fact(out: &mut Output, fact: &PresenceFact<'_>) {
    write_cursor(out, fact.cursor);
    out.u64(fact.at.0);
    out.bytes(fact.user);
    out.bytes(fact.slot);
    write_epoch(out, fact.epoch);
    write_place(out, fact.place);
    out.bytes(fact.connection);
    out.flag(fact.whole);
    out.len(fact.topics.iter().count());
    fact.topics.iter().for_each(|topic| out.bytes(topic));
    match &fact.what {
        PresenceWhat::Online => out.u8(tag::ONLINE),
        PresenceWhat::Offline(reason) => {
            out.u8(tag::OFFLINE);
            write_reason(out, reason);
        }
        PresenceWhat::Moved(former) => {
            out.u8(tag::MOVED);
            write_former(out, former);
        }
        PresenceWhat::Reconnected(former) => {
            out.u8(tag::RECONNECTED);
            write_former(out, former);
        }
        PresenceWhat::Dropped(reason) => {
            out.u8(tag::DROPPED);
            write_reason(out, reason);
        }
    }
}

fn write_place(out: &mut Output, place: &Place) {
    out.str(&place.service);
    out.str(&place.id);
    out.u64(place.incarnation.0);
}

fn write_former(out: &mut Output, former: &Former<'_>) {
    write_place(out, former.place);
    write_epoch(out, former.epoch);
    out.bytes(former.connection);
}

fn write_reason(out: &mut Output, reason: &OfflineReason<'_>) {
    match reason {
        OfflineReason::Left => out.u8(tag::LEFT),
        OfflineReason::Lost => out.u8(tag::LOST),
        OfflineReason::GatewayClosed => out.u8(tag::GATEWAY_CLOSED),
        OfflineReason::GatewayExpired => out.u8(tag::GATEWAY_EXPIRED),
        OfflineReason::GatewayReplaced => out.u8(tag::GATEWAY_REPLACED),
        OfflineReason::Kicked { reason, author } => {
            out.u8(tag::KICKED);
            out.str(reason);
            out.str(author);
        }
        OfflineReason::Unbound => out.u8(tag::UNBOUND),
        OfflineReason::Unconfirmed => out.u8(tag::UNCONFIRMED),
    }
}

/// What a fact borrows its registration before from.
struct ReadFormer {
    place: Arc<Place>,
    epoch: keeper_registry::Epoch,
    connection: Bytes,
}

/// What a fact borrows its words from.
#[derive(Default)]
struct ReadWords {
    reason: String,
    author: String,
}

/// Reads a fact and hands it on: it borrows what was read.
pub(super) fn read_fact<T>(
    input: &mut Input,
    places: &mut Places,
    take: impl FnOnce(PresenceFact<'_>) -> T,
) -> Decoded<T> {
    let (cursor, at) = (read_cursor(input)?, LogTime(input.u64()?));
    let (user, slot) = (input.bytes()?, input.bytes()?);
    let epoch = read_epoch(input)?;
    let place = places.read(input)?;
    let (connection, whole) = (input.bytes()?, input.flag()?);
    let topics = input.list(Input::bytes)?;
    let topics: Vec<&[u8]> = topics.iter().map(|topic| &topic[..]).collect();
    let (former, mut words) = (&mut None, ReadWords::default());
    let what = match input.u8()? {
        tag::ONLINE => PresenceWhat::Online,
        tag::OFFLINE => PresenceWhat::Offline(read_reason(input, &mut words)?),
        tag::MOVED => PresenceWhat::Moved(read_former(input, places, former)?),
        tag::RECONNECTED => PresenceWhat::Reconnected(read_former(input, places, former)?),
        tag::DROPPED => PresenceWhat::Dropped(read_reason(input, &mut words)?),
        _ => return Err(unknown(input, "the tag of a presence fact")),
    };
    Ok(take(PresenceFact {
        cursor,
        at,
        user: &user,
        slot: &slot,
        epoch,
        place: &place,
        connection: &connection,
        whole,
        topics: TopicNames::listed(&topics),
        what,
    }))
}

fn read_former<'a>(input: &mut Input, places: &mut Places, kept: &'a mut Option<ReadFormer>) -> Decoded<Former<'a>> {
    let read = ReadFormer { place: places.read(input)?, epoch: read_epoch(input)?, connection: input.bytes()? };
    let ReadFormer { place, epoch, connection } = kept.insert(read);
    Ok(Former { place, epoch: *epoch, connection })
}

fn read_reason<'a>(input: &mut Input, kept: &'a mut ReadWords) -> Decoded<OfflineReason<'a>> {
    Ok(match input.u8()? {
        tag::LEFT => OfflineReason::Left,
        tag::LOST => OfflineReason::Lost,
        tag::GATEWAY_CLOSED => OfflineReason::GatewayClosed,
        tag::GATEWAY_EXPIRED => OfflineReason::GatewayExpired,
        tag::GATEWAY_REPLACED => OfflineReason::GatewayReplaced,
        tag::KICKED => {
            *kept = ReadWords { reason: input.str()?, author: input.str()? };
            OfflineReason::Kicked { reason: &kept.reason, author: &kept.author }
        }
        tag::UNBOUND => OfflineReason::Unbound,
        tag::UNCONFIRMED => OfflineReason::Unconfirmed,
        _ => return Err(unknown(input, "why a session is gone")),
    })
}
