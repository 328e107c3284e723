//! The task that turns queued operations into entries.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use keeper_registry::{Command, Level, LogTime, RaiseLevel, Rejection, Reply, Revision, StateId};

use crate::batch::Batch;
use crate::clock::{self, LogClock, WallClock};
use crate::levels::release_of;
use crate::limits;
use crate::metrics::{Label, Metrics};
use crate::problem::Problem;
use crate::propose::queue::{Asker, Queue, Taken, URGENT};
use crate::propose::{Committed, Lane};
use crate::raft::{Leadership, ProposeError, Proposed, RaftHandle};
use crate::replica::Replica;

/// What a node that takes office needs from outside.
pub struct Beginning {
    /// Steers log time.
    pub wall: WallClock,
    /// The name of a history, should it find a state without one.
    pub new_state_id: u64,
}

/// What the worker needs to know of the state when this node takes office.
struct Office {
    term: u64,
    clock: LogClock,
}

/// An entry under way that has its answer.
struct Answered {
    askers: Vec<Asker>,
    operations: usize,
    outcome: Result<Proposed, ProposeError>,
}

/// How long proposals under way may take to be answered when the node stops.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs for a [`crate::propose::Proposer`].
pub struct Worker {
    queue: Arc<Queue>,
    raft: RaftHandle,
    metrics: Arc<Metrics>,
    office: Option<Office>,
    in_flight: FuturesUnordered<BoxFuture<'static, Answered>>,
    /// Of the entries in flight.
    operations: usize,
}

impl Worker {
    pub(super) fn new(queue: Arc<Queue>, raft: RaftHandle, metrics: Arc<Metrics>) -> Self {
        Self { queue, raft, metrics, office: None, in_flight: FuturesUnordered::new(), operations: 0 }
    }

    /// Proposes until `stop` resolves, then answers what is under way and refuses the rest.
    pub async fn run(mut self, replica: Arc<Replica>, beginning: Beginning, stop: impl Future<Output = ()>) {
        let mut leadership = self.raft.leadership();
        let mut stop = std::pin::pin!(stop);
        loop {
            let now_leads = leadership.borrow_and_update().clone();
            self.follow(&now_leads, &replica, &beginning).await;
            self.fill().await;
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(answered) = self.in_flight.next(), if !self.in_flight.is_empty() => self.answer(answered),
                changed = leadership.changed() => if changed.is_err() { break },
                () = self.queue.pushed(), if self.has_room() => {}
            }
        }
        self.queue.close();
        let drained = async {
            while let Some(answered) = self.in_flight.next().await {
                self.answer(answered);
            }
        };
        // Without a quorum there is no answer to wait for; those who wait hear that it is unknown.
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("stopping with proposals under way; their outcome is unknown");
        }
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() < limits::BATCHES_IN_FLIGHT_MAX
    }

    /// Takes office, or leaves it.
    async fn follow(&mut self, leadership: &Leadership, replica: &Replica, beginning: &Beginning) {
        if !leadership.own {
            self.office = None;
            self.queue.refuse_all(&Problem::NotLeader { leader: leadership.leader_endpoint() });
            return;
        }
        let in_office = self.office.as_ref().is_some_and(|office| office.term == leadership.term);
        if !leadership.ready || in_office {
            return;
        }
        let mut office = Office { term: leadership.term, clock: replica.log_clock(&beginning.wall) };
        if replica.read(|state| state.state_id().is_none()) {
            let time = office.clock.stamp();
            // Nobody waits for the answer: a second founding is refused by the state, which is as well.
            let mut founding = vec![Command::Found(StateId(beginning.new_state_id))];
            founding.extend(first_level(&self.raft).await);
            self.propose(office.term, time, Taken::unasked(founding)).await;
        }
        self.office = Some(office);
    }

    async fn fill(&mut self) {
        while let Some(lanes) = self.due() {
            let Some(office) = &mut self.office else { return };
            let taken = self.queue.take(lanes, office.term, clock::now());
            if taken.commands.is_empty() {
                continue;
            }
            let (term, time) = (office.term, office.clock.stamp());
            self.propose(term, time, taken).await;
        }
    }

    /// The lanes to propose from now.
    ///
    /// What waits goes at once when nothing is in flight. Behind entries in flight it goes when it is worth an entry of
    /// its own: as many operations as those carry on the mean. Callers answered together ask again together, so that
    /// small entries would stay small for ever, and an entry costs as much as a hundred operations.
    fn due(&self) -> Option<&'static [Lane]> {
        let backlog = self.queue.backlog();
        if !self.has_room() || backlog.operations == 0 {
            return None;
        }
        let is_worth_it = backlog.operations * self.in_flight.len() >= self.operations;
        if self.in_flight.is_empty() || is_worth_it && self.operations < limits::OPERATIONS_IN_FLIGHT_MAX {
            return Some(Lane::ALL);
        }
        backlog.is_urgent.then_some(&URGENT)
    }

    /// Hands a batch over. The core has taken it when this returns, so that batches enter the log in this order.
    async fn propose(&mut self, term: u64, time: LogTime, taken: Taken) {
        let Taken { commands, askers, operations, .. } = taken;
        self.operations += operations;
        self.metrics.batch_operations.observe(operations as f64);
        let batch = Batch::new(time, commands);
        self.metrics.batch_bytes.observe(batch.encoded().len() as f64);
        let proposed_at = clock::now();
        let submitted = self.raft.submit_in_term(batch, term).await;
        let metrics = Arc::clone(&self.metrics);
        self.in_flight.push(Box::pin(async move {
            let outcome = match submitted {
                Ok(pending) => pending.outcome().await,
                Err(error) => Err(error),
            };
            metrics.batch_seconds.observe(clock::now().duration_since(proposed_at).as_secs_f64());
            Answered { askers, operations, outcome }
        }));
    }

    fn answer(&mut self, answered: Answered) {
        let Answered { askers, operations, outcome } = answered;
        self.operations -= operations;
        match outcome {
            Ok(Proposed { revision, replies }) => {
                let mut replies = replies.into_iter();
                let committed = |reply: Option<Result<Reply, Rejection>>| match reply {
                    Some(Ok(reply)) => Ok(Committed { revision: Revision(revision), reply }),
                    Some(Err(rejection)) => Err(Problem::Rejected(rejection)),
                    None => Err(Problem::Unknown { reason: "the entry was answered without a reply" }),
                };
                self.queue.answer(askers, &self.metrics, || committed(replies.next()));
            }
            Err(error) => {
                let problem = Problem::from(error);
                self.queue.answer(askers, &self.metrics, || Err(problem.clone()));
            }
        }
    }
}

/// A new cluster has no release to go back to: it begins at the newest level that all its members read.
async fn first_level(raft: &RaftHandle) -> Option<Command> {
    let to = raft.common_level().await.filter(|level| *level > Level::FIRST)?;
    Some(Command::RaiseLevel(RaiseLevel { to, needs: release_of(to).to_owned(), author: String::new() }))
}

impl From<ProposeError> for Problem {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotLeader { leader } => {
                Self::NotLeader { leader: leader.map(|member| member.client_endpoint) }
            }
            ProposeError::Unknown(reason) => Self::Unknown { reason },
            ProposeError::Stopped => Self::Stopping,
        }
    }
}
