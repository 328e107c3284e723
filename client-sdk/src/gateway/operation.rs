//! What is to be done for a key, and what its answer means.

use keeper_proto::v1::session_operation::{Operation, unregister::Cause as UnregisterCause};

use crate::{
    Epoch, Error,
    gateway::{
        cause::Cause,
        entry::{Busy, ChangeKind, Entry, NEVER, Phase, Slot, TopicChange},
        table::Table,
    },
    session::{to_proto, window::Outcome, worker::is_final},
};

impl Table {
    /// The operation that is due for the key of a connection, and the connection it is for; none when nothing is to be
    /// done now.
    pub(super) fn form(&mut self, queued: Slot) -> Option<(Slot, Operation)> {
        self.unqueue(queued);
        let newest = self.slots.newest_beside(queued)?;
        let next = self.next_operation(newest);
        self.sweep(queued);
        let (slot, busy) = next?;
        let operation = self.operation(slot, busy)?;
        self.slots.get_mut(slot)?.busy = busy;
        Some((slot, operation))
    }

    /// It was not formed: the life is over.
    pub(super) fn unformed(&mut self, queued: Slot) {
        self.unqueue(queued);
        self.review(queued);
        self.sweep(queued);
    }

    /// What an operation came to.
    pub(super) fn answered(&mut self, slot: Slot, outcome: Result<Outcome, Error>) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let busy = std::mem::replace(&mut entry.busy, Busy::Idle);
        match busy {
            Busy::Registering => self.registering_answered(slot, outcome),
            Busy::Unregistering => {
                // Refused: it is somebody else's, or nobody's. Without an answer the life is over, and with it the
                // session.
                if outcome.is_ok() || outcome.as_ref().is_err_and(is_refusal) {
                    self.modify(slot, |entry| entry.life = 0);
                }
            }
            Busy::Changing => self.change_answered(slot, outcome),
            Busy::Idle => {}
        }
        self.sweep(slot);
        self.review(slot);
    }

    /// Which connection of a key needs what; none when all is as it should be, or an answer is awaited.
    pub(super) fn next_operation(&self, newest: Slot) -> Option<(Slot, Busy)> {
        if self.life.is_none() || self.slots.from(newest).any(|(_, entry)| !entry.is_idle()) {
            return None;
        }
        match self.claimant(newest) {
            Some((slot, entry)) if !self.stands(entry) => Some((slot, Busy::Registering)),
            Some((slot, entry)) => {
                entry.look().is_some_and(|more| !more.changes.is_empty()).then_some((slot, Busy::Changing))
            }
            None => {
                let mut leaving = self.slots.from(newest).filter(|(_, it)| it.is_leaving() && self.stands(it));
                leaving.next().map(|(slot, _)| (slot, Busy::Unregistering))
            }
        }
    }

    fn operation(&self, slot: Slot, busy: Busy) -> Option<Operation> {
        let entry = self.slots.get(slot)?;
        let (key, epoch) = (entry.packed.key(), entry.epoch);
        Some(match busy {
            // What it had in an earlier life is claimed again, and not made: whoever came meanwhile is newer.
            Busy::Registering => entry.packed.operation((epoch != NEVER).then_some(epoch)),
            Busy::Unregistering if entry.phase == Phase::Left => {
                to_proto::unregister(&key, epoch, UnregisterCause::Left)
            }
            Busy::Unregistering => to_proto::unregister(&key, epoch, UnregisterCause::Lost),
            Busy::Changing => {
                let TopicChange { kind, topics, .. } = entry.look()?.changes.front()?;
                match kind {
                    ChangeKind::Bind => to_proto::bind(&key, epoch, topics.clone()),
                    ChangeKind::Unbind => to_proto::unbind(&key, epoch, topics.clone()),
                }
            }
            Busy::Idle => return None,
        })
    }

    fn registering_answered(&mut self, slot: Slot, outcome: Result<Outcome, Error>) {
        let early = self.slots.get_mut(slot).and_then(|entry| entry.take(|more| more.early.take()).flatten());
        let notice_frame = early.as_ref().map(|early| early.notice_frame);
        match outcome {
            Ok(Outcome::Registered(registered)) => {
                self.registered(slot, registered.epoch);
                let ended = early.filter(|early| early.epoch == registered.epoch);
                if let Some(early) = ended
                    && self.slots.get(slot).is_some_and(Entry::is_wanted)
                {
                    self.end(slot, early.cause, Some(early.notice_frame));
                }
            }
            Err(error) if is_refusal(&error) => self.refused(slot, error),
            // The life is over, or the frame was not taken: it does not stand, and is made again while it is wanted.
            Ok(Outcome::Done) | Err(_) => {}
        }
        if let Some(frame) = notice_frame {
            self.acted(frame);
        }
    }

    fn registered(&mut self, slot: Slot, epoch: Epoch) {
        let Some(newest) = self.slots.newest_beside(slot) else { return };
        let others: Vec<Slot> = self.slots.from(newest).map(|(other, _)| other).filter(|it| *it != slot).collect();
        for other in others {
            // This gateway replaced it itself. Should it be wanted again, it is made anew, not claimed.
            self.modify(other, |entry| {
                entry.life = 0;
                if entry.is_wanted() {
                    entry.epoch = NEVER;
                }
            });
        }
        let lives = self.lives;
        self.modify(slot, |entry| {
            entry.life = lives;
            entry.epoch = epoch;
        });
        let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.is_wanted()) else { return };
        if let Some(connecting) = entry.take(|more| more.connecting.take()).flatten() {
            drop(connecting.send(Ok(())));
        }
    }

    fn refused(&mut self, slot: Slot, error: Error) {
        let own = self.life.map(|life| life.incarnation);
        let is_own = matches!(&error, Error::Refused { holder: Some(holder), .. } if Some(holder.incarnation) == own);
        if is_own && error.reason() == "stale-epoch" {
            // The claim was refused in favour of what this gateway made itself: the wanted one is made, not claimed.
            self.modify(slot, |entry| entry.epoch = NEVER);
        } else if let Some(entry) = self.slots.get(slot).filter(|entry| entry.is_wanted()) {
            let is_new = entry.look().is_some_and(|more| more.connecting.is_some());
            let cause = if is_new { Cause::Refused(error) } else { Cause::of_lost_claim(error) };
            self.end(slot, cause, None);
        }
    }

    fn change_answered(&mut self, slot: Slot, outcome: Result<Outcome, Error>) {
        let is_decided = outcome.is_ok() || outcome.as_ref().is_err_and(is_refusal);
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if !is_decided {
            // The next life begins without the change, and makes it then.
            return;
        }
        let Some(change) = entry.take(|more| more.changes.pop_front()).flatten() else { return };
        if outcome.is_ok() {
            entry.packed = match change.kind {
                ChangeKind::Bind => entry.packed.bound(&change.topics),
                ChangeKind::Unbind => entry.packed.unbound(&change.topics),
            };
        }
        drop(change.answer.send(outcome.map(drop)));
    }

    fn unqueue(&mut self, slot: Slot) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.is_queued = false;
        }
    }
}

/// A decision about this operation, and not about the whole life.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Refused { .. }) && !is_final(error)
}
