//! From many clients' operations to few log entries.
//!
//! **What it promises.** Operations of one lane enter the log in the order they were submitted, so that the frames of
//! one gateway keep theirs. An operation answered with [`Problem::NotLeader`], [`Problem::Full`] or
//! [`Problem::Expired`] did not happen and never will; [`Problem::Unknown`] says that it may have. Nothing waits for a
//! timer: an idle proposer proposes at once, and while entries are under way the next one grows until it is as large as
//! those are on the mean.
//!
//! **Admission comes first.** Each lane admits a bounded number of proposals and bytes, counted from submission to
//! answer, before openraft sees anything: its own brakes are channels, and a full one blocks its core. One gateway
//! holds at most a share of the lane of session writes, so that one that storms does not shut out the others. Full is a
//! refusal with a hint when to try again, computed from what waits and how fast it goes; never a growing queue.
//!
//! **Lanes.** A batch is filled by priority: leases and control, then config and kicks, then session writes, then
//! upkeep. A storm of registrations delays no lease by more than the entries already under way. Upkeep that has waited
//! for [`crate::limits::UPKEEP_WAIT_MAX`] goes into the next batch all the same, one slice of it.
//!
//! **Disk space.** While the leader or a quorum is short of it, what makes the state grow is refused, here or by the
//! entry itself; see [`growth`].
//!
//! **Deadlines.** An operation whose deadline passed is dropped before it is proposed. A frame keeps its place in the
//! order of its gateway: its operations are dropped, its sequence number is not.
//!
//! **Terms.** An entry is proposed in one term of office or not at all, so that what was decided in one term (an
//! expiry, a stamp of time) never enters the log in another.
//!
//! **Time.** The proposer stamps log time. When this node takes office it goes on from the newest applied log time and
//! what has passed since that came, which is why it proposes only once the leader's own first entry has been applied.

mod admission;
mod growth;
mod queue;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use keeper_registry::{Command, Level, Rejection, Reply, Revision};
use tokio::sync::oneshot;
use tokio::time::Instant;

pub use crate::metrics::Lane;
pub use admission::AdmissionLimits;
pub use worker::{Beginning, Worker};

use crate::metrics::{Metrics, Outcome};
use crate::problem::Problem;
use crate::propose::queue::{Queue, Waiting};
use crate::raft::RaftHandle;

/// How long a caller waits for the outcome of a proposal. Past it the outcome is unknown: without a quorum an entry
/// stays pending for as long as the quorum stays away.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// What a proposal came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The log index of its entry.
    pub revision: Revision,
    /// What the state answered.
    pub reply: Reply,
}

/// Something to propose.
#[derive(Debug)]
pub struct Proposal {
    /// What.
    pub command: Command,
    /// About how many bytes it takes in the log; admission counts them.
    pub bytes: usize,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Propose in this term of office or not at all.
    pub term: Option<u64>,
}

/// Where operations are submitted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Proposer {
    queue: Arc<Queue>,
    raft: RaftHandle,
    metrics: Arc<Metrics>,
}

/// An admitted proposal. Dropping it abandons the answer, not the proposal.
#[derive(Debug)]
pub struct Pending {
    answer: oneshot::Receiver<Result<Committed, Problem>>,
}

impl Proposer {
    /// A proposer and the worker that must run for it.
    #[must_use]
    pub fn new(raft: RaftHandle, limits: AdmissionLimits, metrics: Arc<Metrics>) -> (Self, Worker) {
        let queue = Arc::new(Queue::new(limits));
        let worker = Worker::new(Arc::clone(&queue), raft.clone(), Arc::clone(&metrics));
        (Self { queue, raft, metrics }, worker)
    }

    /// Admits an operation to a lane. Its place in the order is taken when this returns.
    ///
    /// # Errors
    /// [`Problem::NotLeader`], [`Problem::Full`], [`Problem::Stopping`]: it did not happen.
    pub fn submit(&self, lane: Lane, proposal: Proposal) -> Result<Pending, Problem> {
        let (needed, present) = (proposal.command.level(), self.raft.levels().reached());
        if needed > present {
            // Refused by every node that knows it, and not decoded by those that do not: it never reaches the log.
            return Err(Problem::Rejected(Rejection::LevelTooLow { needed, present }));
        }
        let (sender, answer) = oneshot::channel();
        let admitted = self
            .raft
            .leads()
            .map_err(|leader| self.elsewhere(leader))
            .and_then(|()| self.spare(proposal))
            .and_then(|proposal| self.push(lane, Waiting::new(proposal, sender)));
        if let Err(problem) = &admitted {
            self.metrics.proposals.of(lane).of(came_to(problem)).inc();
        }
        admitted.map(|()| Pending { answer })
    }

    /// Whether this node may propose, as far as it knows: for work that is done before.
    ///
    /// # Errors
    /// [`Problem::NotLeader`], and what [`Proposer::submit`] says in its place.
    pub fn check_leads(&self) -> Result<(), Problem> {
        self.raft.leads().map_err(|leader| self.elsewhere(leader))
    }

    /// Keeps what is refused for want of disk space out of the log; a leader whose state is wrong decides nothing.
    fn spare(&self, proposal: Proposal) -> Result<Proposal, Problem> {
        if let Some(difference) = self.raft.difference() {
            return Err(Problem::Differs { difference: difference.to_string() });
        }
        let level = self.raft.levels().reached();
        match self.raft.shortage() {
            Some(shortage) => Ok(Proposal { command: growth::spare(proposal.command, shortage, level)?, ..proposal }),
            None => Ok(proposal),
        }
    }

    fn push(&self, lane: Lane, waiting: Waiting) -> Result<(), Problem> {
        self.queue.push(lane, waiting).map_err(|refused| {
            if let Problem::Full { .. } = refused.problem {
                self.metrics.refused.of(refused.by).inc();
            }
            refused.problem
        })
    }

    /// The same for what comes with a level.
    ///
    /// # Errors
    /// Those of [`Proposer::check_leads`], or the level is not reached.
    pub fn check(&self, needed: Level) -> Result<(), Problem> {
        let present = self.raft.levels().reached();
        if needed > present {
            return Err(Problem::Rejected(Rejection::LevelTooLow { needed, present }));
        }
        self.check_leads()
    }

    fn elsewhere(&self, leader: Option<String>) -> Problem {
        if let Some(removed) = self.raft.removed() {
            return Problem::Removed { removed: removed.to_string() };
        }
        let uninitialized = leader.is_none() && self.raft.status().members.is_empty();
        if uninitialized { Problem::Uninitialized } else { Problem::NotLeader { leader } }
    }

    /// Admits an operation and waits for its outcome.
    ///
    /// # Errors
    /// Those of [`Proposer::submit`] and [`Pending::outcome`].
    pub async fn propose(&self, lane: Lane, proposal: Proposal) -> Result<Committed, Problem> {
        self.submit(lane, proposal)?.outcome().await
    }
}

impl Proposal {
    /// An operation without a deadline, for any term.
    #[must_use]
    pub const fn new(command: Command, bytes: usize) -> Self {
        Self { command, bytes, deadline: None, term: None }
    }
}

impl Pending {
    /// Waits for the outcome.
    ///
    /// # Errors
    /// [`Problem::Rejected`] by the state; [`Problem::NotLeader`] and [`Problem::Expired`]: it did not happen;
    /// [`Problem::Unknown`]: it may have.
    pub async fn outcome(self) -> Result<Committed, Problem> {
        match tokio::time::timeout(OUTCOME_TIMEOUT, self.answer).await {
            Ok(Ok(outcome)) => outcome,
            // The worker ended with the proposal in its hands.
            Ok(Err(_)) => Err(Problem::Unknown { reason: "the node is stopping" }),
            Err(_) => Err(Problem::Unknown { reason: "a quorum did not confirm it in time" }),
        }
    }
}

/// What metrics call the end of a proposal.
fn came_to(problem: &Problem) -> Outcome {
    match problem {
        Problem::Rejected(_)
        | Problem::Invalid { .. }
        | Problem::Absent { .. }
        | Problem::Declined { .. }
        | Problem::Objected(_) => Outcome::Rejected,
        Problem::Full { .. } | Problem::Idle { .. } | Problem::GivenUp { .. } => Outcome::Full,
        Problem::Expired => Outcome::Expired,
        Problem::NotLeader { .. }
        | Problem::Uninitialized
        | Problem::Locked { .. }
        | Problem::Differs { .. }
        | Problem::Removed { .. }
        | Problem::Stopping => Outcome::NotLeader,
        Problem::Unknown { .. } | Problem::Unconfirmed { .. } => Outcome::Unknown,
    }
}
