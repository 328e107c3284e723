//! Lookup frames, without IO.
//!
//! Reads may be asked any number of times, so frames of a broken stream are simply asked again. Answers come in the
//! order asked; one question's keys lie together in one frame. All questions of a frame are about the same topic, or
//! about none.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use keeper_proto::v1::{self, LookupRequest};
use prost::Message;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    Consistency, Error, Happened,
    error::Failure,
    limits,
    session::{
        answer::{Answer, Frame},
        ask::{Ask, Encoded, Shape},
        worker::{Framing, Verdict},
    },
};

#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) ask: Ask,
    /// Only sessions bound to it; empty: all.
    pub(crate) topic: Bytes,
    pub(crate) consistency: Consistency,
    pub(crate) asked_at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Answer, Error>>,
}

#[derive(Debug)]
pub(crate) struct Asking {
    last: u64,
    frames: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    sequence: u64,
    message: Arc<Encoded>,
    waiters: Vec<Waiter>,
    first_deadline: Instant,
    sent_at: Instant,
}

#[derive(Debug)]
struct Waiter {
    shape: Shape,
    asked_at: Instant,
    deadline: Instant,
    /// None once told; the question's part of the answer must still be passed over.
    answer: Option<oneshot::Sender<Result<Answer, Error>>>,
}

impl Asking {
    pub(crate) const fn new() -> Self {
        Self { last: 0, frames: VecDeque::new() }
    }
}

impl Framing for Asking {
    type Item = Question;
    type Frame = Encoded;
    type Reply = Frame;

    const PATH: &'static str = "/keeper.v1.Sessions/Read";
    const WINDOW: usize = limits::LOOKUP_FRAMES_IN_FLIGHT_MAX;

    fn has_room(&self) -> bool {
        self.frames.len() < Self::WINDOW
    }

    /// As many as those under way carry on the mean; see the window of writes.
    fn worth(&self) -> usize {
        let carried: usize = self.frames.iter().map(|sent| sent.waiters.len()).sum();
        (carried / self.frames.len().max(1)).min(limits::FRAME_OPERATIONS_MAX)
    }

    fn form(&mut self, queued: &mut Vec<Question>, now: Instant) -> Option<Arc<Encoded>> {
        let topic = queued.first()?.topic.clone();
        let (mut count, mut bytes) = (0, 0);
        let fits = |question: &mut Question| {
            let length = question.ask.shape.len();
            let fits = count + length <= limits::FRAME_OPERATIONS_MAX && question.topic == topic;
            if fits {
                count += length;
                bytes += question.ask.fields.len();
            }
            fits
        };
        let fitting: Vec<_> = queued.extract_if(.., fits).filter(|it| !it.answer.is_closed()).collect();
        let first_deadline = fitting.first()?.deadline;
        self.last += 1;
        let mut request = LookupRequest { sequence: self.last, topic, ..LookupRequest::default() };
        fitting.iter().for_each(|question| demand(&mut request, question.consistency));
        let mut message = Vec::with_capacity(request.encoded_len() + bytes);
        // A vector has room for everything.
        let _ = request.encode(&mut message);
        let mut waiters = Vec::with_capacity(fitting.len());
        for Question { ask: Ask { shape, fields }, asked_at, deadline, answer, .. } in fitting {
            message.extend_from_slice(&fields);
            waiters.push(Waiter { shape, asked_at, deadline, answer: Some(answer) });
        }
        let message = Arc::new(Encoded(message));
        let sequence = self.last;
        self.frames.push_back(Sent { sequence, message: message.clone(), waiters, first_deadline, sent_at: now });
        Some(message)
    }

    fn answered(&mut self, reply: Frame) -> Verdict {
        let Some(front) = self.frames.front() else {
            return Verdict::Again(Failure::gone(Error::malformed("an answer to no frame")));
        };
        if reply.sequence != front.sequence {
            let message = format!("an answer to frame {} instead of {}", reply.sequence, front.sequence);
            return Verdict::Again(Failure::gone(Error::malformed(message)));
        }
        let problem = reply.problem.clone().map(Failure::from_problem);
        if let Some(failure) = problem {
            if failure.error.is_retryable() {
                return Verdict::Again(failure);
            }
            if let Some(frame) = self.frames.pop_front() {
                frame.tell(&failure.error);
            }
            return Verdict::Fine;
        }
        if let Some(frame) = self.frames.pop_front() {
            frame.deliver(reply);
        }
        Verdict::Fine
    }

    fn resend(&mut self, now: Instant) -> Vec<Arc<Encoded>> {
        self.frames.retain(|frame| frame.waiters.iter().any(Waiter::waits));
        for frame in &mut self.frames {
            frame.sent_at = now;
        }
        self.frames.iter().map(|frame| frame.message.clone()).collect()
    }

    fn expire(&mut self, queued: &mut Vec<Question>, now: Instant) {
        for frame in self.frames.iter_mut().filter(|it| it.first_deadline <= now) {
            for waiter in frame.waiters.iter_mut().filter(|it| it.deadline <= now) {
                if let Some(answer) = waiter.answer.take() {
                    time_out(answer, waiter.asked_at, waiter.deadline);
                }
            }
            let first = frame.waiters.iter().filter(|it| it.answer.is_some()).map(|it| it.deadline).min();
            frame.first_deadline = first.unwrap_or(now + limits::OPERATION_TIMEOUT);
        }
        let late = queued.iter().take_while(|it| it.deadline <= now).count();
        queued.drain(..late).for_each(|it| time_out(it.answer, it.asked_at, it.deadline));
    }

    fn waiting_since(&self) -> Option<Instant> {
        self.frames.front().map(|it| it.sent_at)
    }

    fn end(&mut self, queued: &mut Vec<Question>, error: &Error) {
        self.frames.drain(..).for_each(|frame| frame.tell(error));
        queued.drain(..).for_each(|it| drop(it.answer.send(Err(error.clone()))));
    }
}

/// All questions of a stream want the same kind of freshness; of several revisions the highest serves all.
fn demand(request: &mut LookupRequest, consistency: Consistency) {
    let kind = match consistency {
        Consistency::Linearizable => v1::Consistency::Linearizable,
        Consistency::Local => v1::Consistency::Local,
        Consistency::AtLeast(revision) => {
            request.at_least = request.at_least.max(revision);
            v1::Consistency::AtLeast
        }
    };
    request.set_consistency(kind);
}

impl Sent {
    fn deliver(self, reply: Frame) {
        let mut results = reply.results();
        for waiter in self.waiters {
            match waiter.answer {
                Some(answer) => drop(answer.send(results.take(waiter.shape))),
                None => drop(results.skip(waiter.shape)),
            }
        }
    }

    fn tell(self, error: &Error) {
        for answer in self.waiters.into_iter().filter_map(|it| it.answer) {
            drop(answer.send(Err(error.clone())));
        }
    }
}

impl Waiter {
    fn waits(&self) -> bool {
        self.answer.as_ref().is_some_and(|it| !it.is_closed())
    }
}

fn time_out(answer: oneshot::Sender<Result<Answer, Error>>, asked_at: Instant, deadline: Instant) {
    // A read changes nothing, so it never happened.
    let error = Error::Timeout { operation: "lookup", after: deadline - asked_at, happened: Happened::No };
    drop(answer.send(Err(error)));
}
