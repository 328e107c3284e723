//! A connection's turn in the queue of frames.
//!
//! A ticket says that something may be due for a connection; what it is, the table says when the frame is formed.

use std::sync::Arc;

use keeper_proto::v1::session_operation::Operation;
use tokio::time::Instant;

use crate::{
    Error, Happened,
    gateway::{
        desk::Desk,
        entry::{NOWHERE, Slot},
    },
    session::{
        asker::{Asker, Waits},
        window::Outcome,
    },
};

#[derive(Debug)]
pub(super) struct Ticket {
    desk: Arc<Desk>,
    slot: Slot,
}

impl Ticket {
    pub(super) const fn new(desk: Arc<Desk>, slot: Slot) -> Self {
        Self { desk, slot }
    }

    /// Asks for a frame that says what its margin has to say.
    pub(super) const fn for_margin(desk: Arc<Desk>) -> Self {
        Self { desk, slot: NOWHERE }
    }
}

/// The connection whose operation is in a frame.
#[derive(Debug)]
pub(super) struct Awaiting {
    desk: Arc<Desk>,
    slot: Slot,
}

impl Asker for Ticket {
    type Waiter = Awaiting;

    fn take(self) -> Option<(Operation, Awaiting)> {
        let (slot, operation) = self.desk.change(|table| table.form(self.slot))?;
        Some((operation, Awaiting { desk: self.desk, slot }))
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn fail(self, _: Error) {
        self.desk.change(|table| table.unformed(self.slot));
    }
}

impl Waits for Awaiting {
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The answer is wanted whatever it is: by it the table learns what stands.
    fn is_awaited(&self) -> bool {
        true
    }

    fn answer(self, outcome: Result<Outcome, Error>) {
        self.desk.change(|table| table.answered(self.slot, outcome));
    }

    fn timeout(&self, happened: Happened) -> Error {
        Error::Ended { what: "the frame", happened }
    }
}
