//! Closing an incarnation, and removing what it leaves behind.

use super::{Closing, ClosingCause};
use crate::{CloseInstance, Event, Incarnation, Rejection, Reply, State, check, limits, session::OwnerId};

impl State {
    pub(crate) fn close_instance(
        &mut self,
        close: &CloseInstance,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        check::reason(&close.reason)?;
        let id = self.open_id(close.incarnation)?;
        self.close(id, ClosingCause::Closed, &close.reason, events);
        Ok(Reply::Closed)
    }

    pub(crate) fn expire(&mut self, incarnation: Incarnation, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let id = self.open_id(incarnation)?;
        self.close(id, ClosingCause::Expired, "", events);
        Ok(Reply::Closed)
    }

    pub(crate) fn open_id(&self, incarnation: Incarnation) -> Result<OwnerId, Rejection> {
        self.instances.id(incarnation).ok_or(Rejection::IncarnationClosed(incarnation))
    }

    /// From here on none of its sessions answers, on any replica that has applied this.
    pub(super) fn close(&mut self, id: OwnerId, cause: ClosingCause, reason: &str, events: &mut Vec<Event>) {
        let Some(owner) = self.instances.owner(id) else { return };
        let (instance, rows, at) = (owner.instance.clone(), owner.sessions.len(), self.clock.revision);
        self.instances.open.remove(&instance.incarnation);
        if let Some(ids) = self.instances.names.get_mut(&instance.service) {
            ids.remove(&instance.id);
            if ids.is_empty() {
                self.instances.names.remove(&instance.service);
            }
        }
        self.instances.change(id, |owner| owner.close(at));
        self.instances.live -= rows;
        if rows == 0 {
            self.instances.forget(id);
        } else {
            self.instances.closed.insert((at, instance.incarnation), id);
        }
        self.instances.push_closing(Closing::of(&instance, at, cause, reason));
        events.push(Event::IncarnationClosed(instance.incarnation));
        if !events.contains(&Event::Instances) {
            events.push(Event::Instances);
        }
    }

    /// Removes rows of closed owners: the owner closed first first, of each the oldest registration first.
    pub(crate) fn reap(&mut self) -> Reply {
        let mut removed = 0;
        while removed < limits::REAP_SLICE {
            let Some(id) = self.instances.closed.values().next().copied() else { break };
            match self.instances.owner(id).and_then(|owner| owner.sessions.head()) {
                Some(row) => self.sessions.remove(&mut self.instances, row),
                None => self.instances.forget(id),
            }
            removed += 1;
        }
        Reply::Reaped { removed, more: self.reap_pending() }
    }

    /// Whether rows of closed incarnations wait for `Reap`.
    #[must_use]
    pub fn reap_pending(&self) -> bool {
        !self.instances.closed.is_empty()
    }
}
