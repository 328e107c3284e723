//! What a register says to those who see the session.
//!
//! Each of them sees the registration before, or does not: nobody was there; or it was told offline already; or it should
//! have been told and is told now, so that offline always comes before the next online. Those who saw it hear of a move
//! or of a new connection; those who did not hear that it is online; and those whose topic is no longer bound hear that
//! it is gone. That makes one fact as a rule, and never more than four.

use super::{
    absence::{Absence, Known},
    register::Taken,
    tell::{Names, Scope, Subject, Teller, replaced},
};
use crate::{OfflineReason, PresenceWhat, Register, State};

/// Which of those who look at a session hear the same.
#[derive(Debug, Default)]
struct Views<'a> {
    whole: bool,
    topics: Names<'a>,
}

impl Views<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope { whole: self.whole, topics: &self.topics }
    }
}

impl State {
    /// Before the row is written.
    pub(super) fn tell_register(&mut self, register: &Register, taken: &Taken<'_>) {
        let absent = taken.old.filter(|old| !old.is_live);
        let absence = absent.and_then(|old| self.absence(self.sessions.rows.get(old.row)?));
        let Self { sessions, instances, presence, clock, .. } = self;
        let (now, present) = (clock.time, taken.old.and_then(|old| sessions.rows.get(old.row)));
        let Some(place) = instances.owner(taken.owner).map(|owner| &owner.place) else { return };
        let (user, slot, connection) = (&register.key.user[..], &register.key.slot[..], &register.connection[..]);
        let subject = Subject { user, slot, epoch: taken.epoch, place, connection };
        let bound: Names<'_> = register.topics.iter().map(|name| &name[..]).collect();
        let mut teller = Teller { presence, clock };
        let present = present.and_then(|entry| Some((entry, Subject::of(entry, instances)?)));
        let Some((entry, former)) = present else {
            teller.tell(&subject, Scope { whole: true, topics: &bound }, PresenceWhat::Online);
            return;
        };
        if absence.is_none() && entry.topics().eq(taken.topics.iter().copied()) {
            teller.tell(&subject, Scope { whole: true, topics: &bound }, replaced(&former, &subject));
            return;
        }

        let names = sessions.topics.names_of(entry);
        let known = |known: Option<Known>| known.unwrap_or(Known::Waiting(None));
        let whole = known(absence.as_ref().map(|absence| absence.whole(names.iter().copied(), now)));
        let (mut due, mut gone, mut seen) = (Views::default(), Views::default(), Views::default());
        (due.whole, seen.whole) = (whole == Known::Due, matches!(whole, Known::Waiting(_)));
        for name in names {
            match known(absence.as_ref().map(|absence| absence.topic(name, now))) {
                Known::Told => {}
                Known::Due => due.topics.push(name),
                Known::Waiting(_) if bound.contains(&name) => seen.topics.push(name),
                Known::Waiting(_) => gone.topics.push(name),
            }
        }
        let mut new = Views { whole: !seen.whole, topics: bound };
        new.topics.retain(|name| !seen.topics.contains(name));
        let reason = absence.map_or(OfflineReason::Lost, |Absence { reason, .. }| reason);
        teller.tell(&former, due.scope(), PresenceWhat::Offline(reason));
        teller.tell(&former, gone.scope(), PresenceWhat::Offline(OfflineReason::Unbound));
        teller.tell(&subject, seen.scope(), replaced(&former, &subject));
        teller.tell(&subject, new.scope(), PresenceWhat::Online);
    }
}
