//! Ending a user's sessions from outside.
//!
//! Done at once for the registry: the sessions no longer answer. The gateways that hold the connections are told by
//! notices.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;

use super::RowId;
use crate::{
    Event, Kick, Kicked, Rejection, Reply, SessionKey, State, check, limits,
    notice::{NoticeCause, NoticeFact},
};

impl State {
    pub(crate) fn kick(&mut self, kick: &Kick, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        check::bytes("user", &kick.user, limits::USER_BYTES_MAX)?;
        if let Some(slot) = &kick.slot {
            check::size("slot", slot.len(), limits::SLOT_BYTES_MAX)?;
        }
        check::reason(&kick.reason)?;
        check::author(&kick.author)?;

        let found = self.kicked_by(kick);
        if found.is_empty() {
            return Err(Rejection::NotFound { what: "session" });
        }
        let (reason, author): (Arc<str>, Arc<str>) = (kick.reason.as_str().into(), kick.author.as_str().into());
        let mut told = BTreeSet::new();
        for (row, Kicked { key, holder }) in &found {
            if let Some(owner) = self.instances.id(holder.incarnation) {
                let cause = NoticeCause::Kicked { reason: Arc::clone(&reason), author: Arc::clone(&author) };
                let fact = NoticeFact::new(key, holder, cause);
                self.notices.push(&mut self.instances, &self.clock, owner, fact);
            }
            told.insert(holder.incarnation);
            self.sessions.remove(&mut self.instances, *row);
        }
        events.extend(told.into_iter().map(Event::Notice));
        Ok(Reply::Kicked(found.into_iter().map(|(_, kicked)| kicked).collect()))
    }

    /// Sorted by slot.
    fn kicked_by(&self, kick: &Kick) -> Vec<(RowId, Kicked)> {
        let mut found: Vec<_> = self
            .sessions
            .of_user(&kick.user)
            .filter(|(_, entry)| kick.slot.as_deref().is_none_or(|slot| entry.slot() == slot))
            .filter_map(|(row, entry)| {
                let holder = self.sessions.view(&self.instances, entry)?.holder();
                let (user, slot) = (Bytes::copy_from_slice(entry.user()), Bytes::copy_from_slice(entry.slot()));
                Some((row, Kicked { key: SessionKey { user, slot }, holder }))
            })
            .collect();
        found.sort_unstable_by(|(_, a), (_, b)| a.key.slot.cmp(&b.key.slot));
        found
    }
}
