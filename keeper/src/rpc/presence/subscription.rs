//! Whose facts a subscriber asked for.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{Place, PresenceCursor, PresenceFact, PresenceSlice, PresenceWhat, StateId, TopicNames, limits};

use crate::limits::PRESENCE_FRAME_FACTS_MAX;
use crate::problem::Problem;
use crate::rpc::from_proto::{self, invalid};
use crate::rpc::presence::frame::{Frame, FrameWriter};
use crate::watch::{Framed, PresenceToken};

/// A filter. Subscribers with equal ones share frames.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Subscription {
    whose: Whose,
    detail: Detail,
    /// In one frame.
    facts_max: usize,
}

/// Which facts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Detail {
    /// Those that change somebody's presence.
    Presence,
    /// Also registrations that replaced one of the same incarnation.
    Reconnects,
    /// Whatever changes the answer of a lookup, whoever's view it is for.
    Everything,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Everybody,
    Topic(Bytes),
    /// Service and id; any incarnation.
    Instance(String, String),
    UserPrefix(Bytes),
}

impl Subscription {
    pub(super) fn read(request: wire::PresenceRequest) -> Result<Self, Problem> {
        let wire::PresenceRequest { topic, instance, user_prefix, reconnects, everything, facts_max, .. } = request;
        let named = [!topic.is_empty(), !instance.is_empty(), !user_prefix.is_empty()];
        if named.into_iter().filter(|is_named| *is_named).count() > 1 {
            let message = "at most one of `topic`, `instance` and `user_prefix`: subscribe to each by itself";
            return Err(invalid("topic", message));
        }
        from_proto::check_size(|| "topic".to_owned(), &topic, limits::TOPIC_BYTES_MAX)?;
        from_proto::check_size(|| "user_prefix".to_owned(), &user_prefix, limits::USER_BYTES_MAX)?;
        let whose = match named {
            [true, _, _] => Whose::Topic(topic),
            [_, true, _] => {
                let (service, id) = from_proto::instance_name("instance", &instance)?;
                Whose::Instance(service, id)
            }
            [_, _, true] => Whose::UserPrefix(user_prefix),
            _ => Whose::Everybody,
        };
        let detail = match (everything, reconnects) {
            (true, _) => Detail::Everything,
            (false, true) => Detail::Reconnects,
            (false, false) => Detail::Presence,
        };
        let facts_max = match usize::try_from(facts_max) {
            Ok(facts_max) if facts_max > 0 => facts_max.min(PRESENCE_FRAME_FACTS_MAX),
            _ => PRESENCE_FRAME_FACTS_MAX,
        };
        Ok(Self { whose, detail, facts_max })
    }

    pub(super) fn accepts(&self, fact: &PresenceFact<'_>) -> bool {
        let former = match fact.what {
            // For nobody's view.
            PresenceWhat::Dropped(_) if self.detail != Detail::Everything => return false,
            PresenceWhat::Reconnected(_) if self.detail == Detail::Presence => return false,
            PresenceWhat::Moved(former) | PresenceWhat::Reconnected(former) => Some(former.place),
            PresenceWhat::Online | PresenceWhat::Offline(_) | PresenceWhat::Dropped(_) => None,
        };
        let is_seen = fact.whole || self.detail == Detail::Everything;
        // An incarnation that closed, and every session with it.
        let is_closing = fact.user.is_empty();
        match &self.whose {
            Whose::Everybody => is_seen,
            Whose::Topic(topic) => fact.topics.contains(topic) || matches!(fact.what, PresenceWhat::Dropped(_)),
            Whose::Instance(service, id) => {
                let is_it = |place: &Place| *place.service == **service && *place.id == **id;
                is_seen && (is_it(fact.place) || former.is_some_and(|former| is_it(former)))
            }
            Whose::UserPrefix(prefix) => is_seen && (is_closing || fact.user.starts_with(prefix)),
        }
    }

    /// Of the topics that a fact is about, those that the subscriber is told.
    pub(super) fn topics_of(&self, fact: &PresenceFact<'_>) -> Vec<Bytes> {
        match &self.whose {
            Whose::Topic(topic) => vec![topic.clone()],
            Whose::Everybody | Whose::Instance(..) | Whose::UserPrefix(_) => copied(fact.topics),
        }
    }
}

impl Subscription {
    /// See [`Framing::frame`](crate::watch::Framing::frame).
    pub(super) fn frame(&self, state: StateId, slice: &PresenceSlice, bound: Option<PresenceCursor>) -> Framed<Frame> {
        let mut frame = FrameWriter::default();
        let mut until = PresenceCursor::default();
        for (place, fact) in slice.iter().enumerate() {
            let is_beyond = place > 0 && bound.is_some_and(|bound| fact.cursor > bound);
            if is_beyond || frame.is_full(self.facts_max) {
                break;
            }
            until = fact.cursor;
            if self.accepts(&fact) {
                frame.push(&fact, self.topics_of(&fact));
            }
        }
        let frame = (!frame.is_empty())
            .then(|| frame.finish(super::reply(PresenceToken { state, cursor: until }, until.revision)));
        Framed { until, frame }
    }
}

/// Names that outlive the ring.
pub(super) fn copied(topics: TopicNames<'_>) -> Vec<Bytes> {
    topics.iter().map(Bytes::copy_from_slice).collect()
}
