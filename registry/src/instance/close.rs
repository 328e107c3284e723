//! Closing an incarnation.
//!
//! One entry, whatever it holds: the mark on the owner is what makes its sessions answer nothing, and its sweeps begin
//! with one note of when. Only the topics that the policy bounds are looked at one by one, and the paths it read if
//! nobody else of its kind is left.

use std::sync::Arc;

use super::{Closed, Closing, ClosingCause};
use crate::{CloseInstance, Epoch, Event, Incarnation, Rejection, Reply, Stamp, State, check, session::OwnerId};

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
    pub(crate) fn close(&mut self, id: OwnerId, cause: ClosingCause, reason: &str, events: &mut Vec<Event>) {
        let Some(closed) = self.closed(id, cause) else { return };
        let Some(owner) = self.instances.owner(id) else { return };
        let (instance, rows) = (owner.instance.clone(), owner.sessions.len());
        let at = Stamp { revision: self.clock.revision, time: self.clock.time };
        self.sessions.forget_topics(&owner.topics);
        if rows > 0 {
            self.tell_closing(id, cause);
        }
        self.instances.open.remove(&instance.incarnation);
        if let Some(ids) = self.instances.names.get_mut(&instance.service) {
            ids.remove(&instance.id);
            if ids.is_empty() {
                self.instances.names.remove(&instance.service);
            }
        }
        self.consumers.leave(instance.incarnation, self.clock.revision);
        self.instances.change(id, |owner| owner.close(closed));
        self.instances.live -= rows;
        self.instances.await_sweep(id);
        self.instances.push_closing(Closing::of(&instance, at, cause, reason));
        self.flush_closed(&instance, cause, events);
        events.push(Event::IncarnationClosed(instance.incarnation));
        if !events.contains(&Event::Instances) {
            events.push(Event::Instances);
        }
    }

    fn closed(&self, id: OwnerId, cause: ClosingCause) -> Option<Closed> {
        let owner = self.instances.open(id)?;
        let graces = Arc::clone(&self.policies.graces);
        let is_bound =
            |name: &&Arc<[u8]>| self.sessions.topics().find(name).is_some_and(|topic| owner.topics.get(topic) > 0);
        let named = graces.topics.iter().filter(|(name, _)| is_bound(name)).map(|(_, grace_ms)| *grace_ms);
        let mut stages: Vec<_> = named.chain([graces.default_ms]).collect();
        stages.sort_unstable();
        stages.dedup();
        Some(Closed {
            revision: self.clock.revision,
            at: self.clock.time,
            cause,
            stages: stages.into(),
            graces,
            stage: 0,
            after: Epoch::default(),
            next: owner.sessions.first(),
        })
    }
}
