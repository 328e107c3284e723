//! Looking sessions up.

use super::SessionView;
use crate::State;

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
}
