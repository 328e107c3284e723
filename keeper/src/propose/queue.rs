//! What has been admitted and not yet proposed, by lane.

use std::collections::VecDeque;

use keeper_registry::{Command, Incarnation};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::clock;
use crate::limits;
use crate::metrics::{Label, Lane, Metrics, Outcome};
use crate::problem::Problem;
use crate::propose::admission::{AdmissionLimits, Load, Refused};
use crate::propose::{Committed, Proposal, came_to};

/// The lanes that wait for no company: leases, controls, configs.
pub(super) const URGENT: [Lane; 2] = [Lane::Lease, Lane::Config];

/// A proposal and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    command: Command,
    bytes: usize,
    deadline: Option<Instant>,
    term: Option<u64>,
    admitted_at: Instant,
    answer: oneshot::Sender<Result<Committed, Problem>>,
}

/// Who waits for one command of a batch.
#[derive(Debug)]
pub(super) struct Asker {
    lane: Lane,
    gateway: Option<Incarnation>,
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
    bytes: usize,
    /// As [`Waiting::operations`] counts them.
    pub(super) operations: usize,
}

/// What there is to propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backlog {
    /// Something of a lane that waits for nobody.
    pub(super) is_urgent: bool,
    /// Of all lanes.
    pub(super) operations: usize,
}

/// What became of a proposal that was taken from its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    /// It was answered: too late, or meant for another term.
    Dropped,
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
    /// Of everything that waits.
    operations: usize,
    closed: bool,
}

impl Waiting {
    pub(super) fn new(proposal: Proposal, answer: oneshot::Sender<Result<Committed, Problem>>) -> Self {
        let Proposal { command, bytes, deadline, term } = proposal;
        Self { command, bytes, deadline, term, admitted_at: clock::now(), answer }
    }

    /// Whose share of the lane it takes.
    const fn gateway(&self) -> Option<Incarnation> {
        match &self.command {
            Command::Frame(frame) | Command::FrameSparing(frame, _) => Some(frame.incarnation),
            Command::Found(_)
            | Command::Kick(_)
            | Command::KickStep
            | Command::OpenInstance(_)
            | Command::CloseInstance(_)
            | Command::Expire(_)
            | Command::Sweep
            | Command::GiveUp(_)
            | Command::Restore(_)
            | Command::Publish(_)
            | Command::SendControl(_)
            | Command::AcknowledgeControl(_)
            | Command::ReserveNode(_)
            | Command::RetireNode(_)
            | Command::RaiseLevel(_)
            | Command::Announce(_)
            | Command::StartRollout(_)
            | Command::AdvanceRollout(_)
            | Command::PauseRollout(_)
            | Command::ResumeRollout(_)
            | Command::StopRollout(_)
            | Command::PromoteRollout(_) => None,
        }
    }

    fn operations(&self) -> usize {
        match &self.command {
            // One without operations, whose callers have gone, still takes its number.
            Command::Frame(frame) | Command::FrameSparing(frame, _) => frame.operations.len().max(1),
            // Of rows, each of which takes about as long.
            Command::Sweep => keeper_registry::limits::SWEEP_SLICE as usize,
            Command::KickStep => keeper_registry::limits::KICK_SLICE as usize,
            Command::Found(_)
            | Command::Kick(_)
            | Command::OpenInstance(_)
            | Command::CloseInstance(_)
            | Command::Expire(_)
            | Command::GiveUp(_)
            | Command::Restore(_)
            | Command::Publish(_)
            | Command::SendControl(_)
            | Command::AcknowledgeControl(_)
            | Command::ReserveNode(_)
            | Command::RetireNode(_)
            | Command::RaiseLevel(_)
            | Command::Announce(_)
            | Command::StartRollout(_)
            | Command::AdvanceRollout(_)
            | Command::PauseRollout(_)
            | Command::ResumeRollout(_)
            | Command::StopRollout(_)
            | Command::PromoteRollout(_) => 1,
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

    /// Admits a proposal.
    pub(super) fn push(&self, lane: Lane, waiting: Waiting) -> Result<(), Refused> {
        let mut lanes = self.lanes.lock();
        if lanes.closed {
            return Err(Refused { by: lane.into(), problem: Problem::Stopping });
        }
        let (gateway, now) = (waiting.gateway(), waiting.admitted_at);
        lanes.load[lane.index()].admit(lane, gateway, waiting.bytes, self.limits, now)?;
        lanes.operations += waiting.operations();
        lanes.waiting[lane.index()].push_back(waiting);
        drop(lanes);
        self.pushed.notify_one();
        Ok(())
    }

    /// Waits until something was pushed since the last wait.
    pub(super) async fn pushed(&self) {
        self.pushed.notified().await;
    }

    pub(super) fn backlog(&self) -> Backlog {
        let lanes = self.lanes.lock();
        let is_urgent = URGENT.iter().any(|lane| !lanes.waiting[lane.index()].is_empty());
        Backlog { is_urgent, operations: lanes.operations }
    }

    /// Takes the next batch of a term from some lanes: by priority, in order within a lane, bounded. What has expired,
    /// or was meant for another term, is answered here.
    pub(super) fn take(&self, from: &[Lane], term: u64, now: Instant) -> Taken {
        let mut taken = Taken::default();
        let mut lanes = self.lanes.lock();
        // Upkeep goes last; so that a storm of sessions does not keep it waiting for ever, its turn comes all the same.
        let overdue = |waiting: &Waiting| now.duration_since(waiting.admitted_at) >= limits::UPKEEP_WAIT_MAX;
        if from.contains(&Lane::Upkeep) && lanes.waiting[Lane::Upkeep.index()].front().is_some_and(overdue) {
            lanes.take_one(Lane::Upkeep, &mut taken, term, now);
        }
        for lane in from.iter().copied() {
            while let Some(next) = lanes.waiting[lane.index()].front() {
                if !taken.has_room_for(next) {
                    return taken;
                }
                lanes.take_one(lane, &mut taken, term, now);
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
            let now = clock::now();
            for asker in &askers {
                lanes.load[asker.lane.index()].release(asker.gateway, asker.bytes, now);
            }
            for lane in Lane::ALL {
                metrics.lane_bytes.of(*lane).set(lanes.load[lane.index()].bytes() as u64);
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
            let Lanes { waiting, load, operations, .. } = &mut *lanes;
            let now = clock::now();
            *operations = 0;
            for (waiting, load) in waiting.iter_mut().zip(load) {
                for next in waiting.drain(..) {
                    load.release(next.gateway(), next.bytes, now);
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

impl Lanes {
    /// Moves the oldest of a lane into a batch, unless it is too late for it.
    fn take_one(&mut self, lane: Lane, taken: &mut Taken, term: u64, now: Instant) {
        let Some(next) = self.waiting[lane.index()].pop_front() else { return };
        let (gateway, bytes) = (next.gateway(), next.bytes);
        self.operations -= next.operations();
        if taken.push(lane, next, term, now) == Fate::Dropped {
            self.load[lane.index()].release(gateway, bytes, now);
        }
    }
}

impl Taken {
    /// What nobody waits for.
    pub(super) fn unasked(commands: Vec<Command>) -> Self {
        Self { operations: commands.len(), commands, ..Self::default() }
    }

    /// A batch holds one proposal at least, however large.
    fn has_room_for(&self, next: &Waiting) -> bool {
        self.commands.is_empty()
            || self.commands.len() < limits::BATCH_COMMANDS_MAX
                && self.bytes + next.bytes <= limits::BATCH_BYTES_MAX
                && self.operations + next.operations() <= limits::BATCH_OPERATIONS_MAX
    }

    /// Adds a proposal, or answers one that is too late.
    fn push(&mut self, lane: Lane, waiting: Waiting, term: u64, now: Instant) -> Fate {
        self.bytes += waiting.bytes;
        self.operations += waiting.operations();
        let gateway = waiting.gateway();
        let Waiting { mut command, bytes, deadline, term: meant, answer, admitted_at: _ } = waiting;
        if meant.is_some_and(|meant| meant != term) {
            drop(answer.send(Err(Problem::NotLeader { leader: None })));
            return Fate::Dropped;
        }
        let expired = deadline.is_some_and(|deadline| deadline < now);
        if expired {
            if let Command::Frame(frame) | Command::FrameSparing(frame, _) = &mut command {
                frame.operations.clear();
            } else {
                drop(answer.send(Err(Problem::Expired)));
                return Fate::Dropped;
            }
        }
        self.commands.push(command);
        self.askers.push(Asker { lane, gateway, bytes, expired, answer });
        Fate::Taken
    }
}
