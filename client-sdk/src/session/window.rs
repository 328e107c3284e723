//! Write frames of one incarnation, without IO.
//!
//! Frames are numbered 1, 2, 3 ... and the state takes each number once, in order; a frame sent again gets its first
//! answer. So what is unanswered when a stream breaks is sent again, in order, under its number, and every operation
//! happens exactly once. Invariant: `frames` holds consecutive numbers, and answers come for the front one.
//!
//! A number cannot be skipped. When nobody waits for a frame any more, or its content was refused as a whole, an empty
//! frame goes out under its number: if the first had been taken its answer comes back, otherwise the number is used up
//! and the operations never happen.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use keeper_proto::v1::{
    Problem, SessionOperation, WriteFrame, WriteFrameReply,
    operation_result::{Refused, Result as Answer},
};
use tokio::time::Instant;

use crate::{
    Error, Happened, Registered,
    error::Failure,
    limits,
    session::{
        asker::{Asker, Waits},
        from_proto,
        worker::{Framing, Verdict, is_final},
    },
};

/// What an operation came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Registered(Registered),
    Done,
}

/// What a frame says beside its operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Margin {
    /// Notices up to this cursor have been acted upon.
    pub(crate) confirmed: Option<Bytes>,
    /// How many sessions of a former history are still to be registered again.
    pub(crate) flush_remaining: Option<u64>,
}

impl Margin {
    const fn is_empty(&self) -> bool {
        self.confirmed.is_none() && self.flush_remaining.is_none()
    }
}

/// Asked whenever a frame is formed: what it says beside its operations.
pub(crate) type Says = Box<dyn FnMut() -> Margin + Send>;

pub(crate) struct Window<A: Asker> {
    incarnation: u64,
    state_id: u64,
    last: u64,
    frames: VecDeque<Sent<A::Waiter>>,
    says: Says,
}

#[derive(Debug)]
struct Sent<W> {
    message: Arc<WriteFrame>,
    /// None once told.
    waiters: Vec<Option<W>>,
    /// None when everybody waits for as long as it takes.
    first_deadline: Option<Instant>,
    last_deadline: Option<Instant>,
    sent_at: Instant,
}

impl<A: Asker> Window<A> {
    pub(crate) const fn new(incarnation: u64, state_id: u64, says: Says) -> Self {
        Self { incarnation, state_id, last: 0, frames: VecDeque::new(), says }
    }

    fn refused(&mut self, problem: Problem) -> Verdict {
        let failure = Failure::from_problem(problem);
        if is_final(&failure.error) {
            return Verdict::Over(failure.error);
        }
        match failure.error.reason() {
            // Taken long ago: what it answered is not known any more, and the next number is free.
            "reply-forgotten" => {
                self.pop(&Error::malformed("the answer to this operation is no longer kept"));
                Verdict::Fine
            }
            "sequence-gap" => Verdict::Over(Error::malformed(failure.error.to_string())),
            _ if failure.error.is_retryable() => Verdict::Again(failure),
            // Those behind it were refused for the gap it left: all go again, this one empty.
            _ => {
                if let Some(frame) = self.frames.front_mut() {
                    frame.refuse(&failure.error);
                }
                Verdict::Again(failure)
            }
        }
    }

    fn pop(&mut self, error: &Error) {
        if let Some(mut frame) = self.frames.pop_front() {
            frame.tell(error);
        }
    }
}

impl<A: Asker> Framing for Window<A> {
    type Item = A;
    type Frame = WriteFrame;
    type Reply = WriteFrameReply;

    const PATH: &'static str = "/keeper.v1.Sessions/Write";
    const WINDOW: usize = limits::WRITE_FRAMES_IN_FLIGHT_MAX;

    fn has_room(&self) -> bool {
        self.frames.len() < Self::WINDOW
    }

    /// As many as those under way carry on the mean: callers answered together ask again together, so that small frames
    /// would stay small for ever, and a frame costs as much as many operations.
    fn worth(&self) -> usize {
        let carried: usize = self.frames.iter().map(|sent| sent.waiters.len()).sum();
        (carried / self.frames.len().max(1)).min(limits::FRAME_OPERATIONS_MAX)
    }

    fn form(&mut self, queued: &mut Vec<A>, now: Instant) -> Option<Arc<WriteFrame>> {
        let count = queued.len().min(limits::FRAME_OPERATIONS_MAX);
        let mut operations = Vec::with_capacity(count);
        let mut waiters = Vec::with_capacity(count);
        for (operation, waiter) in queued.drain(..count).filter_map(A::take) {
            operations.push(SessionOperation { operation: Some(operation) });
            waiters.push(Some(waiter));
        }
        let margin = (self.says)();
        if operations.is_empty() && margin.is_empty() {
            return None;
        }
        // Callers wait equally long, so the queue is in the order of deadlines.
        let deadline = |waiter: Option<&Option<A::Waiter>>| waiter?.as_ref()?.deadline();
        let (first_deadline, last_deadline) = (deadline(waiters.first()), deadline(waiters.last()));
        self.last += 1;
        let message = Arc::new(WriteFrame {
            state_id: self.state_id,
            incarnation: self.incarnation,
            sequence: self.last,
            timeout_ms: timeout_ms(last_deadline, now),
            operations,
            confirmed: margin.confirmed.unwrap_or_default(),
            flush_remaining: margin.flush_remaining,
        });
        let sent = Sent { message: message.clone(), waiters, first_deadline, last_deadline, sent_at: now };
        self.frames.push_back(sent);
        Some(message)
    }

    fn answered(&mut self, reply: WriteFrameReply) -> Verdict {
        let Some(front) = self.frames.front() else {
            return Verdict::Again(Failure::gone(Error::malformed("an answer to no frame")));
        };
        if reply.sequence != front.message.sequence {
            let message = format!("an answer to frame {} instead of {}", reply.sequence, front.message.sequence);
            return Verdict::Again(Failure::gone(Error::malformed(message)));
        }
        if let Some(problem) = reply.problem {
            return self.refused(problem);
        }
        let Some(frame) = self.frames.pop_front() else { return Verdict::Fine };
        frame.deliver(reply.revision, reply.results.into_iter().map(|it| it.result));
        Verdict::Fine
    }

    fn resend(&mut self, now: Instant) -> Vec<Arc<WriteFrame>> {
        self.frames.iter_mut().map(|frame| frame.again(now)).collect()
    }

    fn expire(&mut self, queued: &mut Vec<A>, now: Instant) {
        let is_late = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        for frame in self.frames.iter_mut().filter(|it| is_late(it.first_deadline)) {
            let late = frame.waiters.iter_mut().filter(|it| it.as_ref().is_some_and(|it| is_late(it.deadline())));
            late.filter_map(Option::take).for_each(|it| time_out(it, Happened::Maybe));
            // Next time only those who still wait count.
            frame.first_deadline = frame.waiters.iter().flatten().filter_map(A::Waiter::deadline).min();
        }
        let late = queued.iter().take_while(|it| is_late(it.deadline())).count();
        queued.drain(..late).filter_map(A::take).for_each(|(_, it)| time_out(it, Happened::No));
    }

    fn waiting_since(&self) -> Option<Instant> {
        self.frames.front().map(|it| it.sent_at)
    }

    fn end(&mut self, queued: &mut Vec<A>, error: &Error) {
        let in_flight = error.clone().after(Happened::Maybe);
        self.frames.drain(..).for_each(|mut frame| frame.tell(&in_flight));
        queued.drain(..).for_each(|it| it.fail(error.clone()));
    }
}

impl<W: Waits> Sent<W> {
    /// The frame for a new stream: with the time that is left, or empty when nobody waits any more.
    fn again(&mut self, now: Instant) -> Arc<WriteFrame> {
        self.sent_at = now;
        let awaited = self.waiters.iter().flatten().any(W::is_awaited);
        let operations = if awaited { self.message.operations.clone() } else { Vec::new() };
        let timeout_ms = if awaited { timeout_ms(self.last_deadline, now) } else { 0 };
        Arc::new(WriteFrame {
            state_id: self.message.state_id,
            incarnation: self.message.incarnation,
            sequence: self.message.sequence,
            timeout_ms,
            operations,
            confirmed: self.message.confirmed.clone(),
            flush_remaining: self.message.flush_remaining,
        })
    }

    /// Takes each result to whom it is for. Fewer results than operations: the empty frame was taken in this one's
    /// place.
    fn deliver(self, revision: u64, results: impl Iterator<Item = Option<Answer>>) {
        let mut results = results;
        for waiter in self.waiters {
            let result = results.next();
            let Some(waiter) = waiter else { continue };
            let outcome = match result {
                Some(Some(result)) => outcome(result, revision),
                Some(None) => Err(Error::malformed("an operation was answered with nothing")),
                None => Err(waiter.timeout(Happened::No)),
            };
            waiter.answer(outcome);
        }
    }

    /// The frame as it was will never be taken. What it confirmed may be the reason, and is part of what the next
    /// cursor confirms.
    fn refuse(&mut self, error: &Error) {
        self.tell(error);
        Arc::make_mut(&mut self.message).confirmed = Bytes::new();
    }

    fn tell(&mut self, error: &Error) {
        for waiter in self.waiters.iter_mut().filter_map(Option::take) {
            waiter.answer(Err(error.clone()));
        }
    }
}

fn time_out(waiter: impl Waits, happened: Happened) {
    let error = waiter.timeout(happened);
    waiter.answer(Err(error));
}

/// At least one when there is a deadline: zero means none.
fn timeout_ms(deadline: Option<Instant>, now: Instant) -> u32 {
    let left = |deadline: Instant| u32::try_from(deadline.saturating_duration_since(now).as_millis());
    deadline.map_or(0, |deadline| left(deadline).unwrap_or(u32::MAX).max(1))
}

fn outcome(result: Answer, revision: u64) -> Result<Outcome, Error> {
    match result {
        Answer::Registered(registered) => Ok(Outcome::Registered(Registered {
            epoch: from_proto::epoch(registered.epoch),
            displaced: registered.displaced.map(|it| Box::new(from_proto::holder(it))),
            revision,
        })),
        Answer::Done(_) => Ok(Outcome::Done),
        Answer::Refused(Refused { reason, message, holder, field }) => {
            let holder = holder.map(|it| Box::new(from_proto::holder(it)));
            Err(Error::Refused { reason, message, field, details: Vec::new(), holder })
        }
    }
}

#[cfg(test)]
mod tests;
