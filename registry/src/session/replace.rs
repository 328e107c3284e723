//! What a register says to those who see the session.
//!
//! Each of them sees the registration before, or does not: nobody was there; or it was told offline already; or it
//! should have been told and is told now, so that offline always comes before the next online. Those who saw it hear of
//! a move or of a new connection; those who did not hear that it is online; and those whose topic is no longer bound
//! hear that it is gone. That makes one fact as a rule, and never more than four.

use super::{
    Entry,
    absence::{Absence, Known},
    register::Taken,
    tell::{Names, Scope, Subject, Teller, replaced},
};
use crate::{OfflineReason, PresenceWhat, Register, SessionKey, State, TopicNames, instance::Instances};

/// Which of those who look at a session hear the same.
#[derive(Debug, Default)]
struct Views<'a> {
    whole: bool,
    topics: Names<'a>,
}

impl Views<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope { whole: self.whole, topics: TopicNames::listed(&self.topics) }
    }
}

impl State {
    /// Before the row is written.
    pub(super) fn tell_register(&mut self, register: &Register, taken: &Taken<'_>) {
        let Self { sessions, instances, presence, clock, .. } = self;
        let Some(subject) = subject(register, taken, instances) else { return };
        let what = match taken.old {
            None => PresenceWhat::Online,
            Some(old) => {
                let same = |entry: &Entry<'_>| old.is_live && entry.topics().eq(taken.topics.iter().copied());
                let former = sessions.rows.get(old.row).filter(same);
                let Some(former) = former.and_then(|entry| Subject::of(entry, instances)) else {
                    return self.tell_change(register, taken);
                };
                replaced(&former, &subject)
            }
        };
        let scope = Scope { whole: true, topics: TopicNames::given(&register.topics) };
        Teller { presence, clock }.tell(&subject, scope, what);
    }

    /// Not all who look at it hear the same.
    #[inline(never)]
    fn tell_change(&mut self, register: &Register, taken: &Taken<'_>) {
        let Some(entry) = taken.old.and_then(|old| self.sessions.rows.get(old.row)) else { return };
        let (absence, now) = (self.absence(entry), self.clock.time);
        let names = self.sessions.topics.names_of(entry);
        let known = |known: Option<Known>| known.unwrap_or(Known::Waiting(None));
        let whole = known(absence.as_ref().map(|absence| absence.whole(names.iter().copied(), now)));
        let bound: Names<'_> = register.topics.iter().map(|name| &name[..]).collect();
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

        let Self { instances, presence, clock, .. } = self;
        let (subject, former) = (subject(register, taken, instances), Subject::of(entry, instances));
        let (Some(subject), Some(former), mut teller) = (subject, former, Teller { presence, clock }) else { return };
        teller.tell(&former, due.scope(), PresenceWhat::Offline(reason));
        teller.tell(&former, gone.scope(), PresenceWhat::Offline(OfflineReason::Unbound));
        teller.tell(&subject, seen.scope(), replaced(&former, &subject));
        teller.tell(&subject, new.scope(), PresenceWhat::Online);
    }
}

/// The new registration.
fn subject<'a>(register: &'a Register, taken: &Taken<'_>, instances: &'a Instances) -> Option<Subject<'a>> {
    let Register { key: SessionKey { user, slot }, connection, .. } = register;
    let place = &instances.owner(taken.owner)?.place;
    Some(Subject { user, slot, epoch: taken.epoch, place, connection })
}
