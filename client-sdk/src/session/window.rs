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

use keeper_proto::v1::{
    Problem, SessionOperation, WriteFrame, WriteFrameReply,
    operation_result::{Refused, Result as Answer},
    session_operation::Operation,
};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    Error, Happened, Registered,
    error::Failure,
    limits,
    session::{
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

/// An operation and who waits for it.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) operation: Operation,
    pub(crate) waiter: Waiter,
}

#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) name: &'static str,
    pub(crate) asked_at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Outcome, Error>>,
}

#[derive(Debug)]
pub(crate) struct Window {
    incarnation: u64,
    state_id: u64,
    last: u64,
    frames: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    message: Arc<WriteFrame>,
    /// One an operation; none for those already told.
    waiters: Vec<Option<Waiter>>,
    first_deadline: Instant,
    last_deadline: Instant,
    sent_at: Instant,
}

impl Window {
    pub(crate) const fn new(incarnation: u64, state_id: u64) -> Self {
        Self { incarnation, state_id, last: 0, frames: VecDeque::new() }
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
                    frame.tell(&failure.error);
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

impl Framing for Window {
    type Item = Queued;
    type Frame = WriteFrame;
    type Reply = WriteFrameReply;

    const PATH: &'static str = "/keeper.v1.Sessions/Write";
    const WINDOW: usize = limits::WRITE_FRAMES_IN_FLIGHT_MAX;

    fn has_room(&self) -> bool {
        self.frames.len() < Self::WINDOW
    }

    fn form(&mut self, queued: &mut Vec<Queued>, now: Instant) -> Option<Arc<WriteFrame>> {
        let count = queued.len().min(limits::FRAME_OPERATIONS_MAX);
        let mut operations = Vec::with_capacity(count);
        let mut waiters = Vec::with_capacity(count);
        for Queued { operation, waiter } in queued.drain(..count) {
            // Who has gone needs no answer, and what was never sent never happens.
            if !waiter.answer.is_closed() {
                operations.push(SessionOperation { operation: Some(operation) });
                waiters.push(Some(waiter));
            }
        }
        // Callers wait equally long, so the queue is in the order of deadlines.
        let first_deadline = waiters.first()?.as_ref()?.deadline;
        let last_deadline = waiters.last()?.as_ref()?.deadline;
        self.last += 1;
        let message = Arc::new(WriteFrame {
            state_id: self.state_id,
            incarnation: self.incarnation,
            sequence: self.last,
            timeout_ms: timeout_ms(last_deadline, now),
            operations,
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

    fn expire(&mut self, queued: &mut Vec<Queued>, now: Instant) {
        for frame in self.frames.iter_mut().filter(|it| it.first_deadline <= now) {
            let late = frame.waiters.iter_mut().filter(|it| it.as_ref().is_some_and(|it| it.deadline <= now));
            late.filter_map(Option::take).for_each(|it| it.time_out(Happened::Maybe));
            // Next time only those who still wait count.
            let first = frame.waiters.iter().flatten().map(|it| it.deadline).min();
            frame.first_deadline = first.unwrap_or(now + limits::OPERATION_TIMEOUT);
        }
        let late = queued.iter().take_while(|it| it.waiter.deadline <= now).count();
        queued.drain(..late).for_each(|it| it.waiter.time_out(Happened::No));
    }

    fn waiting_since(&self) -> Option<Instant> {
        self.frames.front().map(|it| it.sent_at)
    }

    fn end(&mut self, queued: &mut Vec<Queued>, error: &Error) {
        let in_flight = error.clone().after(Happened::Maybe);
        self.frames.drain(..).for_each(|mut frame| frame.tell(&in_flight));
        for item in queued.drain(..) {
            drop(item.waiter.answer.send(Err(error.clone())));
        }
    }
}

impl Sent {
    /// The frame for a new stream: with the time that is left, or empty when nobody waits any more.
    fn again(&mut self, now: Instant) -> Arc<WriteFrame> {
        self.sent_at = now;
        let awaited = self.waiters.iter().flatten().any(|it| !it.answer.is_closed());
        let operations = if awaited { self.message.operations.clone() } else { Vec::new() };
        let timeout_ms = if awaited { timeout_ms(self.last_deadline, now) } else { 0 };
        Arc::new(WriteFrame {
            state_id: self.message.state_id,
            incarnation: self.message.incarnation,
            sequence: self.message.sequence,
            timeout_ms,
            operations,
        })
    }

    /// Takes each result to its caller. Fewer results than operations: the empty frame was taken in this one's place.
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
            // Whoever has gone does not mind.
            drop(waiter.answer.send(outcome));
        }
    }

    fn tell(&mut self, error: &Error) {
        for waiter in self.waiters.iter_mut().filter_map(Option::take) {
            drop(waiter.answer.send(Err(error.clone())));
        }
    }
}

impl Waiter {
    fn timeout(&self, happened: Happened) -> Error {
        Error::Timeout { operation: self.name, after: self.deadline - self.asked_at, happened }
    }

    fn time_out(self, happened: Happened) {
        let error = self.timeout(happened);
        drop(self.answer.send(Err(error)));
    }
}

/// At least one: zero would mean no limit.
fn timeout_ms(deadline: Instant, now: Instant) -> u32 {
    u32::try_from(deadline.saturating_duration_since(now).as_millis()).unwrap_or(u32::MAX).max(1)
}

fn outcome(result: Answer, revision: u64) -> Result<Outcome, Error> {
    match result {
        Answer::Registered(registered) => Ok(Outcome::Registered(Registered {
            epoch: from_proto::epoch(registered.epoch),
            displaced: registered.displaced.map(|it| Box::new(from_proto::holder(it))),
            revision,
        })),
        Answer::Done(_) => Ok(Outcome::Done),
        Answer::Refused(Refused { reason, message, holder }) => Err(Error::Refused {
            reason,
            message,
            field: String::new(),
            holder: holder.map(|it| Box::new(from_proto::holder(it))),
        }),
    }
}

#[cfg(test)]
mod tests;
