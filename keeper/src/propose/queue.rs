//! What has been admitted and not yet proposed, by lane.

use std::collections::VecDeque;

use keeper_registry::Command;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::limits;
use crate::metrics::{Label, Lane, Metrics, Outcome};
use crate::problem::Problem;
use crate::propose::admission::{AdmissionLimits, Load};
use crate::propose::{Committed, Proposal, came_to};

/// A proposal and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    command: Command,
    bytes: usize,
    deadline: Option<Instant>,
    term: Option<u64>,
    answer: oneshot::Sender<Result<Committed, Problem>>,
}

/// Who waits for one command of a batch.
#[derive(Debug)]
pub(super) struct Asker {
    lane: Lane,
    bytes: usize,
    /// Its operations were dropped; only its place in the order was proposed.
    expired: bool,
    answer: oneshot::Sender<Result<Committed, Problem>>,
}

/// Commands taken from the queue, and who waits for each.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) commands: Vec<Command>,
    pub(super) askers: Vec<Asker>,
}

/// The lanes. Shared by those who submit and the worker that takes.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    limits: AdmissionLimits,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct Lanes {
    waiting: [VecDeque<Waiting>; Lane::ALL.len()],
    load: [Load; Lane::ALL.len()],
    closed: bool,
}

impl Waiting {
    pub(super) fn new(proposal: Proposal, answer: oneshot::Sender<Result<Committed, Problem>>) -> Self {
        let Proposal { command, bytes, deadline, term } = proposal;
        Self { command, bytes, deadline, term, answer }
    }

    fn operations(&self) -> usize {
        match &self.command {
            Command::Frame(frame) => frame.operations.len(),
            // A slice of reaping touches as many rows as a frame may; the others touch few.
            Command::Reap => limits::BATCH_OPERATIONS_MAX / 4,
            Command::Found(_)
            | Command::Kick(_)
            | Command::OpenInstance(_)
            | Command::CloseInstance(_)
            | Command::Expire(_)
            | Command::Publish(_)
            | Command::SendControl(_)
            | Command::AcknowledgeControl(_) => 1,
        }
    }
}

impl Asker {
    /// Delivers an answer. Who no longer waits misses it.
    fn answer(self, outcome: Result<Committed, Problem>, metrics: &Metrics) {
        let outcome = if self.expired { Err(Problem::Expired) } else { outcome };
        let label = outcome.as_ref().map_or_else(came_to, |_| Outcome::Done);
        metrics.proposals.of(self.lane).of(label).inc();
        drop(self.answer.send(outcome));
    }
}

impl Queue {
    pub(super) fn new(limits: AdmissionLimits) -> Self {
        Self { lanes: Mutex::default(), limits, pushed: Notify::new() }
    }

    pub(super) fn push(&self, lane: Lane, waiting: Waiting) -> Result<(), Problem> {
        let mut lanes = self.lanes.lock();
        if lanes.closed {
            return Err(Problem::Stopping);
        }
        lanes.load[lane.index()].admit(lane, waiting.bytes, self.limits)?;
        lanes.waiting[lane.index()].push_back(waiting);
        drop(lanes);
        self.pushed.notify_one();
        Ok(())
    }

    /// Waits until something was pushed since the last wait.
    pub(super) async fn pushed(&self) {
        self.pushed.notified().await;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.lock().waiting.iter().all(VecDeque::is_empty)
    }

    /// Takes the next batch of a term: by priority, in order within a lane, bounded. What has expired, or was meant for
    /// another term, is answered here.
    pub(super) fn take(&self, term: u64, now: Instant) -> Taken {
        let mut taken = Taken::default();
        let (mut bytes, mut operations) = (0, 0);
        let mut lanes = self.lanes.lock();
        for lane in Lane::ALL.iter().copied() {
            while let Some(next) = lanes.waiting[lane.index()].front() {
                let fits = taken.commands.len() < limits::BATCH_COMMANDS_MAX
                    && bytes + next.bytes <= limits::BATCH_BYTES_MAX
                    && operations + next.operations() <= limits::BATCH_OPERATIONS_MAX;
                if !fits && !taken.commands.is_empty() {
                    return taken;
                }
                bytes += next.bytes;
                operations += next.operations();
                if let Some(next) = lanes.waiting[lane.index()].pop_front()
                    && let Some(released) = taken.push(lane, next, term, now)
                {
                    lanes.load[lane.index()].release(released);
                }
            }
        }
        taken
    }

    /// Answers a batch.
    pub(super) fn answer(
        &self,
        askers: Vec<Asker>,
        metrics: &Metrics,
        mut outcome: impl FnMut() -> Result<Committed, Problem>,
    ) {
        {
            let mut lanes = self.lanes.lock();
            for asker in &askers {
                lanes.load[asker.lane.index()].release(asker.bytes);
            }
            for lane in Lane::ALL {
                metrics.lane_bytes.of(*lane).set(lanes.load[lane.index()].bytes as u64);
            }
        }
        for asker in askers {
            asker.answer(outcome(), metrics);
        }
    }

    /// Answers everything that waits: none of it happened.
    pub(super) fn refuse_all(&self, problem: &Problem) {
        let mut refused = Vec::new();
        {
            let mut lanes = self.lanes.lock();
            let Lanes { waiting, load, .. } = &mut *lanes;
            for (waiting, load) in waiting.iter_mut().zip(load) {
                for next in waiting.drain(..) {
                    load.release(next.bytes);
                    refused.push(next.answer);
                }
            }
        }
        for answer in refused {
            drop(answer.send(Err(problem.clone())));
        }
    }

    /// Refuses everything from now on.
    pub(super) fn close(&self) {
        self.lanes.lock().closed = true;
        self.refuse_all(&Problem::Stopping);
    }
}

impl Taken {
    /// Adds a proposal to the batch, unless it is too late for it. Gives the bytes of one that was dropped.
    fn push(&mut self, lane: Lane, waiting: Waiting, term: u64, now: Instant) -> Option<usize> {
        let Waiting { mut command, bytes, deadline, term: meant, answer } = waiting;
        if meant.is_some_and(|meant| meant != term) {
            drop(answer.send(Err(Problem::NotLeader { leader: None })));
            return Some(bytes);
        }
        let expired = deadline.is_some_and(|deadline| deadline < now);
        if expired {
            if let Command::Frame(frame) = &mut command {
                frame.operations.clear();
            } else {
                drop(answer.send(Err(Problem::Expired)));
                return Some(bytes);
            }
        }
        self.commands.push(command);
        self.askers.push(Asker { lane, bytes, expired, answer });
        None
    }
}
