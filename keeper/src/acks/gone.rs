//! Who read a document while somebody waited, and has gone.
//!
//! A process that dies of a value says nothing of it, and is no reader any more. Were only those counted that are open,
//! a value that kills everybody would be run with by all of nobody. So whoever was seen while it was waited is looked
//! for by name until it reads the document again.
//!
//! **Who closes in order is not waited for,** as no stage of a rollout waits for it: it is told, because it has not
//! said that it ran with the value either, and a wait does not end well when nobody else is left. Whoever applied the
//! value before it went has said all that was asked, and whoever refused it is not forgotten.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keeper_registry::{ClosingCause, Incarnation, Instance, State};

use super::{Ack, Standing, Wait};

/// A reader that has gone without having said that it runs with what was waited for.
#[derive(Debug, Clone)]
pub struct Gone {
    /// Which.
    pub instance: Arc<Instance>,
    /// That it refused what was waited for.
    pub refusal: Option<Ack>,
    /// How it went.
    pub how: Leave,
}

/// How a reader went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Its lease ran out.
    Expired,
    /// One of its name has opened since, and has not said that it reads the document.
    Replaced,
    /// It closed in order, or an admin closed it.
    Closed,
}

/// Who was seen reading, by service and id. As large as the readers are many.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    seen: BTreeMap<(Arc<str>, Arc<str>), Reader>,
}

#[derive(Debug)]
struct Reader {
    instance: Arc<Instance>,
    has_applied: bool,
    /// Who has closed says nothing more, and does not close once more.
    gone: Option<Gone>,
}

impl Crowd {
    /// Takes a look: those who have gone, by name. `said` is what an incarnation said last, open or not.
    pub(super) fn follow(
        &mut self,
        state: &State,
        standings: &[Standing],
        wait: &Wait,
        said: impl Fn(Incarnation) -> Option<Ack>,
    ) -> Vec<Gone> {
        let mut present = BTreeSet::new();
        for standing in standings {
            let instance = Arc::clone(&standing.instance);
            present.insert(instance.incarnation);
            let name = (Arc::clone(&instance.service), Arc::clone(&instance.id));
            self.seen.insert(name, Reader { instance, has_applied: wait.is_reached_by(standing), gone: None });
        }
        let mut gone = Vec::new();
        self.seen.retain(|name, reader| {
            if present.contains(&reader.instance.incarnation) {
                return true;
            }
            if !reader.has_applied && reader.gone.is_none() {
                let said = said(reader.instance.incarnation);
                reader.has_applied = said.as_ref().is_some_and(|ack| wait.is_applied(ack));
                let refusal = said.filter(|ack| wait.is_refused(ack));
                let how = leave(state, name, reader.instance.incarnation);
                // It is open and reads it no more, which takes no refusal back.
                let how = how.or_else(|| refusal.as_ref().map(|_| Leave::Closed));
                reader.gone = how.map(|how| Gone { instance: Arc::clone(&reader.instance), refusal, how });
            }
            gone.extend(reader.gone.clone().filter(|_| !reader.has_applied));
            !reader.has_applied && reader.gone.is_some()
        });
        gone.sort_by_key(|it| it.how);
        gone
    }
}

impl Gone {
    /// Whether it counts as one that is missing, until it is back: who closed in order does not, unless it refused.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.how != Leave::Closed || self.refusal.is_some()
    }
}

/// How an incarnation that reads no more has gone; none: it has not.
fn leave(state: &State, (service, id): &(Arc<str>, Arc<str>), incarnation: Incarnation) -> Option<Leave> {
    let next = state.instance_named(service, id);
    if next.is_some_and(|next| next.incarnation == incarnation) {
        return None;
    }
    let cause = state.closing(incarnation).map(|closing| closing.cause);
    Some(match (cause, next) {
        (Some(ClosingCause::Closed), _) => Leave::Closed,
        (Some(ClosingCause::Replaced), _) | (_, Some(_)) => Leave::Replaced,
        (Some(ClosingCause::Expired | ClosingCause::Restored) | None, None) => Leave::Expired,
    })
}
