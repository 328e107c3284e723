//! What happened to a session.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{Epoch, SessionKey};

/// What a presence stream tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "resets are rare, and a box would cost every fact an allocation")]
pub enum PresenceEvent {
    /// Something happened to a session.
    Fact(PresenceFact),
    /// Facts before this point are gone on every node: [`resync`](crate::Presence::resync), then go on.
    Reset,
}

/// Something that happened to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceFact {
    /// Which session.
    pub key: SessionKey,
    /// Of the registration that is, or was, there.
    pub epoch: Epoch,
    /// Of the log entry that made it so.
    pub revision: u64,
    /// Log time, Unix milliseconds.
    pub at_ms: u64,
    /// Where the session is, or was last; shared by the facts of one frame.
    pub place: Arc<Place>,
    /// The gateway's own name for the connection.
    pub connection: Bytes,
    /// The topics whose subscribers it is for; to one of them, that topic.
    pub topics: Vec<Bytes>,
    /// For whom it is besides.
    pub scope: PresenceScope,
    /// What happened.
    pub change: PresenceChange,
}

/// Whether a fact is about a session as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceScope {
    /// It is: also for those who follow everything, a user prefix or an instance.
    Session,
    /// For the subscribers of its topics alone: their grace is another one, or the topic was bound or unbound.
    Topics,
}

/// What happened to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresenceChange {
    /// It is live; it was not before.
    Online,
    /// It is gone, and will not be back as the same.
    Offline(OfflineReason),
    /// It is live on another incarnation, and was told to be on this one before.
    Moved(MovedFrom),
    /// Its connection was replaced on the same incarnation. Told only to those who ask for it.
    Reconnected(MovedFrom),
    /// Its connection dropped; it lingers for its grace. Told only by [`explain`](crate::SessionAdmin::explain).
    Dropped(OfflineReason),
}

/// Where a session was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedFrom {
    /// Where.
    pub place: Arc<Place>,
    /// Of the registration that was replaced.
    pub epoch: Epoch,
    /// Of the connection that was replaced.
    pub connection: Bytes,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfflineReason {
    /// The device said good-bye.
    Left,
    /// The connection dropped and did not come back within the grace.
    Lost,
    /// The gateway closed its incarnation.
    GatewayClosed,
    /// The gateway's lease ran out.
    GatewayExpired,
    /// The gateway started anew under the same name.
    GatewayReplaced,
    /// An admin ended it.
    Kicked {
        /// Why.
        reason: String,
        /// Who.
        author: String,
    },
    /// It lives, and is bound to the topic no longer.
    Unbound,
    /// It was restored from a backup, and no gateway ever registered it again.
    Unconfirmed,
    /// One that this version of the library has no name for.
    Unknown,
}

/// An incarnation of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub instance: String,
    /// Which life of it.
    pub incarnation: u64,
}

impl PresenceFact {
    /// When it happened, by log time.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.at_ms)
    }
}
