//! Who asks for an operation, and who is told what it came to.
//!
//! There are two kinds. A caller brings its operation and waits for the answer, so long and no longer. A gateway's seat
//! says what to do when a frame is formed, from what is wanted at that moment, and waits for as long as the incarnation
//! lives: whatever becomes of it, it is told, so that nothing a gateway does has an unknown end.

use keeper_proto::v1::session_operation::Operation;
use tokio::{sync::oneshot, time::Instant};

use crate::{Error, Happened, session::window::Outcome};

/// An item of the queue from which frames are formed.
pub(crate) trait Asker: Send + 'static {
    type Waiter: Waits;

    /// The operation and who waits for it; none when nobody wants it any more.
    fn take(self) -> Option<(Operation, Self::Waiter)>;

    /// When nobody will want it any more.
    fn deadline(&self) -> Option<Instant>;

    /// It was never sent, and never will be.
    fn fail(self, error: Error);
}

/// Who waits for an operation that is in a frame.
pub(crate) trait Waits: Send + 'static {
    /// Until when; none: for as long as the incarnation lives.
    fn deadline(&self) -> Option<Instant>;

    fn is_awaited(&self) -> bool;

    fn answer(self, outcome: Result<Outcome, Error>);

    /// The error of a wait that was too long.
    fn timeout(&self, happened: Happened) -> Error;
}

/// An operation and the caller who waits for it.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) operation: Operation,
    pub(crate) waiter: Waiter,
}

/// A caller.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) name: &'static str,
    pub(crate) asked_at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Outcome, Error>>,
}

impl Asker for Queued {
    type Waiter = Waiter;

    fn take(self) -> Option<(Operation, Waiter)> {
        let Self { operation, waiter } = self;
        // Who has gone needs no answer, and what was never sent never happens.
        waiter.is_awaited().then_some((operation, waiter))
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.waiter.deadline)
    }

    fn fail(self, error: Error) {
        self.waiter.answer(Err(error));
    }
}

impl Waits for Waiter {
    fn deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }

    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn answer(self, outcome: Result<Outcome, Error>) {
        // Whoever has gone does not mind.
        drop(self.answer.send(outcome));
    }

    fn timeout(&self, happened: Happened) -> Error {
        Error::Timeout { operation: self.name, after: self.deadline - self.asked_at, happened }
    }
}
