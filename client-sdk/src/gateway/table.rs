//! The connections of a gateway: what is wanted, what stands, what is to be done. Without IO.
//!
//! The table is the one truth about what is wanted. An operation is derived from it when a frame is formed, never
//! earlier, and its answer is judged by it when it comes, whoever has given up meanwhile: a registration that nobody
//! wants any more is given up again, and one that is wanted and does not stand is made.
//!
//! Invariants:
//! - A key has at most one operation under way, so that the answers of a key come in the order of its operations.
//! - Of a key's connections the newest wanted one claims it; older ones are displaced when the newest stands, and not
//!   before, because it may be refused.
//! - Who is told of an end is told once, and what is to be told waits at the connection itself, so that no queue grows
//!   beyond the connections there are.
//! - `counts` is what counting would find.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::{
    Error, Happened, Holder, Registration,
    gateway::{
        cause::Cause,
        confirmations::Confirmations,
        entry::{Entry, NEVER, NOWHERE, Phase, Slot, TopicChange},
        news::News,
        packed::Packed,
        slots::Slots,
    },
    limits,
};

/// Whose table it is.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) service: String,
    pub(super) id: String,
}

/// The present life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) incarnation: u64,
    pub(super) state_id: u64,
}

/// Connections that are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) wanted: u64,
    /// Those that stand in the present life.
    pub(super) registered: u64,
    /// Those that stood in an earlier one and do not in the present.
    pub(super) pending: u64,
}

/// Who has something to do after a change of the table.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    /// Operations are due.
    pub(super) feeder: bool,
    /// The application is to be told.
    pub(super) events: bool,
    /// A frame has something to say, or there is room for notices.
    pub(super) margin: bool,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: Name,
    pub(super) slots: Slots,
    pub(super) life: Option<Life>,
    /// Counts the lives; the present one, or the last, has this number.
    pub(super) lives: u32,
    /// The history in which the connections that are pending stood.
    pub(super) held_under: Option<u64>,
    /// The present life announced them, and has not said yet that none is left.
    pub(super) is_flushing: bool,
    /// Connections of earlier lives are being registered again.
    pub(super) is_reregistering: bool,
    pub(super) is_over: bool,
    pub(super) due: VecDeque<Slot>,
    /// Up to where connections of earlier lives have been looked through.
    pub(super) walked: Slot,
    pub(super) walks_next: bool,
    pub(super) ended: VecDeque<Slot>,
    pub(super) news: News,
    pub(super) confirmations: Confirmations,
    pub(super) counts: Counts,
    pub(super) wakes: Wakes,
}

impl Table {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            slots: Slots::default(),
            life: None,
            lives: 0,
            held_under: None,
            is_flushing: false,
            is_reregistering: false,
            is_over: false,
            due: VecDeque::new(),
            walked: 0,
            walks_next: false,
            ended: VecDeque::new(),
            news: News::default(),
            confirmations: Confirmations::default(),
            counts: Counts::default(),
            wakes: Wakes::default(),
        }
    }

    /// A connection that wants its key from now on. A lower `conn_seq` than the present claimant's is refused here as
    /// the registry would.
    pub(super) fn admit(
        &mut self,
        registration: Registration,
        connecting: oneshot::Sender<Result<(), Error>>,
    ) -> Result<Slot, Error> {
        if self.is_over {
            return Err(over());
        }
        let packed = Packed::new(registration);
        if let Some((_, claimant)) = self.slots.newest(packed.key_bytes()).and_then(|newest| self.claimant(newest))
            && let (Some(given), Some(newer)) = (packed.conn_seq(), claimant.packed.conn_seq())
            && given < newer
        {
            return Err(Error::Refused {
                reason: "stale-conn-seq".to_owned(),
                message: format!("conn_seq {given} is older than {newer}, which this gateway holds"),
                field: "conn_seq".to_owned(),
                details: Vec::new(),
                holder: Some(Box::new(self.holder(claimant))),
            });
        }
        let full = || Error::Unavailable {
            reason: "full".to_owned(),
            message: "the gateway's table has no places left".to_owned(),
            happened: Happened::No,
            retry_after: None,
        };
        let slot = self.slots.insert(Entry::new(packed, connecting)).ok_or_else(full)?;
        self.counts.wanted += 1;
        self.queue(slot);
        Ok(slot)
    }

    /// The application has let go of a connection.
    pub(super) fn release(&mut self, slot: Slot, phase: Phase, leaving: Option<oneshot::Sender<()>>) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        match entry.phase {
            Phase::Wanted => {
                if let Some(leaving) = leaving {
                    entry.more().leaving = Some(leaving);
                }
                self.set_phase(slot, phase);
                self.fail_changes(slot);
                self.review(slot);
            }
            Phase::Ended => {
                let acted = entry.take(|more| more.notice_frame.take()).flatten();
                entry.take(|more| more.cause.take());
                if let Some(frame) = acted {
                    self.acted(frame);
                }
                self.set_phase(slot, Phase::Gone);
                self.sweep(slot);
            }
            // A handle lets go once.
            Phase::Left | Phase::Dropped | Phase::Gone => {}
        }
    }

    pub(super) fn change_topics(&mut self, slot: Slot, change: TopicChange) {
        let refusal = match self.slots.get(slot) {
            _ if self.is_over => Some(over()),
            Some(entry) if entry.is_wanted() => {
                let waiting = entry.look().map_or(0, |more| more.changes.len());
                (waiting >= limits::TOPIC_CHANGES_WAITING_MAX).then(|| Error::Unavailable {
                    reason: "full".to_owned(),
                    message: format!("{waiting} changes of this connection's topics wait already"),
                    happened: Happened::No,
                    retry_after: None,
                })
            }
            Some(_) | None => Some(ended()),
        };
        if let Some(error) = refusal {
            drop(change.answer.send(Err(error)));
        } else if let Some(entry) = self.slots.get_mut(slot) {
            entry.more().changes.push_back(change);
            self.review(slot);
        }
    }

    /// Looks at a key after something about it has changed: displaces, lets go, asks for what is to be done next.
    pub(super) fn review(&mut self, slot: Slot) {
        let Some(newest) = self.slots.newest_beside(slot) else { return };
        let standing = self.claimant(newest).filter(|(_, entry)| self.stands(entry)).map(|(slot, entry)| {
            let holder = (entry.older != NOWHERE).then(|| Box::new(self.holder(entry)));
            (slot, holder)
        });
        let mut at = newest;
        let mut is_older = false;
        let mut rest = None;
        while let Some(entry) = self.slots.get(at) {
            let older = entry.older;
            if entry.is_leaving() && entry.is_idle() && !self.stands(entry) {
                self.finish(at);
            } else if entry.is_wanted()
                && is_older
                && let Some((_, Some(by))) = &standing
            {
                self.end(at, Cause::Displaced(by.clone()), None);
            }
            is_older |= standing.as_ref().is_some_and(|(standing, _)| *standing == at);
            // The newest may be gone by now; whoever remains stands for the key.
            rest = self.slots.get(at).map(|_| at).or(rest);
            at = older;
        }
        if let Some(newest) = rest.and_then(|rest| self.slots.newest_beside(rest))
            && self.next_operation(newest).is_some()
        {
            self.queue(newest);
        }
    }

    /// Ends a connection against the application's will.
    pub(super) fn end(&mut self, slot: Slot, cause: Cause, notice_frame: Option<u64>) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if let Some(frame) = notice_frame {
            entry.more().notice_frame = Some(frame);
            self.confirmations.hold(frame);
        }
        match entry.take(|more| more.connecting.take()).flatten() {
            Some(connecting) => drop(connecting.send(Err(cause.into_error()))),
            None => {
                entry.more().cause = Some(cause);
                entry.is_untold = true;
                self.ended.push_back(slot);
                self.wakes.events = true;
            }
        }
        self.set_phase(slot, Phase::Ended);
        self.fail_changes(slot);
    }

    /// A connection that stands, as others see it.
    pub(super) fn holder(&self, entry: &Entry) -> Holder {
        Holder {
            service: self.name.service.clone(),
            instance: self.name.id.clone(),
            incarnation: self.life.map_or(0, |life| life.incarnation),
            connection: entry.packed.connection(),
            epoch: entry.epoch,
        }
    }

    /// The connection that claims the key: the newest that is wanted.
    pub(super) fn claimant(&self, newest: Slot) -> Option<(Slot, &Entry)> {
        self.slots.from(newest).find(|(_, entry)| entry.is_wanted())
    }

    /// Whether it is registered in the present life, as far as is known.
    pub(super) fn stands(&self, entry: &Entry) -> bool {
        self.life.is_some() && entry.life == self.lives
    }

    pub(super) fn queue(&mut self, slot: Slot) {
        if let Some(entry) = self.slots.get_mut(slot)
            && !entry.is_queued
        {
            entry.is_queued = true;
            self.due.push_back(slot);
            self.wakes.feeder = true;
        }
    }

    /// Forgets a connection to which nothing points any more.
    pub(super) fn sweep(&mut self, slot: Slot) {
        if self.slots.get(slot).is_some_and(Entry::is_free) {
            self.slots.remove(slot);
        }
    }

    /// The application has closed a connection that a frame of notices named, or the frame is handed out.
    pub(super) fn acted(&mut self, frame: u64) {
        self.confirmations.release(frame);
        self.wakes.margin = true;
    }

    /// Nothing of a connection that was let go of remains.
    fn finish(&mut self, slot: Slot) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if let Some(leaving) = entry.take(|more| more.leaving.take()).flatten() {
            // Whoever waited may have gone.
            let _ = leaving.send(());
        }
        self.set_phase(slot, Phase::Gone);
        self.sweep(slot);
    }

    fn fail_changes(&mut self, slot: Slot) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        for change in entry.take(|more| std::mem::take(&mut more.changes)).unwrap_or_default() {
            drop(change.answer.send(Err(ended())));
        }
    }

    pub(super) fn set_phase(&mut self, slot: Slot, phase: Phase) {
        self.modify(slot, |entry| entry.phase = phase);
    }

    /// Changes what is counted of a connection.
    pub(super) fn modify(&mut self, slot: Slot, change: impl FnOnce(&mut Entry)) {
        let lives = self.life.map(|_| self.lives);
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let before = counted(entry, lives);
        change(entry);
        let after = counted(entry, lives);
        self.counts.wanted = self.counts.wanted + after.wanted - before.wanted;
        self.counts.registered = self.counts.registered + after.registered - before.registered;
        self.counts.pending = self.counts.pending + after.pending - before.pending;
        if before.pending > after.pending && self.counts.pending == 0 {
            self.reregistered();
        }
    }

    /// Every connection of the earlier lives is registered again, refused or gone.
    pub(super) fn reregistered(&mut self) {
        let Some(life) = self.life.filter(|_| self.is_reregistering) else { return };
        self.is_reregistering = false;
        self.held_under = Some(life.state_id);
        self.news.reregistered(life.incarnation);
        self.wakes.events = true;
        self.wakes.margin = true;
    }
}

fn counted(entry: &Entry, lives: Option<u32>) -> Counts {
    if !entry.is_wanted() {
        return Counts::default();
    }
    let registered = lives == Some(entry.life);
    let pending = !registered && entry.epoch != NEVER;
    Counts { wanted: 1, registered: registered.into(), pending: pending.into() }
}

pub(super) const fn over() -> Error {
    Error::Ended { what: "the gateway", happened: Happened::No }
}

pub(super) const fn ended() -> Error {
    Error::Ended { what: "the session", happened: Happened::No }
}

#[cfg(test)]
mod tests;
