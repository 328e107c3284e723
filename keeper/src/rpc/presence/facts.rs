//! Facts of one reply, and the places they name, each once.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_proto::v1::presence_fact::{Event, Moved, Offline, Online, Reason};
use keeper_proto::v1::presence_reply;
use keeper_registry::{Former, Incarnation, OfflineReason, Place, PresenceFact, PresenceWhat};

use crate::rpc::to_proto;

/// What a fact takes on the wire beside its names, give or take: enough to know where a frame ends.
const FACT_BYTES: usize = 64;

/// What a place takes.
const PLACE_BYTES: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Facts {
    facts: Vec<wire::PresenceFact>,
    places: Vec<presence_reply::Place>,
    bytes: usize,
}

impl Facts {
    pub(super) const fn len(&self) -> usize {
        self.facts.len()
    }

    /// About as many as there are on the wire.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, fact: &PresenceFact<'_>, topics: Vec<Bytes>) {
        let place = self.place(fact.place);
        let event = self.event(&fact.what);
        let names = fact.user.len() + fact.slot.len() + fact.connection.len();
        self.bytes += FACT_BYTES + names + topics.iter().map(|topic| topic.len() + 2).sum::<usize>();
        self.facts.push(wire::PresenceFact {
            key: (!fact.user.is_empty()).then(|| wire::SessionKey {
                user: Bytes::copy_from_slice(fact.user),
                slot: Bytes::copy_from_slice(fact.slot),
            }),
            epoch: Some(to_proto::epoch(fact.epoch)),
            revision: fact.cursor.revision.0,
            at_ms: fact.at.0,
            place,
            connection: Bytes::copy_from_slice(fact.connection),
            topics,
            event: Some(event),
        });
    }

    /// By revision; those of one entry as they were pushed.
    pub(super) fn sort(&mut self) {
        self.facts.sort_by_key(|fact| fact.revision);
    }

    pub(super) fn finish(self) -> (Vec<wire::PresenceFact>, Vec<presence_reply::Place>) {
        (self.facts, self.places)
    }

    fn event(&mut self, what: &PresenceWhat<'_>) -> Event {
        match what {
            PresenceWhat::Online => Event::Online(Online {}),
            PresenceWhat::Offline(reason) => Event::Offline(self.offline(reason)),
            PresenceWhat::Dropped(reason) => Event::Dropped(self.offline(reason)),
            PresenceWhat::Moved(former) => Event::Moved(self.moved(former)),
            PresenceWhat::Reconnected(former) => Event::Reconnected(self.moved(former)),
        }
    }

    fn moved(&mut self, former: &Former<'_>) -> Moved {
        self.bytes += former.connection.len();
        Moved {
            from: self.place(former.place),
            epoch: Some(to_proto::epoch(former.epoch)),
            connection: Bytes::copy_from_slice(former.connection),
        }
    }

    fn offline(&mut self, reason: &OfflineReason<'_>) -> Offline {
        let (message, author) = match reason {
            OfflineReason::Kicked { reason, author } => (*reason, *author),
            OfflineReason::Left
            | OfflineReason::Lost
            | OfflineReason::GatewayClosed
            | OfflineReason::GatewayExpired
            | OfflineReason::GatewayReplaced
            | OfflineReason::Unbound
            | OfflineReason::Unconfirmed => ("", ""),
        };
        self.bytes += message.len() + author.len();
        Offline { reason: number(reason).into(), message: message.to_owned(), author: author.to_owned() }
    }

    /// Named from the newest on: facts of one gateway come together.
    fn place(&mut self, place: &Place) -> u32 {
        let known = self.places.iter().rposition(|known| Incarnation(known.incarnation) == place.incarnation);
        let index = known.unwrap_or_else(|| {
            self.bytes += PLACE_BYTES + place.service.len() + place.id.len();
            self.places.push(presence_reply::Place {
                service: place.service.to_string(),
                instance: place.id.to_string(),
                incarnation: place.incarnation.0,
            });
            self.places.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}

pub(super) const fn number(reason: &OfflineReason<'_>) -> Reason {
    match reason {
        OfflineReason::Left => Reason::Left,
        OfflineReason::Lost => Reason::Lost,
        OfflineReason::GatewayClosed => Reason::GatewayClosed,
        OfflineReason::GatewayExpired => Reason::GatewayExpired,
        OfflineReason::GatewayReplaced => Reason::GatewayReplaced,
        OfflineReason::Kicked { .. } => Reason::Kicked,
        OfflineReason::Unbound => Reason::Unbound,
        OfflineReason::Unconfirmed => Reason::Unconfirmed,
    }
}
