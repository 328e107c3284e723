//! Saying what happened to a session.
//!
//! Facts are made from rows before they change: bytes are copied once, from the row into the ring.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Entry, OwnerId, RowId, Topics, absence::reason_of};
use crate::{
    Epoch, Former, OfflineReason, Place, PresenceCursor, PresenceFact, PresenceRing, PresenceWhat, State, TopicNames,
    clock::Clock,
    instance::{ClosingCause, Instances, Owner},
    limits::TOPICS_PER_SESSION_MAX,
};

/// Names of a session's topics.
pub(super) type Names<'a> = SmallVec<[&'a [u8]; TOPICS_PER_SESSION_MAX]>;

/// A registration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) user: &'a [u8],
    pub(super) slot: &'a [u8],
    pub(super) epoch: Epoch,
    pub(super) place: &'a Arc<Place>,
    pub(super) connection: &'a [u8],
}

/// For whom a fact is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// Those who follow everything, a user prefix or an instance.
    pub(super) whole: bool,
    /// The subscribers of these topics.
    pub(super) topics: TopicNames<'a>,
}

impl Scope<'_> {
    /// Nobody's view changes.
    pub(super) const NOBODY: Self = Self { whole: false, topics: TopicNames::NONE };
}

/// Puts facts into the ring.
#[derive(Debug)]
pub(super) struct Teller<'a> {
    pub(super) presence: &'a mut PresenceRing,
    pub(super) clock: &'a Clock,
}

impl<'a> Subject<'a> {
    pub(super) fn of(entry: Entry<'a>, instances: &'a Instances) -> Option<Self> {
        let Owner { place, .. } = instances.owner(entry.row.owner())?;
        let (user, slot, connection) = (entry.user(), entry.slot(), entry.connection());
        Some(Self { user, slot, epoch: entry.row.epoch(), place, connection })
    }

    fn as_former(&self) -> Former<'a> {
        Former { place: self.place, epoch: self.epoch, connection: self.connection }
    }
}

/// What those hear who saw the former registration, and now see another one in its place.
pub(super) fn replaced<'a>(former: &Subject<'a>, by: &Subject<'_>) -> PresenceWhat<'a> {
    if former.place.incarnation == by.place.incarnation {
        PresenceWhat::Reconnected(former.as_former())
    } else {
        PresenceWhat::Moved(former.as_former())
    }
}

impl Teller<'_> {
    /// A fact that is for nobody is not told.
    pub(super) fn tell(&mut self, subject: &Subject<'_>, scope: Scope<'_>, what: PresenceWhat<'_>) {
        if scope.whole || !scope.topics.is_empty() {
            self.note(subject, scope, what);
        }
    }

    /// Also one that is for nobody's view.
    pub(super) fn note(&mut self, subject: &Subject<'_>, scope: Scope<'_>, what: PresenceWhat<'_>) -> PresenceCursor {
        let cursor = self.presence.next(self.clock);
        let Subject { user, slot, epoch, place, connection } = *subject;
        let (at, Scope { whole, topics }) = (self.clock.time, scope);
        self.presence.push(&PresenceFact { cursor, at, user, slot, epoch, place, connection, whole, topics, what });
        cursor
    }
}

impl Topics {
    pub(super) fn names_of<'a>(&'a self, entry: Entry<'a>) -> Names<'a> {
        entry.topics().map(|topic| self.name(topic)).collect()
    }
}

impl State {
    /// An incarnation closes, and every session that it holds drops at once: one fact without a key, for nobody's view.
    /// What subscribers see of each session is told by the sweeps.
    pub(crate) fn tell_closing(&mut self, owner: OwnerId, cause: ClosingCause) {
        let Self { instances, presence, clock, .. } = self;
        let Some(Owner { place, .. }) = instances.owner(owner) else { return };
        let subject = Subject { user: b"", slot: b"", epoch: Epoch::default(), place, connection: b"" };
        Teller { presence, clock }.note(&subject, Scope::NOBODY, PresenceWhat::Dropped(reason_of(cause)));
    }

    /// Ends a live session: offline for everybody who sees it.
    pub(crate) fn end_session(&mut self, row: RowId, reason: OfflineReason<'_>) {
        let Self { sessions, instances, presence, clock, .. } = self;
        let Some(entry) = sessions.rows.get(row) else { return };
        if let Some(subject) = Subject::of(entry, instances) {
            let names = sessions.topics.names_of(entry);
            let scope = Scope { whole: true, topics: TopicNames::listed(&names) };
            Teller { presence, clock }.tell(&subject, scope, PresenceWhat::Offline(reason));
        }
        self.sessions.remove(&mut self.instances, row);
    }
}
