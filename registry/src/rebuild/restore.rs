//! Beginning another history with what a backup held.
//!
//! The work grows with the number of open instances, not with that of sessions: their rows stay where they are, in the
//! lists of owners that are closed from here on.

use std::sync::Arc;

use super::{Rebuild, RebuildGateway};
use crate::{ClosingCause, Event, Rejection, Reply, State, StateId};

impl State {
    /// Refused when the state has this name already: a leader that proposes it twice has restored once.
    pub(crate) fn restore(&mut self, state: StateId, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        if self.clock.state == Some(state) {
            return Err(Rejection::AlreadyFounded(state));
        }
        let ttl_ms_max = self.instances.open_owners().map(|owner| owner.instance.ttl_ms).max();
        let mut rebuild = Rebuild::new(self.clock.time, ttl_ms_max.unwrap_or_default());
        // Whom the backup itself still waited for.
        let before = self.rebuild.take();
        let awaited = before.iter().flat_map(Rebuild::gateways).filter(|gateway| !gateway.is_done());
        for gateway in awaited {
            rebuild.put(RebuildGateway::awaited(&gateway.service, &gateway.id));
        }
        for owner in self.instances.open_owners().filter(|owner| owner.sessions.len() > 0) {
            rebuild.put(RebuildGateway::awaited(&owner.instance.service, &owner.instance.id));
        }
        for id in self.instances.open_ids() {
            self.close(id, ClosingCause::Restored, "", events);
        }
        self.pause_rollouts(events);
        self.clock.state = Some(state);
        self.rebuild = Some(rebuild);
        let policy = Arc::clone(&self.policies.current);
        self.flush_expected(&policy, events);
        if !events.contains(&Event::Rebuild) {
            events.push(Event::Rebuild);
        }
        Ok(Reply::Restored(state))
    }
}
