//! Not waiting any longer.

use super::{RebuildGateway, RebuildProgress};
use crate::{Event, GiveUp, Rejection, Reply, State, check, limits};

impl State {
    /// All of the gateways named, or none. When none is named, the registry is whole: whoever asks knows that nothing
    /// is to come.
    pub(crate) fn give_up(&mut self, give_up: &GiveUp, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        check::size("instances", give_up.instances.len(), limits::GIVE_UP_MAX)?;
        check::author(&give_up.author)?;
        let Some(rebuild) = &mut self.rebuild else { return Err(Rejection::NotFound { what: "rebuild" }) };
        let known: Option<Vec<_>> =
            give_up.instances.iter().map(|(service, id)| rebuild.get(service, id).cloned()).collect();
        let known = known.ok_or(Rejection::NotFound { what: "gateway" })?;
        for gateway in known.into_iter().filter(|gateway| !gateway.is_done()) {
            rebuild.put(RebuildGateway { progress: RebuildProgress::GivenUp, ..gateway });
        }
        if give_up.instances.is_empty() {
            self.rebuild = None;
        }
        events.push(Event::Rebuild);
        Ok(Reply::GivenUp)
    }
}
