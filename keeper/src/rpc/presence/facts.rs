//! Facts as messages, and the places they name, each once a reply.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_proto::v1::presence_fact::{Event, Moved, Offline, Online, Reason};
use keeper_proto::v1::presence_reply;
use keeper_registry::{Former, Incarnation, OfflineReason, Place, PresenceFact, PresenceWhat};

use crate::rpc::to_proto;

/// The places that the facts of a reply name.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<presence_reply::Place>);

impl Places {
    /// A fact as a message; its places are named now, if they were not before.
    pub(super) fn fact(&mut self, fact: &PresenceFact<'_>, topics: Vec<Bytes>) -> wire::PresenceFact {
        wire::PresenceFact {
            // The end of an incarnation is about nobody in particular.
            key: (!fact.user.is_empty()).then(|| wire::SessionKey {
                user: Bytes::copy_from_slice(fact.user),
                slot: Bytes::copy_from_slice(fact.slot),
            }),
            epoch: Some(to_proto::epoch(fact.epoch)),
            revision: fact.cursor.revision.0,
            at_ms: fact.at.0,
            place: self.index_of(fact.place),
            connection: Bytes::copy_from_slice(fact.connection),
            topics,
            event: Some(self.event(&fact.what)),
            topics_only: !fact.whole && !matches!(fact.what, PresenceWhat::Dropped(_)),
        }
    }

    /// In the order of their indexes.
    pub(super) fn finish(self) -> Vec<presence_reply::Place> {
        self.0
    }

    fn event(&mut self, what: &PresenceWhat<'_>) -> Event {
        match what {
            PresenceWhat::Online => Event::Online(Online {}),
            PresenceWhat::Offline(reason) => Event::Offline(offline(reason)),
            PresenceWhat::Dropped(reason) => Event::Dropped(offline(reason)),
            PresenceWhat::Moved(former) => Event::Moved(self.moved(former)),
            PresenceWhat::Reconnected(former) => Event::Reconnected(self.moved(former)),
        }
    }

    fn moved(&mut self, former: &Former<'_>) -> Moved {
        Moved {
            from: self.index_of(former.place),
            epoch: Some(to_proto::epoch(former.epoch)),
            connection: Bytes::copy_from_slice(former.connection),
        }
    }

    /// Looked for from the newest on: facts of one gateway come together.
    fn index_of(&mut self, place: &Place) -> u32 {
        let known = self.0.iter().rposition(|known| Incarnation(known.incarnation) == place.incarnation);
        let index = known.unwrap_or_else(|| {
            self.0.push(presence_reply::Place {
                service: place.service.to_string(),
                instance: place.id.to_string(),
                incarnation: place.incarnation.0,
            });
            self.0.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}

fn offline(reason: &OfflineReason<'_>) -> Offline {
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
    Offline { reason: number(reason).into(), message: message.to_owned(), author: author.to_owned() }
}

const fn number(reason: &OfflineReason<'_>) -> Reason {
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
