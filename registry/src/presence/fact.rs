//! What is said about a session.

use std::sync::Arc;

use bytes::Bytes;

use super::{Place, PresenceCursor};
use crate::{Epoch, LogTime};

/// Something that happened to a session, for those whose view of it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceFact<'a> {
    /// Where it stands in the order of facts.
    pub cursor: PresenceCursor,
    /// When it happened.
    pub at: LogTime,
    /// Whose session.
    pub user: &'a [u8],
    /// Which of the user's devices.
    pub slot: &'a [u8],
    /// Of the registration that is, or was, there.
    pub epoch: Epoch,
    /// Where the session is, or was last.
    pub place: &'a Arc<Place>,
    /// The gateway's own name for the connection.
    pub connection: &'a [u8],
    /// Whether it is for those who follow everything, a user prefix or an instance.
    pub whole: bool,
    /// For whose subscribers it is.
    pub topics: TopicNames<'a>,
    /// What happened.
    pub what: PresenceWhat<'a>,
}

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceWhat<'a> {
    /// It is there.
    Online,
    /// It is gone.
    Offline(OfflineReason<'a>),
    /// Another incarnation has it now.
    Moved(Former<'a>),
    /// The same incarnation has it under a new epoch. Told only to those who ask for it: nobody's presence changed.
    Reconnected(Former<'a>),
    /// Its connection dropped, and it lingers. For nobody's view: part of the session's story alone. Of an incarnation
    /// that closed there is one such fact without a user, for all of its sessions.
    Dropped(OfflineReason<'a>),
}

impl<'a> PresenceWhat<'a> {
    pub(crate) fn former(&self) -> Option<&Former<'a>> {
        match self {
            Self::Moved(former) | Self::Reconnected(former) => Some(former),
            Self::Online | Self::Offline(_) | Self::Dropped(_) => None,
        }
    }

    /// The same, with this for the place of the registration before.
    pub(crate) fn with_former(self, place: &'a Arc<Place>) -> Self {
        match self {
            Self::Moved(former) => Self::Moved(Former { place, ..former }),
            Self::Reconnected(former) => Self::Reconnected(Former { place, ..former }),
            Self::Online | Self::Offline(_) | Self::Dropped(_) => self,
        }
    }
}

/// The registration before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Former<'a> {
    /// Where it was.
    pub place: &'a Arc<Place>,
    /// Its fencing token.
    pub epoch: Epoch,
    /// The former gateway's name for the connection.
    pub connection: &'a [u8],
}

/// Why a session is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfflineReason<'a> {
    /// The device said good-bye.
    Left,
    /// Its connection dropped, and it did not come back within the grace.
    Lost,
    /// Its gateway closed its incarnation.
    GatewayClosed,
    /// Its gateway's lease ran out.
    GatewayExpired,
    /// The next incarnation of its gateway's name opened.
    GatewayReplaced,
    /// Somebody ended it.
    Kicked {
        /// In whose words.
        reason: &'a str,
        /// Who.
        author: &'a str,
    },
    /// It lives, and is bound to the topic no longer.
    Unbound,
    /// It came from a backup, and was never registered again.
    Unconfirmed,
}

/// Names of topics.
#[derive(Debug, Clone, Copy)]
pub struct TopicNames<'a>(Names<'a>);

#[derive(Debug, Clone, Copy)]
enum Names<'a> {
    /// Each behind a byte that says how long it is.
    Packed(&'a [u8]),
    Listed(&'a [&'a [u8]]),
    /// As an operation brings them.
    Given(&'a [Bytes]),
}

impl<'a> TopicNames<'a> {
    /// None.
    pub const NONE: Self = Self(Names::Listed(&[]));

    /// These.
    #[must_use]
    pub fn listed(names: &'a [&'a [u8]]) -> Self {
        Self(Names::Listed(names))
    }

    pub(crate) fn given(names: &'a [Bytes]) -> Self {
        Self(Names::Given(names))
    }

    pub(super) fn packed(bytes: &'a [u8]) -> Self {
        Self(Names::Packed(bytes))
    }

    /// In the order they were bound.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || match &mut rest {
            Names::Packed(bytes) => {
                let (length, behind) = bytes.split_first()?;
                let (name, behind) = behind.split_at_checked(usize::from(*length))?;
                *bytes = behind;
                Some(name)
            }
            Names::Listed(names) => {
                let (name, behind) = names.split_first()?;
                *names = behind;
                Some(*name)
            }
            Names::Given(names) => {
                let (name, behind) = names.split_first()?;
                *names = behind;
                Some(&name[..])
            }
        })
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.iter().any(|one| one == name)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self.0 {
            Names::Packed(bytes) => bytes.is_empty(),
            Names::Listed(names) => names.is_empty(),
            Names::Given(names) => names.is_empty(),
        }
    }
}

impl PartialEq for TopicNames<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for TopicNames<'_> {}
