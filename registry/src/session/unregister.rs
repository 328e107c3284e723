//! Giving a key up, and the fence that guards every later change of a session.
//!
//! A device that said good-bye is offline at once. One whose connection dropped lingers for the grace of its topics: it
//! answers nothing, but its row stays, with the moment it dropped, until it is back or the grace has passed.

use smallvec::SmallVec;

use super::{
    Content, Dropped, Entry, OwnerId, RowId,
    register::check_key,
    tell::{Names, Scope, Subject, Teller},
};
use crate::{
    Epoch, OfflineReason, OperationResult, PresenceWhat, Rejection, SessionKey, State, TopicNames, Unregister,
    UnregisterCause, limits::TOPICS_PER_SESSION_MAX, planted,
};

impl State {
    pub(crate) fn unregister(&mut self, owner: OwnerId, unregister: &Unregister) -> Result<OperationResult, Rejection> {
        check_key(&unregister.key)?;
        let (row, entry) = self.fenced(owner, &unregister.key, unregister.epoch)?;
        match unregister.cause {
            UnregisterCause::Left => self.end_session(row, OfflineReason::Left),
            UnregisterCause::Lost if self.lingers(entry) => self.drop_session(row),
            UnregisterCause::Lost => self.end_session(row, OfflineReason::Lost),
        }
        Ok(OperationResult::Done)
    }

    /// Whether anybody waits for it.
    fn lingers(&self, entry: Entry<'_>) -> bool {
        let names = self.sessions.topics.names_of(entry);
        self.policies.graces.longest(names.iter().copied()) > 0
    }

    /// From here on it lingers.
    fn drop_session(&mut self, row: RowId) {
        let Self { sessions, instances, presence, clock, policies, .. } = self;
        let Some(entry) = sessions.rows.get(row) else { return };
        let Some(subject) = Subject::of(entry, instances) else { return };
        let (graces, mut teller) = (&policies.graces, Teller { presence, clock });
        let mut names: Names<'_> = sessions.topics.names_of(entry);
        names.retain(|name| graces.of_topic(name) == 0);
        let cursor = teller.note(&subject, Scope::NOBODY, PresenceWhat::Dropped(OfflineReason::Lost));
        let scope = Scope { whole: false, topics: TopicNames::listed(&names) };
        teller.tell(&subject, scope, PresenceWhat::Offline(OfflineReason::Lost));
        let dropped = Dropped { cursor, at: clock.time, graces: graces.number };
        drop(names);
        let topics: SmallVec<[_; TOPICS_PER_SESSION_MAX]> = entry.topics().collect();
        let text = entry.copied();
        let content = Content { dropped: Some(dropped), topics: &topics, ..text.content(entry) };
        topics.iter().for_each(|topic| sessions.topics.acquire_again(*topic));
        sessions.lingering.open(graces);
        sessions.put(instances, Some(row), &content);
    }

    /// The session, if it is still the registration that the epoch is of. An epoch is never issued twice, so one that
    /// matches belongs to the asking incarnation, unless it was guessed: that is refused like a stale one.
    pub(super) fn fenced(
        &self,
        owner: OwnerId,
        key: &SessionKey,
        epoch: Epoch,
    ) -> Result<(RowId, Entry<'_>), Rejection> {
        let found = self.sessions.find(&key.user, &key.slot);
        let live = found.and_then(|(row, entry)| Some((row, entry, self.sessions.view(&self.instances, entry)?)));
        match live {
            Some((row, entry, _)) if entry.row.epoch() == epoch && entry.row.owner() == owner => Ok((row, entry)),
            Some((row, entry, _)) if planted!("stale-epoch") => Ok((row, entry)),
            Some((_, _, view)) => Err(Rejection::StaleEpoch(Some(view.holder()))),
            None => Err(Rejection::StaleEpoch(None)),
        }
    }
}
