//! Frames of presence, made once and shared by all subscribers with the same filter.
//!
//! Subscribers that follow the newest facts stand at the same cursor: whoever comes first makes the frame, the others
//! take it. Frames lie end to end, so that a subscriber who comes from behind lands on a seam: a frame made for it
//! alone ends where a kept one begins. Whoever is alone with a filter keeps nothing.
//!
//! Invariant: for one filter and one history, the facts told between two cursors are the same whoever makes the frames,
//! on whichever node.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::VecDeque;

use keeper_registry::{PresenceCursor, PresenceSlice, StateId};
use parking_lot::Mutex;

use crate::limits::{PRESENCE_FACTS_READ, PRESENCE_FRAMES_KEPT};
use crate::replica::Replica;

/// Writes frames.
pub trait Framing: Send + Sync {
    /// What a frame is written as. A clone is a pointer.
    type Frame: Clone + Send;

    /// Writes facts until they end, stand after `bound`, or fill a frame. At least one is taken.
    fn frame(&self, state: StateId, facts: &PresenceSlice, bound: Option<PresenceCursor>) -> Framed<Self::Frame>;
}

/// A frame and what it covers.
#[derive(Debug, Clone)]
pub struct Framed<F> {
    /// Everything up to here is in it, or was not asked for.
    pub until: PresenceCursor,
    /// None when nothing in it was asked for.
    pub frame: Option<F>,
}

/// What comes after a cursor.
#[derive(Debug)]
pub(super) enum Next<F> {
    /// This.
    Frame(Framed<F>, Reach),
    /// Nothing yet.
    Nothing,
    /// Facts after it are gone here, or it belongs to another history: go on from the newest.
    Gone(StateId, PresenceCursor),
}

/// How far a frame reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// More was there when it was asked for.
    More,
    /// To the newest fact.
    Newest,
}

/// The frames of one filter. Shared by its subscribers.
#[derive(Debug)]
pub struct Feed<W: Framing> {
    framing: W,
    kept: Mutex<Kept<W::Frame>>,
}

#[derive(Debug)]
struct Kept<F> {
    state: StateId,
    /// Where the first one begins.
    from: PresenceCursor,
    frames: VecDeque<Framed<F>>,
}

impl<W: Framing> Feed<W> {
    /// Nothing kept yet.
    #[must_use]
    pub fn new(framing: W) -> Self {
        let kept = Kept { state: StateId(0), from: PresenceCursor::default(), frames: VecDeque::new() };
        Self { framing, kept: Mutex::new(kept) }
    }

    /// Writes for this filter.
    pub const fn framing(&self) -> &W {
        &self.framing
    }

    /// What comes after a cursor of a history. `sharing` counts the subscribers of this filter.
    pub(super) fn next(
        &self,
        replica: &Replica,
        state: StateId,
        cursor: PresenceCursor,
        sharing: usize,
    ) -> Next<W::Frame> {
        let mut kept = self.kept.lock();
        if kept.state != state {
            kept.restart(state, cursor);
        }
        match kept.place(cursor) {
            Place::Kept(framed, reach) => Next::Frame(framed, reach),
            Place::Behind(bound) => {
                // Made outside of the lock: those who are up to date do not wait for one who is not.
                drop(kept);
                self.make(replica, state, cursor, Some(bound))
            }
            Place::Newest => {
                let next = self.make(replica, state, cursor, None);
                if let Next::Frame(framed, _) = &next {
                    kept.push(framed.clone(), cursor, sharing);
                }
                next
            }
        }
    }

    fn make(
        &self,
        replica: &Replica,
        state: StateId,
        cursor: PresenceCursor,
        bound: Option<PresenceCursor>,
    ) -> Next<W::Frame> {
        let read = replica.read(|present| {
            let ring = present.presence();
            let present = present.state_id().unwrap_or_default();
            let facts = if present == state { ring.read_after(cursor, PRESENCE_FACTS_READ) } else { None };
            facts.ok_or_else(|| (present, ring.latest()))
        });
        match read {
            Err((present, latest)) => Next::Gone(present, latest),
            Ok(facts) if facts.is_empty() => Next::Nothing,
            Ok(facts) => {
                let framed = self.framing.frame(state, &facts, bound);
                let is_all = facts.last() == Some(framed.until) && facts.len() < PRESENCE_FACTS_READ;
                Next::Frame(framed, if is_all { Reach::Newest } else { Reach::More })
            }
        }
    }
}

/// Where a cursor stands among the frames that are kept.
enum Place<F> {
    /// One begins there.
    Kept(Framed<F>, Reach),
    /// The next seam is this one.
    Behind(PresenceCursor),
    /// At their end, or there are none.
    Newest,
}

impl<F: Clone> Kept<F> {
    fn place(&self, cursor: PresenceCursor) -> Place<F> {
        let ended = self.frames.partition_point(|framed| framed.until <= cursor);
        let Some(framed) = self.frames.get(ended) else { return Place::Newest };
        let before = ended.checked_sub(1).and_then(|before| self.frames.get(before));
        let begin = before.map_or(self.from, |before| before.until);
        match cursor.cmp(&begin) {
            Ordering::Less => Place::Behind(begin),
            Ordering::Equal => {
                let is_last = ended + 1 == self.frames.len();
                Place::Kept(framed.clone(), if is_last { Reach::Newest } else { Reach::More })
            }
            Ordering::Greater => Place::Behind(framed.until),
        }
    }

    /// Keeps a frame that begins at `cursor`, as many as there are subscribers to share them.
    fn push(&mut self, framed: Framed<F>, cursor: PresenceCursor, sharing: usize) {
        let end = self.frames.back().map(|framed| framed.until);
        if sharing < 2 || end.is_some_and(|end| end != cursor) {
            self.restart(self.state, framed.until);
            return;
        }
        if end.is_none() {
            self.from = cursor;
        }
        self.frames.push_back(framed);
        while self.frames.len() > sharing.min(PRESENCE_FRAMES_KEPT)
            && let Some(oldest) = self.frames.pop_front()
        {
            self.from = oldest.until;
        }
    }

    fn restart(&mut self, state: StateId, from: PresenceCursor) {
        (self.state, self.from) = (state, from);
        self.frames.clear();
    }
}
