//! Opening an incarnation, and who is open.

use std::{cmp::Ordering, sync::Arc};

use super::{
    Changes, Closing, ClosingCause, Instance, Owner,
    descriptor::{check_open, checked_labels},
};
use crate::{Event, Incarnation, OpenInstance, Rejection, Reply, Revision, State, limits};

impl State {
    /// An open incarnation of the same name is closed first: two processes never share one.
    pub(crate) fn open_instance(&mut self, open: &OpenInstance, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        check_open(open)?;
        let labels = checked_labels(open)?;
        let former = self.instances.named(&open.service, &open.id).map(|(id, _)| id);
        match former {
            Some(former) => self.close(former, ClosingCause::Replaced, "", events),
            None if self.instances.open.len() >= limits::INSTANCES_MAX => {
                return Err(Rejection::Full { what: "instances", limit: limits::INSTANCES_MAX as u64 });
            }
            None => {}
        }
        let incarnation = Incarnation(self.instances.last.0.saturating_add(1));
        self.instances.last = incarnation;
        let instance = Instance {
            service: open.service.as_str().into(),
            id: open.id.as_str().into(),
            incarnation,
            endpoints: open.endpoints.clone(),
            zone: open.zone.clone(),
            weight: open.weight,
            labels,
            version: open.version.clone(),
            ttl_ms: open.ttl_ms,
            opened: self.clock.revision,
            opened_at: self.clock.time,
        };
        let mut owner = Owner::new(Arc::new(instance));
        owner.sessions_max = self.policies.current.sessions_max(&owner.instance.service, &owner.instance.id);
        self.instances.insert(owner);
        self.flush_opened(open, events);
        if !events.contains(&Event::Instances) {
            events.push(Event::Instances);
        }
        Ok(Reply::Opened { incarnation })
    }

    /// The incarnation, if it is open.
    #[must_use]
    pub fn instance(&self, incarnation: Incarnation) -> Option<&Arc<Instance>> {
        let owner = self.instances.open(self.instances.id(incarnation)?)?;
        Some(&owner.instance)
    }

    /// The open incarnation of this name.
    #[must_use]
    pub fn instance_named(&self, service: &str, id: &str) -> Option<&Arc<Instance>> {
        self.instances.named(service, id).map(|(_, owner)| &owner.instance)
    }

    /// Open incarnations, sorted by service and id.
    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        let services = self.instances.names.keys();
        services.flat_map(|service| self.instances.of_service(service)).map(|(_, owner)| &owner.instance)
    }

    /// How many live sessions an incarnation has.
    #[must_use]
    pub fn sessions_of_instance(&self, incarnation: Incarnation) -> u64 {
        let owner = self.instances.id(incarnation).and_then(|id| self.instances.open(id));
        owner.map_or(0, |owner| owner.sessions.len())
    }

    /// The last frame taken from an open incarnation; 0 before its first.
    #[must_use]
    pub fn frame_sequence(&self, incarnation: Incarnation) -> Option<u64> {
        let owner = self.instances.open(self.instances.id(incarnation)?)?;
        Some(owner.frames.last())
    }

    /// How an incarnation ended, while that is remembered.
    #[must_use]
    pub fn closing(&self, incarnation: Incarnation) -> Option<&Closing> {
        let mut newest_first = self.instances.closings.iter().rev().map(|(_, closing)| closing);
        newest_first.find(|closing| closing.incarnation == incarnation)
    }

    /// What happened to the set of open instances after this revision; `None` when closings after it are no longer
    /// known, and the full set is to be read.
    #[must_use]
    pub fn instances_changed_since(&self, revision: Revision) -> Option<Changes> {
        if revision < self.instances.closings_floor {
            return None;
        }
        let newest_first = self.instances.open_owners().rev().map(|owner| &owner.instance);
        let mut opened: Vec<_> = newest_first.take_while(|instance| instance.opened > revision).cloned().collect();
        opened.sort_unstable_by(|a, b| by_name(a, b));
        let newest_first = self.instances.closings.iter().rev().map(|(_, closing)| closing);
        let since = newest_first.take_while(|closing| closing.closed > revision);
        let mut closed: Vec<_> = since.filter(|closing| closing.opened <= revision).cloned().collect();
        closed.reverse();
        Some(Changes { opened, closed })
    }
}

fn by_name(a: &Instance, b: &Instance) -> Ordering {
    (&a.service, &a.id).cmp(&(&b.service, &b.id))
}
