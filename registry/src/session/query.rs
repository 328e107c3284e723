//! Looking sessions up.

use super::{Entry, SessionView, absence::Known};
use crate::{LogTime, OfflineReason, State};

/// A session that is not live, and may come back.
#[derive(Debug, Clone, Copy)]
pub struct Formerly<'a> {
    /// Who held it last.
    pub session: SessionView<'a>,
    /// What became of it.
    pub state: FormerState,
}

/// What became of a session that may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormerState {
    /// The connection or its gateway is gone, and the grace has not passed.
    Lingering {
        /// The end of the longest grace of its topics.
        until: LogTime,
    },
    /// From a backup; not registered again yet.
    Unconfirmed,
}

impl State {
    /// The live session of this key.
    #[must_use]
    pub fn session(&self, user: &[u8], slot: &[u8]) -> Option<SessionView<'_>> {
        let (_, entry) = self.sessions.find(user, slot)?;
        self.sessions.view(&self.instances, entry)
    }

    /// The live sessions of this user, sorted by slot.
    #[must_use]
    pub fn sessions_of(&self, user: &[u8]) -> Vec<SessionView<'_>> {
        let entries = self.sessions.of_user(user);
        let mut views: Vec<_> = entries.filter_map(|(_, entry)| self.sessions.view(&self.instances, entry)).collect();
        views.sort_unstable_by_key(SessionView::slot);
        views
    }

    /// The session of this key that is not live, and may come back.
    #[must_use]
    pub fn formerly(&self, user: &[u8], slot: &[u8]) -> Option<Formerly<'_>> {
        let (_, entry) = self.sessions.find(user, slot)?;
        self.former(entry)
    }

    /// The sessions of this user that are not live, and may come back; sorted by slot.
    #[must_use]
    pub fn formerly_of(&self, user: &[u8]) -> Vec<Formerly<'_>> {
        let mut found: Vec<_> = self.sessions.of_user(user).filter_map(|(_, entry)| self.former(entry)).collect();
        found.sort_unstable_by_key(|formerly| formerly.session.slot());
        found
    }

    fn former<'a>(&'a self, entry: Entry<'a>) -> Option<Formerly<'a>> {
        let absence = self.absence(entry)?;
        let session = self.sessions.view_of(&self.instances, entry)?;
        let state = match absence.whole(session.topics(), self.clock.time) {
            Known::Told | Known::Due => return None,
            Known::Waiting(None) if absence.reason == OfflineReason::Unconfirmed => FormerState::Unconfirmed,
            Known::Waiting(until) => FormerState::Lingering { until: until? },
        };
        Some(Formerly { session, state })
    }
}
