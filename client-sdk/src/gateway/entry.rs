//! One connection in a gateway's table.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    Epoch, Error,
    gateway::{cause::Cause, packed::Packed},
};

/// A place in the table.
pub(super) type Slot = u32;

/// No place.
pub(super) const NOWHERE: Slot = Slot::MAX;

/// The epoch of what was never registered.
pub(super) const NEVER: Epoch = Epoch { revision: 0, position: 0 };

/// One connection: 56 bytes, and its registration behind a pointer. What few connections need at a time lies apart.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) packed: Packed,
    /// Of its last registration that was not replaced by this gateway itself.
    pub(super) epoch: Epoch,
    /// In which life of the gateway that was, counted from 1.
    pub(super) life: u32,
    /// The next older connection of the same key.
    pub(super) older: Slot,
    pub(super) phase: Phase,
    pub(super) busy: Busy,
    /// It lies in the queue of what is due, or in that of the frames.
    pub(super) is_queued: bool,
    /// It lies in the queue of what the application is told.
    pub(super) is_untold: bool,
    more: Option<Box<More>>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The application holds the connection and wants it registered.
    Wanted,
    /// Its session has ended against the application's will, which still holds it.
    Ended,
    /// The device said good-bye.
    Left,
    /// The connection dropped.
    Dropped,
    /// Nothing remains but a place in a queue.
    Gone,
}

/// The operation under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    Idle,
    Registering,
    Unregistering,
    Changing,
}

/// What few connections need at a time.
#[derive(Debug, Default)]
pub(super) struct More {
    /// Waits for the first registration.
    pub(super) connecting: Option<oneshot::Sender<Result<(), Error>>>,
    /// Waits until it is given up.
    pub(super) leaving: Option<oneshot::Sender<()>>,
    pub(super) changes: VecDeque<TopicChange>,
    /// How a registration ended whose answer is still to come.
    pub(super) early: Option<Early>,
    /// Why it ended; taken when the application is told.
    pub(super) cause: Option<Cause>,
    /// The frame of notices that is confirmed when the application lets go.
    pub(super) notice_frame: Option<u64>,
}

/// Topics to be bound or unbound.
#[derive(Debug)]
pub(super) struct TopicChange {
    pub(super) kind: ChangeKind,
    pub(super) topics: Vec<Bytes>,
    pub(super) answer: oneshot::Sender<Result<(), Error>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Bind,
    Unbind,
}

/// A notice that overtook the answer to the registration it is about: they come on different streams.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) epoch: Epoch,
    pub(super) cause: Cause,
    pub(super) notice_frame: u64,
}

impl Entry {
    pub(super) fn new(packed: Packed, connecting: oneshot::Sender<Result<(), Error>>) -> Self {
        let more = More { connecting: Some(connecting), ..More::default() };
        Self {
            packed,
            epoch: NEVER,
            life: 0,
            older: NOWHERE,
            phase: Phase::Wanted,
            busy: Busy::Idle,
            is_queued: false,
            is_untold: false,
            more: Some(Box::new(more)),
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.phase == Phase::Wanted
    }

    /// The handle is gone, and what was registered is still to be given up.
    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Left | Phase::Dropped)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.busy == Busy::Idle
    }

    /// Nothing points here any more.
    pub(super) fn is_free(&self) -> bool {
        self.phase == Phase::Gone && self.is_idle() && !self.is_queued && !self.is_untold
    }

    pub(super) fn look(&self) -> Option<&More> {
        self.more.as_deref()
    }

    pub(super) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Takes something out of what few need; what is then empty goes.
    pub(super) fn take<T>(&mut self, take: impl FnOnce(&mut More) -> T) -> Option<T> {
        let more = self.more.as_deref_mut()?;
        let taken = take(more);
        if more.is_empty() {
            self.more = None;
        }
        Some(taken)
    }
}

impl More {
    fn is_empty(&self) -> bool {
        self.connecting.is_none()
            && self.leaving.is_none()
            && self.changes.is_empty()
            && self.early.is_none()
            && self.cause.is_none()
            && self.notice_frame.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_as_small_as_the_documentation_says() {
        assert_eq!(size_of::<Option<Entry>>(), 56);
    }
}
