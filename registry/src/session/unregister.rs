//! Giving a key up, and the fence that guards every later change of a session.

use super::{Entry, OwnerId, RowId, register::check_key};
use crate::{Epoch, OperationResult, Rejection, SessionKey, State, Unregister};

impl State {
    pub(crate) fn unregister(&mut self, owner: OwnerId, unregister: &Unregister) -> Result<OperationResult, Rejection> {
        check_key(&unregister.key)?;
        let (row, _) = self.fenced(owner, &unregister.key, unregister.epoch)?;
        self.sessions.remove(&mut self.instances, row);
        Ok(OperationResult::Done)
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
            Some((_, _, view)) => Err(Rejection::StaleEpoch(Some(view.holder()))),
            None => Err(Rejection::StaleEpoch(None)),
        }
    }
}
