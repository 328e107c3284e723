//! A life of the gateway begins and ends: what that means for its table.

use crate::{
    Lost,
    gateway::{
        entry::{Entry, Slot},
        table::{Life, Table, over},
    },
    limits,
    session::window::Margin,
};

/// What a new life has to register again. A registry that is whole does not mind; one that is being filled waits for
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Former {
    pub(super) state_id: u64,
    pub(super) sessions: u64,
}

impl Table {
    /// What the next life says of the ones before; none when it holds nothing of them.
    pub(super) fn former(&self) -> Option<Former> {
        let state_id = self.held_under.filter(|_| self.counts.pending > 0)?;
        Some(Former { state_id, sessions: self.counts.pending })
    }

    /// A life has begun. Everything that stood in an earlier one is to be registered again.
    pub(super) fn opened(&mut self, life: Life, announced: Option<Former>) {
        self.lives += 1;
        self.life = Some(life);
        self.walked = 0;
        self.confirmations.restart();
        self.is_reregistering = self.counts.pending > 0;
        // Who announced sessions is waited for, also when they are gone by now.
        self.is_flushing = announced.is_some();
        if !self.is_reregistering {
            self.held_under = Some(life.state_id);
        }
        self.news.opened(life.incarnation);
        self.wakes.feeder = true;
        self.wakes.events = true;
        self.wakes.margin = true;
    }

    /// The life is over, and every operation of it answered.
    pub(super) fn lost(&mut self, reason: Lost) {
        let Some(life) = self.life.take() else { return };
        if !self.is_reregistering {
            self.held_under = Some(life.state_id);
        }
        self.is_reregistering = false;
        self.is_flushing = false;
        self.counts.pending += std::mem::take(&mut self.counts.registered);
        self.news.lost(life.incarnation, reason);
        self.wakes.events = true;
        // What was to be given up has gone with the life. Whatever else waits does so for the next one.
        let due: Vec<Slot> = self.due.iter().copied().collect();
        due.into_iter().for_each(|slot| self.review(slot));
    }

    /// The gateway has ended: nobody waits for anything any more.
    pub(super) fn end_all(&mut self) {
        self.is_over = true;
        for slot in 0..self.slots.end() {
            let Some(entry) = self.slots.get_mut(slot) else { continue };
            let more = entry.take(std::mem::take).unwrap_or_default();
            if let Some(connecting) = more.connecting {
                drop(connecting.send(Err(over())));
            }
            // Those who wait for a connection to be given up hear it by the end of their channel.
            more.changes.into_iter().for_each(|change| drop(change.answer.send(Err(over()))));
        }
    }

    /// Whether so much is to be done at once that it is done at a governed rate.
    pub(super) fn is_catching_up(&self) -> bool {
        self.is_reregistering || self.due.len() > limits::QUEUE_OPERATIONS_MAX
    }

    /// The next connection for which something is due: in turn one that asked for it and one of the earlier lives, so
    /// that neither waits for the other to end.
    pub(super) fn next_due(&mut self) -> Option<Slot> {
        self.walks_next = !self.walks_next;
        if self.walks_next {
            self.walk().or_else(|| self.due.pop_front())
        } else {
            self.due.pop_front().or_else(|| self.walk())
        }
    }

    /// Looks for a connection that does not stand, from where it looked last in this life.
    fn walk(&mut self) -> Option<Slot> {
        while self.walked < self.slots.end() {
            let slot = self.walked;
            self.walked += 1;
            let is_due = |entry: &&mut Entry| {
                entry.is_wanted() && entry.life != self.lives && entry.is_idle() && !entry.is_queued
            };
            if let Some(entry) = self.slots.get_mut(slot).filter(is_due) {
                entry.is_queued = true;
                return Some(slot);
            }
        }
        None
    }

    /// What the next frame says beside its operations.
    pub(super) fn margin(&mut self) -> Margin {
        let flush_remaining = self.is_flushing.then_some(self.counts.pending);
        self.is_flushing &= flush_remaining != Some(0);
        Margin { confirmed: self.confirmations.take_due(), flush_remaining }
    }

    /// Whether a frame should go out for the sake of its margin.
    pub(super) const fn has_margin(&self) -> bool {
        self.confirmations.is_due() || (self.is_flushing && self.counts.pending == 0)
    }
}
