//! Notices: what happened to the sessions of an incarnation that it did not do itself.
//!
//! A bounded ring of facts, replicated, so that any node can tell a gateway what it missed from its cursor on, also
//! after a failover. Each open incarnation has an index of its own facts. When the ring overflows, its oldest facts go,
//! and the floor of the incarnation they were for rises: below it a reader is told to compare by itself. A fact
//! outlives the closing of its incarnation only in the ring, where nobody reads it.
//!
//! A gateway that has acted upon notices says so with its next frame: the cursor it names is kept with its incarnation,
//! and whoever waits for the connections of a kick to be closed compares against that (`session::kick_job`). A gateway
//! below the floor compares by itself first, and then names the cursor it was reset to.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Epoch, Holder, Incarnation, Revision, SessionKey, State,
    clock::Clock,
    digest::{Digest, Kind, Sum},
    instance::Instances,
    limits,
    ring::Ring,
    session::OwnerId,
};

/// A place in the order of facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeCursor {
    /// Of the entry the fact is from.
    pub revision: Revision,
    /// Counts the facts of one entry from 1.
    pub position: u32,
}

/// A session that ended against its owner's will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Where it stands in the order of facts.
    pub cursor: NoticeCursor,
    /// Who is told: the former owner.
    pub incarnation: Incarnation,
    /// Which session.
    pub key: SessionKey,
    /// Of the registration that ended.
    pub epoch: Epoch,
    /// The former owner's name for its connection.
    pub connection: Bytes,
    /// Why.
    pub cause: NoticeCause,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeCause {
    /// Another incarnation registered the key.
    DisplacedBy(Holder),
    /// Somebody ended it.
    Kicked {
        /// In whose words.
        reason: Arc<str>,
        /// Who.
        author: Arc<str>,
    },
}

/// The answer to a reader of notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notices<'a> {
    /// Facts after the cursor, in order.
    Page {
        /// At most as many as asked for.
        notices: Vec<&'a Notice>,
        /// Where to go on.
        next: NoticeCursor,
    },
    /// Facts after the cursor are gone: compare your own sessions with lookups, then go on from `next`.
    Reset {
        /// Where to go on.
        next: NoticeCursor,
    },
    /// The incarnation is closed.
    Closed,
}

impl Notice {
    fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Notice)
            .number(self.cursor.revision.0)
            .number(u64::from(self.cursor.position))
            .number(self.incarnation.0)
            .key(&self.key)
            .epoch(self.epoch)
            .bytes(&self.connection);
        match &self.cause {
            NoticeCause::DisplacedBy(holder) => digest.number(1).holder(holder),
            NoticeCause::Kicked { reason, author } => digest.number(2).text(reason).text(author),
        }
        .finish()
    }

    /// As every node counts it, whatever its compiler makes of the type.
    fn bytes(&self) -> usize {
        let cause = match &self.cause {
            NoticeCause::DisplacedBy(holder) => holder.connection.len(),
            NoticeCause::Kicked { reason, author } => reason.len() + author.len(),
        };
        limits::NOTICE_BYTES_FIXED + self.key.user.len() + self.key.slot.len() + self.connection.len() + cause
    }
}

/// A fact without its place in the order.
#[derive(Debug)]
pub(crate) struct NoticeFact {
    key: SessionKey,
    epoch: Epoch,
    connection: Bytes,
    cause: NoticeCause,
}

impl NoticeFact {
    /// Copies what it keeps: a command's bytes may be a slice of a large buffer.
    pub(crate) fn new(key: &SessionKey, holder: &Holder, cause: NoticeCause) -> Self {
        Self {
            key: SessionKey { user: Bytes::copy_from_slice(&key.user), slot: Bytes::copy_from_slice(&key.slot) },
            epoch: holder.epoch,
            connection: holder.connection.clone(),
            cause,
        }
    }
}

/// The ring of facts.
#[derive(Debug, Default)]
pub(crate) struct NoticeRing {
    ring: Ring<Notice>,
    bytes: usize,
    /// Of the newest fact there ever was.
    pub(crate) latest: NoticeCursor,
    sum: Sum,
}

impl NoticeRing {
    pub(crate) fn sum(&self) -> u64 {
        self.sum.value()
    }

    pub(crate) fn ring(&self) -> &Ring<Notice> {
        &self.ring
    }

    /// Where the fact stands; nobody is told when the owner is not open.
    pub(crate) fn push(
        &mut self,
        instances: &mut Instances,
        clock: &Clock,
        owner: OwnerId,
        fact: NoticeFact,
    ) -> NoticeCursor {
        let open = instances.open(owner);
        let Some(incarnation) = open.map(|owner| owner.instance.incarnation) else { return self.latest };
        let position = if self.latest.revision == clock.revision { self.latest.position.saturating_add(1) } else { 1 };
        let cursor = NoticeCursor { revision: clock.revision, position };
        let NoticeFact { key, epoch, connection, cause } = fact;
        self.latest = cursor;
        self.append(instances, Notice { cursor, incarnation, key, epoch, connection, cause });
        while self.ring.len() > limits::NOTICES_KEPT || self.bytes > limits::NOTICE_BYTES_KEPT {
            self.drop_oldest(instances);
        }
        cursor
    }

    /// Appends a fact that has its place in the order.
    pub(crate) fn append(&mut self, instances: &mut Instances, notice: Notice) {
        let owner = instances.id(notice.incarnation);
        self.bytes += notice.bytes();
        self.sum.add(notice.digest());
        let number = self.ring.push(notice);
        if let Some(owner) = owner.and_then(|owner| instances.owner_mut(owner)) {
            owner.notices.push_back(number);
        }
    }

    fn drop_oldest(&mut self, instances: &mut Instances) {
        let Some((_, oldest)) = self.ring.oldest() else { return };
        self.bytes -= oldest.bytes();
        self.sum.subtract(oldest.digest());
        if let Some(owner) = instances.id(oldest.incarnation) {
            let floor = oldest.cursor;
            instances.change(owner, |owner| {
                owner.notices.pop_front();
                owner.notices_floor = floor;
            });
        }
        self.ring.pop();
    }
}

impl State {
    /// Notices for an incarnation after a cursor; the default cursor stands before everything.
    #[must_use]
    pub fn notices_since(&self, incarnation: Incarnation, cursor: NoticeCursor, limit: usize) -> Notices<'_> {
        let Some(owner) = self.instances.id(incarnation).and_then(|id| self.instances.open(id)) else {
            return Notices::Closed;
        };
        if cursor < owner.notices_floor {
            return Notices::Reset { next: self.notices.latest };
        }
        let ring = &self.notices.ring;
        let is_told = |number: &u64| ring.get(*number).is_none_or(|notice| notice.cursor <= cursor);
        let start = owner.notices.partition_point(is_told);
        let numbers = owner.notices.range(start..).take(limit);
        let notices: Vec<_> = numbers.filter_map(|number| ring.get(*number)).collect();
        let next = notices.last().map_or(cursor, |last| last.cursor);
        Notices::Page { notices, next }
    }

    /// Up to where an open incarnation has acted upon its notices.
    #[must_use]
    pub fn notices_confirmed(&self, incarnation: Incarnation) -> Option<NoticeCursor> {
        let owner = self.instances.open(self.instances.id(incarnation)?)?;
        Some(owner.confirmed)
    }

    pub(crate) fn holder_of(&self, owner: OwnerId, connection: &[u8], epoch: Epoch) -> Holder {
        let instance = self.instances.owner(owner).map(|owner| &owner.instance);
        Holder {
            service: instance.map_or_else(|| "".into(), |instance| Arc::clone(&instance.service)),
            instance: instance.map_or_else(|| "".into(), |instance| Arc::clone(&instance.id)),
            incarnation: instance.map_or_else(Incarnation::default, |instance| instance.incarnation),
            connection: Bytes::copy_from_slice(connection),
            epoch,
        }
    }
}
