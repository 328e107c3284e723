//! Presence facts as they come from the wire.

use std::sync::Arc;

use keeper_proto::v1::{self, presence_fact, presence_reply};

use crate::{Error, MovedFrom, OfflineReason, Place, PresenceChange, PresenceFact, PresenceScope, session::from_proto};

pub(crate) fn places(places: Vec<presence_reply::Place>) -> Vec<Arc<Place>> {
    let place = |it: presence_reply::Place| {
        Arc::new(Place { service: it.service, instance: it.instance, incarnation: it.incarnation })
    };
    places.into_iter().map(place).collect()
}

/// A fact names its places by their position in the answer.
pub(crate) fn facts(facts: Vec<v1::PresenceFact>, places: &[Arc<Place>]) -> Result<Vec<PresenceFact>, Error> {
    facts.into_iter().map(|it| fact(it, places)).collect()
}

fn fact(fact: v1::PresenceFact, places: &[Arc<Place>]) -> Result<PresenceFact, Error> {
    use presence_fact::Event;
    let change = match fact.event.ok_or_else(|| Error::malformed("a presence fact without an event"))? {
        Event::Online(presence_fact::Online {}) => PresenceChange::Online,
        Event::Offline(offline) => PresenceChange::Offline(reason(offline)),
        Event::Moved(moved) => PresenceChange::Moved(from(moved, places)?),
        Event::Reconnected(moved) => PresenceChange::Reconnected(from(moved, places)?),
        Event::Dropped(offline) => PresenceChange::Dropped(reason(offline)),
    };
    Ok(PresenceFact {
        key: from_proto::key(fact.key),
        epoch: from_proto::epoch(fact.epoch),
        revision: fact.revision,
        at_ms: fact.at_ms,
        place: place(fact.place, places)?,
        connection: fact.connection,
        topics: fact.topics,
        scope: if fact.topics_only { PresenceScope::Topics } else { PresenceScope::Session },
        change,
    })
}

fn from(moved: presence_fact::Moved, places: &[Arc<Place>]) -> Result<MovedFrom, Error> {
    let place = place(moved.from, places)?;
    Ok(MovedFrom { place, epoch: from_proto::epoch(moved.epoch), connection: moved.connection })
}

fn place(index: u32, places: &[Arc<Place>]) -> Result<Arc<Place>, Error> {
    let place = usize::try_from(index).ok().and_then(|index| places.get(index));
    place.cloned().ok_or_else(|| Error::malformed("a presence fact without its place"))
}

fn reason(offline: presence_fact::Offline) -> OfflineReason {
    use presence_fact::Reason;
    match offline.reason() {
        Reason::Left => OfflineReason::Left,
        Reason::Lost => OfflineReason::Lost,
        Reason::GatewayClosed => OfflineReason::GatewayClosed,
        Reason::GatewayExpired => OfflineReason::GatewayExpired,
        Reason::GatewayReplaced => OfflineReason::GatewayReplaced,
        Reason::Kicked => OfflineReason::Kicked { reason: offline.message, author: offline.author },
        Reason::Unbound => OfflineReason::Unbound,
        Reason::Unconfirmed => OfflineReason::Unconfirmed,
        Reason::Unspecified => OfflineReason::Unknown,
    }
}
