//! What others did to a gateway's sessions: what that means for its table.

use crate::{
    Epoch, Holder, Notice, SessionKey,
    gateway::{
        cause::Cause,
        entry::{Busy, Early, Entry, Phase, Slot},
        packed::key_bytes,
        table::Table,
    },
    session::NoticeFrame,
};

/// A connection to be compared with the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) slot: Slot,
    pub(super) key: SessionKey,
    pub(super) epoch: Epoch,
}

/// Which connections are still to be compared.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    next: Slot,
    /// Their registrations were under way: what they come to may be known to the registry alone.
    later: Vec<Slot>,
}

impl Table {
    /// Hands out a frame of notices, and remembers to confirm it when its connections are closed.
    pub(super) fn noticed(&mut self, frame: NoticeFrame) {
        if frame.notices.is_empty() {
            return;
        }
        let number = self.confirmations.begin(frame.cursor);
        for notice in frame.notices {
            match notice {
                Ok(Notice::Ended { key, epoch, cause, .. }) => self.ended_elsewhere(&key, epoch, cause.into(), number),
                Ok(Notice::Reset) => {}
                Err(error) => tracing::warn!(%error, "a notice could not be read"),
            }
        }
        self.acted(number);
    }

    fn ended_elsewhere(&mut self, key: &SessionKey, epoch: Epoch, cause: Cause, number: u64) {
        let Some(newest) = self.slots.newest(&key_bytes(key)) else { return };
        let lives = self.lives;
        let of_epoch = |entry: &Entry| entry.life == lives && entry.epoch == epoch;
        if let Some((slot, phase)) = self.find(newest, of_epoch) {
            match phase {
                Phase::Wanted => {
                    self.end(slot, cause, Some(number));
                    self.review(slot);
                }
                Phase::Ended => self.hold(slot, number),
                // Closed already.
                Phase::Left | Phase::Dropped | Phase::Gone => {}
            }
        } else if let Some((slot, _)) = self.find(newest, |entry| entry.busy == Busy::Registering) {
            self.remember(slot, Early { epoch, cause, notice_frame: number });
        }
    }

    /// The connection has ended already, and its notice comes late: it is confirmed with it.
    fn hold(&mut self, slot: Slot, number: u64) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        if entry.look().is_none_or(|more| more.notice_frame.is_none()) {
            entry.more().notice_frame = Some(number);
            self.confirmations.hold(number);
        }
    }

    /// The answer to the registration is still to come, and says whether the notice is about it.
    fn remember(&mut self, slot: Slot, early: Early) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let number = early.notice_frame;
        let replaced = entry.more().early.replace(early);
        self.confirmations.hold(number);
        if let Some(replaced) = replaced {
            self.acted(replaced.notice_frame);
        }
    }

    fn find(&self, newest: Slot, is_it: impl Fn(&Entry) -> bool) -> Option<(Slot, Phase)> {
        self.slots.from(newest).find(|(_, entry)| is_it(entry)).map(|(slot, entry)| (slot, entry.phase))
    }

    /// The next connections to be compared with the registry; empty when all have been, but for those that wait for
    /// their answers.
    pub(super) fn to_compare(&self, comparison: &mut Comparison, most: usize) -> Vec<Compared> {
        let mut compared = Vec::new();
        let mut again = std::mem::take(&mut comparison.later);
        while compared.len() < most {
            let slot = match again.pop() {
                Some(slot) => slot,
                None if comparison.next < self.slots.end() => {
                    comparison.next += 1;
                    comparison.next - 1
                }
                None => break,
            };
            let Some(entry) = self.slots.get(slot) else { continue };
            if entry.busy == Busy::Registering {
                comparison.later.push(slot);
            } else if entry.is_wanted() && self.stands(entry) {
                compared.push(Compared { slot, key: entry.packed.key(), epoch: entry.epoch });
            }
        }
        comparison.later.append(&mut again);
        compared
    }

    /// The registry says who holds the key of a connection.
    pub(super) fn compared(&mut self, compared: &Compared, holder: Option<Holder>, number: u64) {
        let own = self.life.map(|life| life.incarnation);
        let Some(entry) = self.slots.get(compared.slot) else { return };
        let is_same = entry.is_wanted() && self.stands(entry) && entry.epoch == compared.epoch;
        // What this gateway did itself it knows from the answers.
        if !is_same || holder.as_ref().is_some_and(|holder| Some(holder.incarnation) == own) {
            return;
        }
        let cause = holder.map_or_else(Cause::unknown, |holder| Cause::Displaced(Box::new(holder)));
        self.end(compared.slot, cause, Some(number));
        self.review(compared.slot);
    }
}

impl Comparison {
    /// Whether some wait for their answers.
    pub(super) const fn is_waiting(&self) -> bool {
        !self.later.is_empty()
    }
}
