//! What gateways' writes and senders' lookups have in common: a queue, a stream, frames.
//!
//! No timer forms frames. Whenever a slot of the in-flight window is free, whatever is queued goes into the next frame:
//! a lone caller travels at once and alone, a crowd travels together, and the fuller the queue the cheaper each item.
//! Deadlines are checked in passing, by one clock for all items, so that an item costs no timer of its own.

use std::{future::Future, sync::Arc};

use tokio::{
    sync::mpsc,
    task,
    time::{self, Instant, MissedTickBehavior},
};

use crate::{
    Error, Happened,
    connection::{Aim, Incoming, Link, LinkEvent, Nodes, Outgoing, silence},
    error::Failure,
    limits,
};

/// The part that decides, without IO: numbers frames, matches answers, knows what to send again.
pub(crate) trait Framing: Send + 'static {
    type Item: Send + 'static;
    type Frame: Outgoing;
    type Reply: Incoming;

    /// The method whose stream carries the frames.
    const PATH: &'static str;
    /// Frames that may wait for their answers at once.
    const WINDOW: usize;

    fn has_room(&self) -> bool;

    /// How many items the next frame should carry at least while others are under way.
    fn worth(&self) -> usize {
        0
    }

    /// The next frame, from the front of what is queued; none when nothing there is worth sending.
    fn form(&mut self, queued: &mut Vec<Self::Item>, now: Instant) -> Option<Arc<Self::Frame>>;

    /// Takes an answer to the callers it is for.
    fn answered(&mut self, reply: Self::Reply) -> Verdict;

    /// What a new stream must begin with.
    fn resend(&mut self, now: Instant) -> Vec<Arc<Self::Frame>>;

    /// Tells callers whose time has run out.
    fn expire(&mut self, queued: &mut Vec<Self::Item>, now: Instant);

    /// When the oldest frame without an answer was sent.
    fn waiting_since(&self) -> Option<Instant>;

    /// Tells everybody that this is over.
    fn end(&mut self, queued: &mut Vec<Self::Item>, error: &Error);
}

/// What an answer means for the stream.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Go on.
    Fine,
    /// Nothing after this makes sense on this stream: open another and send again what is unanswered.
    Again(Failure),
    /// Nothing will ever succeed again.
    Over(Error),
}

pub(crate) struct Worker<F: Framing> {
    queue: mpsc::Receiver<F::Item>,
    /// Taken from the queue, not yet in a frame.
    queued: Vec<F::Item>,
    framing: F,
    link: Link<F::Frame, F::Reply>,
    nodes: Arc<Nodes>,
    intake: Intake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intake {
    Open,
    /// Every handle is gone: finish what is in flight.
    Closed,
}

impl<F: Framing> Worker<F> {
    pub(crate) fn new(nodes: Arc<Nodes>, aim: Aim, framing: F, queue: mpsc::Receiver<F::Item>) -> Self {
        let link = Link::new(nodes.clone(), aim, F::PATH, F::WINDOW);
        let queued = Vec::with_capacity(limits::FRAME_OPERATIONS_MAX);
        Self { queue, queued, framing, link, nodes, intake: Intake::Open }
    }

    /// Runs until every handle is gone, or nothing will succeed again.
    pub(crate) async fn run(self, ended: impl Future<Output = Error> + Send) {
        // Whoever waited has been told.
        drop(self.run_to_end(ended).await);
    }

    /// The same, and says why nothing will succeed again: by `ended`, or by an answer.
    pub(crate) async fn run_to_end(mut self, ended: impl Future<Output = Error> + Send) -> Error {
        tokio::pin!(ended);
        let mut tick = time::interval(limits::DEADLINE_CHECK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.intake == Intake::Open || self.framing.waiting_since().is_some() {
            let room = self.link.is_up() && self.framing.has_room() && self.intake == Intake::Open;
            // An idle worker has no deadline to check and should not wake for one.
            let waiting = self.framing.waiting_since().is_some() || !room;
            tokio::select! {
                biased;
                error = &mut ended => return self.end(error),
                event = self.link.event() => {
                    if let Err(error) = self.hear(event).await {
                        return self.end(error);
                    }
                }
                count = self.queue.recv_many(&mut self.queued, limits::FRAME_OPERATIONS_MAX), if room => {
                    if count == 0 {
                        self.intake = Intake::Closed;
                    }
                }
                _ = tick.tick(), if waiting => self.check(Instant::now()),
            }
            self.send();
        }
        Error::Ended { what: "the queue", happened: Happened::No }
    }

    /// Fills the free slots of the window.
    fn send(&mut self) {
        while !self.queued.is_empty()
            && self.queued.len() >= self.framing.worth()
            && self.link.is_up()
            && self.framing.has_room()
        {
            if let Some(frame) = self.framing.form(&mut self.queued, Instant::now()) {
                // A stream that breaks now says so by its next event, and the frame goes out on the next one.
                self.link.send(frame);
            }
        }
    }

    async fn hear(&mut self, event: LinkEvent<F::Reply>) -> Result<(), Error> {
        match event {
            LinkEvent::Opened => {
                for frame in self.framing.resend(Instant::now()) {
                    self.link.send(frame);
                }
            }
            LinkEvent::Reply(reply) => {
                match self.framing.answered(reply) {
                    Verdict::Fine => self.link.confirm(),
                    Verdict::Again(failure) => drop(self.link.fail(failure)),
                    Verdict::Over(error) => return Err(error),
                }
                // Callers woken by this answer ask again at once: let them, so that the next frame carries them all.
                task::yield_now().await;
            }
            LinkEvent::Broken(error) if is_final(&error) => return Err(error),
            LinkEvent::Broken(_) => {}
        }
        Ok(())
    }

    /// Tells callers whose time has run out, and gives up a stream that keeps silent.
    fn check(&mut self, now: Instant) {
        loop {
            self.framing.expire(&mut self.queued, now);
            let before = self.queued.len();
            while self.queued.len() < limits::FRAME_OPERATIONS_MAX {
                match self.queue.try_recv() {
                    Ok(item) => self.queued.push(item),
                    Err(_) => break,
                }
            }
            // What was just taken may have waited too long already, and makes room for more when it has.
            if self.queued.len() == before {
                break;
            }
        }
        let patience = self.nodes.settings.attempt_timeout;
        if self.link.is_up() && self.framing.waiting_since().is_some_and(|since| since + patience <= now) {
            self.link.fail(silence(F::PATH, patience));
        }
    }

    fn end(mut self, error: Error) -> Error {
        self.queue.close();
        while let Ok(item) = self.queue.try_recv() {
            self.queued.push(item);
        }
        self.framing.end(&mut self.queued, &error);
        error
    }
}

/// Refusals after which an incarnation can write nothing any more.
pub(crate) fn is_final(error: &Error) -> bool {
    matches!(error, Error::Refused { .. }) && matches!(error.reason(), "incarnation-closed" | "foreign-state")
}
