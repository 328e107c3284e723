//! Whose presence to follow, and from where.

use std::time::Duration;

use bytes::Bytes;
use keeper_proto::v1::PresenceRequest;

use crate::{SessionSelector, limits};

/// Whose presence to follow, and from where: from now on, unless it [goes on](Self::after) from a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Subscription {
    whose: Whose,
    token: Bytes,
    detail: Detail,
    /// In one frame; 0: as many as fit.
    facts_max: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Whose {
    All,
    Topic(Bytes),
    Instance(String),
    UserPrefix(Bytes),
}

/// Which facts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Presence,
    Reconnects,
    Everything,
}

impl Subscription {
    /// Every session. Flash disconnects are hidden for the longest grace of the session's topics.
    pub const fn all() -> Self {
        Self::new(Whose::All)
    }

    /// Sessions bound to a topic. Flash disconnects are hidden for the grace of this topic.
    pub fn topic(topic: impl Into<Bytes>) -> Self {
        Self::new(Whose::Topic(topic.into()))
    }

    /// Sessions that are, come to, or go from an instance, named as `service/id`.
    pub fn instance(instance: impl Into<String>) -> Self {
        Self::new(Whose::Instance(instance.into()))
    }

    /// Sessions of users that begin with these bytes.
    pub fn user_prefix(prefix: impl Into<Bytes>) -> Self {
        Self::new(Whose::UserPrefix(prefix.into()))
    }

    /// Goes on from the [token](crate::Presence::token) of another stream with the same subscription.
    pub fn after(self, token: impl Into<Bytes>) -> Self {
        Self { token: token.into(), ..self }
    }

    /// Tells also of connections that were replaced on the same incarnation, which changes nobody's presence.
    pub fn with_reconnects(self) -> Self {
        Self { detail: Detail::Reconnects, ..self }
    }

    /// Tells one fact a frame, so that each comes with a [token](crate::Presence::token) of its own: for whoever stops
    /// after a number of them. A node from before there was this tells as many as fit.
    pub fn one_by_one(self) -> Self {
        Self { facts_max: 1, ..self }
    }

    /// Every fact that changes what a lookup would answer.
    pub(crate) fn with_everything(self) -> Self {
        Self { detail: Detail::Everything, ..self }
    }

    const fn new(whose: Whose) -> Self {
        Self { whose, token: Bytes::new(), detail: Detail::Presence, facts_max: 0 }
    }

    pub(crate) const fn token(&self) -> &Bytes {
        &self.token
    }

    pub(super) fn reach(&mut self, token: Bytes) {
        self.token = token;
    }

    /// After how long the server says that there is nothing new.
    const fn silence(&self) -> Duration {
        match self.detail {
            Detail::Presence | Detail::Reconnects => limits::PRESENCE_SILENCE,
            Detail::Everything => limits::CACHE_SILENCE,
        }
    }

    /// The sessions whose presence is followed.
    pub(super) fn selector(&self) -> SessionSelector {
        match self.whose.clone() {
            Whose::All => SessionSelector::all(),
            Whose::Topic(topic) => SessionSelector::topic(topic),
            Whose::Instance(instance) => SessionSelector::instance(instance),
            Whose::UserPrefix(prefix) => SessionSelector::user_prefix(prefix),
        }
    }

    pub(super) fn to_proto(&self) -> PresenceRequest {
        let SessionSelector { topic, instance, user_prefix, slot: _ } = self.selector();
        PresenceRequest {
            token: self.token.clone(),
            topic,
            instance,
            user_prefix,
            reconnects: self.detail != Detail::Presence,
            everything: self.detail == Detail::Everything,
            silence_ms: millis(self.silence()),
            facts_max: self.facts_max,
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
