//! What gateways tell about how far they are, and what follows when they come and go.
//!
//! A gateway that opens without anything to register has restarted: what it held is gone, and it has finished. One
//! whose lease runs out before it has finished may come back with its connections, and is awaited again; one that
//! closes by its own wish holds nothing any more.

use std::sync::Arc;

use super::{Rebuild, RebuildGateway, RebuildProgress};
use crate::{ClosingCause, Event, OpenInstance, SessionPolicy, State, instance::Instance, session::OwnerId};

impl State {
    /// An instance has opened.
    pub(crate) fn flush_opened(&mut self, open: &OpenInstance, events: &mut Vec<Event>) {
        let Some(rebuild) = &mut self.rebuild else { return };
        rebuild.ttl_ms_max = rebuild.ttl_ms_max.max(open.ttl_ms);
        let known = rebuild.get(&open.service, &open.id);
        let (progress, total) = match open.former_state {
            Some(_) if open.flush_total > 0 => (RebuildProgress::Flushing, open.flush_total),
            Some(_) | None => match known {
                None => return,
                Some(_) => (RebuildProgress::Finished, 0),
            },
        };
        let (service, id) = (open.service.as_str().into(), open.id.as_str().into());
        rebuild.tell(RebuildGateway { service, id, progress, total, remaining: total }, events);
    }

    /// A frame says how many connections its gateway has yet to register. One that was given up stays so until it opens
    /// again.
    pub(crate) fn flush_proceeded(&mut self, owner: OwnerId, remaining: u64, events: &mut Vec<Event>) {
        let Some(rebuild) = &mut self.rebuild else { return };
        let Some(instance) = self.instances.open(owner).map(|owner| &owner.instance) else { return };
        let known = rebuild.get(&instance.service, &instance.id);
        if known.is_none() && remaining == 0 {
            return;
        }
        let total = known.map_or(0, |known| known.total).max(remaining);
        let done = known.filter(|known| known.is_done()).map(|known| known.progress);
        let progress = match remaining {
            0 => RebuildProgress::Finished,
            _ => done.unwrap_or(RebuildProgress::Flushing),
        };
        let (service, id) = (Arc::clone(&instance.service), Arc::clone(&instance.id));
        rebuild.tell(RebuildGateway { service, id, progress, total, remaining }, events);
    }

    /// An incarnation has closed.
    pub(crate) fn flush_closed(&mut self, instance: &Instance, cause: ClosingCause, events: &mut Vec<Event>) {
        let Some(rebuild) = &mut self.rebuild else { return };
        let Some(known) = rebuild.get(&instance.service, &instance.id).filter(|known| !known.is_done()) else { return };
        let progress = match cause {
            ClosingCause::Closed => RebuildProgress::Finished,
            ClosingCause::Expired | ClosingCause::Replaced | ClosingCause::Restored => RebuildProgress::Awaited,
        };
        rebuild.tell(RebuildGateway { progress, ..known.clone() }, events);
    }

    /// The policy names gateways: those that are not open are awaited, and so is none that has been here.
    pub(crate) fn flush_expected(&mut self, policy: &SessionPolicy, events: &mut Vec<Event>) {
        let Some(rebuild) = &mut self.rebuild else { return };
        for (service, id) in &policy.expected {
            if rebuild.get(service, id).is_some() {
                continue;
            }
            let awaited = RebuildGateway::awaited(service, id);
            let is_open = self.instances.named(service, id).is_some();
            let progress = if is_open { RebuildProgress::Finished } else { RebuildProgress::Awaited };
            rebuild.tell(RebuildGateway { progress, ..awaited }, events);
        }
    }
}

impl Rebuild {
    fn tell(&mut self, gateway: RebuildGateway, events: &mut Vec<Event>) {
        if self.get(&gateway.service, &gateway.id) == Some(&gateway) {
            return;
        }
        if self.put(gateway) && !events.contains(&Event::Rebuild) {
            events.push(Event::Rebuild);
        }
    }
}
