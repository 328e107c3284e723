//! Lookup frames, without IO.
//!
//! Reads may be asked any number of times, so frames of a broken stream are simply asked again. Answers come in the
//! order asked; one question's keys lie together in one frame.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use keeper_proto::v1::{self, LookupReply, LookupRequest, lookup_reply};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    Consistency, Error, Formerly, Found, Happened, Looked, Owner, Rebuilding, Session, SessionKey,
    error::Failure,
    limits,
    session::{
        from_proto, to_proto,
        worker::{Framing, Verdict},
    },
};

/// What a caller wants to know.
#[derive(Debug)]
pub(crate) enum Ask {
    Key(SessionKey),
    /// At most `limits::FRAME_OPERATIONS_MAX`; none asks only for the revision.
    Keys(Vec<SessionKey>),
    User(Bytes),
}

/// What was found, in the shape of the question.
#[derive(Debug)]
pub(crate) enum Answered {
    Key(Found),
    Keys(Vec<Found>),
    User(Vec<Session>),
}

#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) ask: Ask,
    /// Only sessions bound to it; empty: all.
    pub(crate) topic: Bytes,
    pub(crate) consistency: Consistency,
    pub(crate) asked_at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Looked<Answered>, Error>>,
}

#[derive(Debug)]
pub(crate) struct Asking {
    last: u64,
    frames: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    message: Arc<LookupRequest>,
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
    answer: Option<oneshot::Sender<Result<Looked<Answered>, Error>>>,
}

/// Which parts of an answer belong to a question.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Key,
    Keys(usize),
    User,
}

impl Ask {
    fn shape(&self) -> Shape {
        match self {
            Self::Key(_) => Shape::Key,
            Self::Keys(keys) => Shape::Keys(keys.len()),
            Self::User(_) => Shape::User,
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::Key(_) | Self::User(_) => 1,
            Self::Keys(keys) => keys.len(),
        }
    }

    fn put(self, request: &mut LookupRequest) {
        match self {
            Self::Key(key) => request.keys.push(to_proto::key(&key)),
            Self::Keys(keys) => request.keys.extend(keys.iter().map(to_proto::key)),
            Self::User(user) => request.users.push(user),
        }
    }
}

impl Asking {
    pub(crate) const fn new() -> Self {
        Self { last: 0, frames: VecDeque::new() }
    }
}

impl Framing for Asking {
    type Item = Question;
    type Frame = LookupRequest;
    type Reply = LookupReply;

    const PATH: &'static str = "/keeper.v1.Sessions/Read";
    const WINDOW: usize = limits::LOOKUP_FRAMES_IN_FLIGHT_MAX;

    fn has_room(&self) -> bool {
        self.frames.len() < Self::WINDOW
    }

    fn form(&mut self, queued: &mut Vec<Question>, now: Instant) -> Option<Arc<LookupRequest>> {
        let topic = queued.first()?.topic.clone();
        let mut keys = 0;
        let fits = |question: &mut Question| {
            let fits = question.topic == topic && keys + question.ask.len() <= limits::FRAME_OPERATIONS_MAX;
            keys += if fits { question.ask.len() } else { 0 };
            fits
        };
        let fitting: Vec<_> = queued.extract_if(.., fits).collect();
        let mut request = LookupRequest { topic, keys: Vec::with_capacity(keys), ..LookupRequest::default() };
        let mut waiters = Vec::with_capacity(fitting.len());
        for Question { ask, topic: _, consistency, asked_at, deadline, answer } in fitting {
            if answer.is_closed() {
                continue;
            }
            waiters.push(Waiter { shape: ask.shape(), asked_at, deadline, answer: Some(answer) });
            ask.put(&mut request);
            demand(&mut request, consistency);
        }
        let first_deadline = waiters.first()?.deadline;
        self.last += 1;
        request.sequence = self.last;
        let message = Arc::new(request);
        self.frames.push_back(Sent { message: message.clone(), waiters, first_deadline, sent_at: now });
        Some(message)
    }

    fn answered(&mut self, reply: LookupReply) -> Verdict {
        let Some(front) = self.frames.front() else {
            return Verdict::Again(Failure::gone(Error::malformed("an answer to no frame")));
        };
        if reply.sequence != front.message.sequence {
            let message = format!("an answer to frame {} instead of {}", reply.sequence, front.message.sequence);
            return Verdict::Again(Failure::gone(Error::malformed(message)));
        }
        if let Some(problem) = reply.problem {
            let failure = Failure::from_problem(problem);
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

    fn resend(&mut self, now: Instant) -> Vec<Arc<LookupRequest>> {
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
    fn deliver(self, reply: LookupReply) {
        let owners = from_proto::owners(reply.owners);
        let age = Duration::from_millis(u64::from(reply.age_ms));
        let rebuilding = reply.rebuilding.map(Rebuilding::from_proto);
        let mut keys = reply.keys.into_iter();
        let mut users = reply.users.into_iter();
        for waiter in self.waiters {
            let mut formerly = Vec::new();
            let answered = take(waiter.shape, &mut keys, &mut users, &owners, &mut formerly);
            let Some(answer) = waiter.answer else { continue };
            let (revision, state_id) = (reply.revision, reply.state_id);
            let looked = answered.map(|found| Looked { found, revision, age, state_id, formerly, rebuilding });
            drop(answer.send(looked));
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

fn take(
    shape: Shape,
    keys: &mut impl Iterator<Item = lookup_reply::Found>,
    users: &mut impl Iterator<Item = lookup_reply::FoundAll>,
    owners: &[Arc<Owner>],
    formerly: &mut Vec<Formerly>,
) -> Result<Answered, Error> {
    let short = || Error::malformed("an answer with fewer results than questions");
    let session = |it| from_proto::session(it, owners);
    let mut found = |it: lookup_reply::Found| {
        if let Some(former) = it.formerly {
            formerly.push(from_proto::formerly(former, owners)?);
        }
        it.session.map(session).transpose()
    };
    match shape {
        Shape::Key => Ok(Answered::Key(found(keys.next().ok_or_else(short)?)?)),
        Shape::Keys(count) => {
            let found = keys.by_ref().take(count).map(found).collect::<Result<Vec<_>, _>>()?;
            if found.len() == count { Ok(Answered::Keys(found)) } else { Err(short()) }
        }
        Shape::User => {
            let all = users.next().ok_or_else(short)?;
            for former in all.formerly {
                formerly.push(from_proto::formerly(former, owners)?);
            }
            Ok(Answered::User(all.sessions.into_iter().map(session).collect::<Result<_, _>>()?))
        }
    }
}

fn time_out(answer: oneshot::Sender<Result<Looked<Answered>, Error>>, asked_at: Instant, deadline: Instant) {
    // A read changes nothing, so it never happened.
    let error = Error::Timeout { operation: "lookup", after: deadline - asked_at, happened: Happened::No };
    drop(answer.send(Err(error)));
}
