//! Which notices the application has acted upon.
//!
//! A frame of notices is confirmed when every connection it named is closed and every frame before it is confirmed.
//! Invariant: `frames` holds the unconfirmed ones in order, the first numbered `first`; numbers never come again, so
//! that one of an earlier life means nothing.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits;

#[derive(Debug, Default)]
pub(super) struct Confirmations {
    first: u64,
    frames: VecDeque<Frame>,
    /// Acted upon, and not said yet.
    due: Option<Bytes>,
}

#[derive(Debug)]
struct Frame {
    cursor: Bytes,
    /// Who still has to act; the reader itself while it hands the frame's notices out.
    holds: u32,
}

impl Confirmations {
    /// Another life has notices of its own.
    pub(super) fn restart(&mut self) {
        self.first += self.frames.len() as u64;
        self.frames.clear();
        self.due = None;
    }

    pub(super) fn has_room(&self) -> bool {
        self.frames.len() < limits::NOTICE_FRAMES_UNCONFIRMED_MAX
    }

    /// A frame whose notices are about to be handed out; [`release`](Self::release) it afterwards.
    pub(super) fn begin(&mut self, cursor: Bytes) -> u64 {
        self.frames.push_back(Frame { cursor, holds: 1 });
        self.first + self.frames.len() as u64 - 1
    }

    /// One more has to act.
    pub(super) fn hold(&mut self, number: u64) {
        if let Some(frame) = self.frame(number) {
            frame.holds += 1;
        }
    }

    /// One has acted.
    pub(super) fn release(&mut self, number: u64) {
        if let Some(frame) = self.frame(number) {
            frame.holds = frame.holds.saturating_sub(1);
        }
        while self.frames.front().is_some_and(|frame| frame.holds == 0) {
            self.first += 1;
            self.due = self.frames.pop_front().map(|frame| frame.cursor);
        }
    }

    pub(super) const fn is_due(&self) -> bool {
        self.due.is_some()
    }

    pub(super) const fn take_due(&mut self) -> Option<Bytes> {
        self.due.take()
    }

    fn frame(&mut self, number: u64) -> Option<&mut Frame> {
        self.frames.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_confirmed_when_all_have_acted_and_none_before_it_is_open() {
        let mut confirmations = Confirmations::default();
        let [one, two] = ["1", "2"].map(|cursor| confirmations.begin(cursor.into()));
        confirmations.hold(one);
        confirmations.release(two);
        confirmations.release(one);
        assert!(!confirmations.is_due(), "one connection of the first is open");
        confirmations.release(one);
        assert_eq!(confirmations.take_due(), Some("2".into()));
        assert!(!confirmations.is_due());
    }

    #[test]
    fn what_an_earlier_life_left_open_confirms_nothing() {
        let mut confirmations = Confirmations::default();
        let old = confirmations.begin("old".into());
        confirmations.restart();
        let new = confirmations.begin("new".into());
        confirmations.release(old);
        assert!(!confirmations.is_due());
        confirmations.release(new);
        assert_eq!(confirmations.take_due(), Some("new".into()));
    }

    #[test]
    fn unconfirmed_frames_are_bounded() {
        let mut confirmations = Confirmations::default();
        let first = confirmations.begin(Bytes::new());
        while confirmations.has_room() {
            confirmations.begin(Bytes::new());
        }
        confirmations.release(first);
        assert!(confirmations.has_room());
    }
}
