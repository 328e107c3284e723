//! Instances: which processes are alive.
//!
//! Invariants:
//! - At most one open incarnation has a given (service, id); incarnations are numbered upwards and never used twice.
//! - Closing is O(1) in the number of sessions: the mark on the owner is what makes its rows answer nothing.
//! - A closed owner is kept for as long as a session names it, and forgotten with the last. While its own list has rows
//!   it waits for a sweep: by the time its next pass is due, or, when it comes from a backup, for the end of the
//!   rebuild.
//!
//! Deliberately absent: deadlines. A lease lives in the leader's memory; the state knows only its outcome.

mod close;
mod closed;
mod closing;
mod descriptor;
mod frames;
mod open;
mod owner;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use self::{
    closed::Closed,
    frames::{Frames, KeptFrame},
    owner::Owner,
};
pub use self::{
    closing::{Changes, Closing, ClosingCause},
    descriptor::Instance,
};
use crate::{Epoch, Incarnation, LogTime, Revision, SessionPolicy, digest::Sum, limits, ring::Ring, session::OwnerId};

/// All incarnations that are open or have rows left.
#[derive(Debug, Default)]
pub(crate) struct Instances {
    owners: Vec<Option<Owner>>,
    vacant: Vec<OwnerId>,
    open: BTreeMap<Incarnation, OwnerId>,
    names: BTreeMap<Arc<str>, BTreeMap<Arc<str>, OwnerId>>,
    /// Closed ones with rows left, by when they are swept next.
    due: BTreeMap<(LogTime, Incarnation), OwnerId>,
    /// Those from a backup.
    unconfirmed: BTreeMap<Incarnation, OwnerId>,
    closings: Ring<Closing>,
    /// Closings up to here are gone.
    closings_floor: Revision,
    /// The last number given to an incarnation.
    pub(crate) last: Incarnation,
    /// Sessions of open owners.
    pub(crate) live: u64,
    sum: Sum,
}

impl Instances {
    pub(crate) fn sum(&self) -> u64 {
        self.sum.value()
    }

    pub(crate) fn closings_floor(&self) -> Revision {
        self.closings_floor
    }

    /// The place of an open incarnation.
    pub(crate) fn id(&self, incarnation: Incarnation) -> Option<OwnerId> {
        self.open.get(&incarnation).copied()
    }

    /// The owner, if it is open.
    pub(crate) fn open(&self, id: OwnerId) -> Option<&Owner> {
        self.owner(id).filter(|owner| owner.is_open())
    }

    pub(crate) fn owner(&self, id: OwnerId) -> Option<&Owner> {
        self.owners.get(id.0 as usize)?.as_ref()
    }

    /// For what is not part of the owner's digest; see [`Self::change`].
    pub(crate) fn owner_mut(&mut self, id: OwnerId) -> Option<&mut Owner> {
        self.owners.get_mut(id.0 as usize)?.as_mut()
    }

    /// For what is.
    pub(crate) fn change(&mut self, id: OwnerId, change: impl FnOnce(&mut Owner)) {
        let Some(owner) = self.owners.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        self.sum.subtract(owner.digest());
        change(owner);
        self.sum.add(owner.digest());
    }

    /// Sorted by incarnation.
    pub(crate) fn open_owners(&self) -> impl DoubleEndedIterator<Item = &Owner> {
        self.open.values().filter_map(|id| self.owner(*id))
    }

    /// The places of open incarnations, sorted by incarnation.
    pub(crate) fn open_ids(&self) -> Vec<OwnerId> {
        self.open.values().copied().collect()
    }

    /// By owner number.
    pub(crate) fn owners(&self) -> impl Iterator<Item = Option<&Owner>> {
        self.owners.iter().map(Option::as_ref)
    }

    /// Sorted by id.
    pub(crate) fn of_service(&self, service: &str) -> impl Iterator<Item = (OwnerId, &Owner)> {
        let ids = self.names.get(service).into_iter().flat_map(BTreeMap::values);
        ids.filter_map(|id| Some((*id, self.owner(*id)?)))
    }

    pub(crate) fn named(&self, service: &str, id: &str) -> Option<(OwnerId, &Owner)> {
        let place = *self.names.get(service)?.get(id)?;
        Some((place, self.owner(place)?))
    }

    /// Takes an incarnation in. No open one has its name.
    pub(crate) fn insert(&mut self, owner: Owner) -> OwnerId {
        let id = self.vacant.pop().unwrap_or(OwnerId(self.owners.len() as u32));
        let Instance { service, id: name, incarnation, .. } = owner.instance.as_ref();
        if owner.is_open() {
            self.open.insert(*incarnation, id);
            self.names.entry(Arc::clone(service)).or_default().insert(Arc::clone(name), id);
        }
        self.sum.add(owner.digest());
        match self.owners.get_mut(id.0 as usize) {
            Some(vacant) => *vacant = Some(owner),
            None => self.owners.push(Some(owner)),
        }
        id
    }

    /// A closed owner waits for its next pass, or is forgotten if nothing is left of it.
    pub(crate) fn await_sweep(&mut self, id: OwnerId) {
        let Some(owner) = self.owner(id) else { return };
        let Some(closed) = &owner.closed else { return };
        let (incarnation, due, cause) = (owner.instance.incarnation, closed.due(), closed.cause);
        if owner.sessions.len() == 0 {
            self.forget_settled(id);
        } else if cause == ClosingCause::Restored {
            self.unconfirmed.insert(incarnation, id);
        } else {
            self.due.insert((due, incarnation), id);
        }
    }

    /// A closed owner whose list is empty waits for no sweep; one that no session names is forgotten.
    pub(crate) fn forget_settled(&mut self, id: OwnerId) {
        let Some(owner) = self.owner(id) else { return };
        let Some(closed) = owner.closed.as_ref().filter(|_| owner.sessions.len() == 0) else { return };
        let (incarnation, due, lingering) = (owner.instance.incarnation, closed.due(), owner.lingering);
        self.due.remove(&(due, incarnation));
        self.unconfirmed.remove(&incarnation);
        if lingering == 0
            && let Some(owner) = self.owners.get_mut(id.0 as usize).and_then(Option::take)
        {
            self.sum.subtract(owner.digest());
            self.vacant.push(id);
        }
    }

    /// The next pass over this closed owner's rows begins.
    pub(crate) fn next_stage(&mut self, id: OwnerId) {
        let Some(owner) = self.owner(id).filter(|owner| owner.sessions.len() > 0) else { return };
        let (incarnation, first) = (owner.instance.incarnation, owner.sessions.first());
        let Some(due) = owner.closed.as_ref().map(Closed::due) else { return };
        self.due.remove(&(due, incarnation));
        self.change(id, |owner| {
            if let Some(closed) = &mut owner.closed {
                (closed.stage, closed.after, closed.next) = (closed.stage + 1, Epoch::default(), first);
            }
        });
        self.await_sweep(id);
    }

    /// The closed owner whose pass is due first.
    pub(crate) fn first_due(&self) -> Option<(LogTime, OwnerId)> {
        self.due.first_key_value().map(|((due, _), id)| (*due, *id))
    }

    /// The first owner from a backup whose sessions were not all registered again.
    pub(crate) fn first_unconfirmed(&self) -> Option<OwnerId> {
        self.unconfirmed.first_key_value().map(|(_, id)| *id)
    }

    /// Sessions from a backup that were not registered again.
    pub(crate) fn unconfirmed_rows(&self) -> u64 {
        self.unconfirmed.values().filter_map(|id| self.owner(*id)).map(|owner| owner.sessions.len()).sum()
    }

    /// Every open owner learns how many sessions it may hold.
    pub(crate) fn bound(&mut self, policy: &SessionPolicy) {
        for id in self.open.values() {
            let Some(owner) = self.owners.get_mut(id.0 as usize).and_then(Option::as_mut) else { continue };
            owner.sessions_max = policy.sessions_max(&owner.instance.service, &owner.instance.id);
        }
    }

    pub(crate) fn push_closing(&mut self, closing: Closing) {
        self.sum.add(closing.digest());
        self.closings.push(closing);
        while self.closings.len() > limits::CLOSINGS_KEPT {
            let Some((_, oldest)) = self.closings.oldest() else { return };
            self.sum.subtract(oldest.digest());
            self.closings_floor = oldest.closed;
            self.closings.pop();
        }
    }

    pub(crate) fn set_closings_floor(&mut self, floor: Revision) {
        self.closings_floor = floor;
    }

    pub(crate) fn closings(&self) -> &Ring<Closing> {
        &self.closings
    }
}
