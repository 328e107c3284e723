//! Confirming reads and leadership, many at a time.
//!
//! A linearizable read needs a quorum to confirm, **after the read arrived**, that the leader still leads; then it may
//! be answered from any state that has applied what the leader had committed by then. One such round serves everybody
//! who arrived before it started. So there is at most one round under way: whoever arrives meanwhile waits for the
//! next, which starts as soon as this one ends and is shared by all of them. Load makes rounds larger, not more.
//!
//! On the leader a round is openraft's ReadIndex, never its lease: a lease trusts clocks, and a follower's does not
//! survive its restart. On a follower it is one question to the leader, whose own round it joins there.
//!
//! Waiting for the state to catch up happens beside the next round, not before it.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use keeper_proto::peer::envelope::Kind;
use keeper_registry::{Revision, planted};
use openraft::ReadPolicy;
use openraft::errors::{LinearizableReadError, RaftError};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::leadership::Leadership;
use super::limits::{AGE_REFRESH, READ_APPLY_MAX, READ_INDEX_MAX, READS_WAITING_MAX};
use super::machine::RaftNode;
use super::network::{CallError, Class, Peers};
use super::type_config::{Member, TypeConfig};
use crate::clock;
use crate::codec::{DecodeError, Input, Output};

/// What a round proved: at some moment after it started, `leader` led in `term`, and everything acknowledged before had
/// an index of at most `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// The term confirmed.
    pub term: u64,
    /// A state that has applied this index has everything acknowledged before the round.
    pub index: u64,
}

/// Why nothing was confirmed. Asking again is always safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// This node does not lead.
    #[error("this node does not lead")]
    NotLeader {
        /// Who does, if known.
        leader: Option<Member>,
    },
    /// No leader is known.
    #[error("no leader is known")]
    NoLeader,
    /// The leader could not reach its quorum, or this node not its leader, in time.
    #[error("leadership was not confirmed: {0}")]
    Unconfirmed(&'static str),
    /// This node has not yet applied what a confirmed read must see.
    #[error("this node lags behind the leader")]
    Lagging,
    /// Too many are waiting.
    #[error("{limit} reads are waiting already")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopped,
}

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// The state here has applied what the round confirmed; on any node.
    Applied,
    /// The round alone; on the leader.
    Leader,
}

#[derive(Debug)]
struct Waiter {
    want: Want,
    answer: oneshot::Sender<Result<Confirmed, ReadError>>,
}

/// Where callers queue for the next round.
#[derive(Debug, Default)]
pub(super) struct ReadQueue {
    waiting: Mutex<Queue>,
    arrived: Notify,
    rounds: AtomicU64,
    /// Start of the newest round whose index is applied here.
    up_to_date_at: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiters: Vec<Waiter>,
    closed: bool,
}

/// Runs the rounds.
pub(super) struct ReadRounds {
    pub(super) queue: Arc<ReadQueue>,
    pub(super) raft: RaftNode,
    pub(super) peers: Arc<Peers>,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) applied: watch::Receiver<Revision>,
}

impl ReadQueue {
    /// Everything acknowledged before this moment is in the state here. Where reads ask for it, and so make it matter,
    /// it is brought forward by a round in the background; nobody waits for that one.
    pub(super) fn up_to_date_at(&self) -> Option<Instant> {
        let at = *self.up_to_date_at.lock();
        if at.is_none_or(|at| clock::now().duration_since(at) >= AGE_REFRESH) {
            let mut queue = self.waiting.lock();
            if queue.waiters.is_empty() && !queue.closed {
                let (answer, _nobody) = oneshot::channel();
                queue.waiters.push(Waiter { want: Want::Applied, answer });
                self.arrived.notify_one();
            }
        }
        at
    }

    /// Rounds run so far.
    pub(super) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    fn settled(&self, started: Instant) {
        let mut at = self.up_to_date_at.lock();
        // Rounds settle out of order when an earlier one had to wait for the state.
        *at = (*at).max(Some(started));
    }

    /// Waits for a round that starts after this call.
    pub(super) async fn confirm(&self, want: Want) -> Result<Confirmed, ReadError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.waiting.lock();
            if queue.closed {
                return Err(ReadError::Stopped);
            }
            if queue.waiters.len() == READS_WAITING_MAX {
                return Err(ReadError::Full { limit: READS_WAITING_MAX });
            }
            queue.waiters.push(Waiter { want, answer });
            if queue.waiters.len() == 1 {
                self.arrived.notify_one();
            }
        }
        answered.await.unwrap_or(Err(ReadError::Stopped))
    }

    fn take(&self) -> Vec<Waiter> {
        mem::take(&mut self.waiting.lock().waiters)
    }

    /// Refuses whoever waits, and whoever comes.
    pub(super) fn close(&self) {
        let mut queue = self.waiting.lock();
        queue.closed = true;
        queue.waiters.clear();
    }
}

/// How a round ended well.
struct Round {
    confirmed: Confirmed,
    /// The leader confirmed is this node.
    own: bool,
}

impl ReadRounds {
    pub(super) async fn run(self) {
        let mut settling = FuturesUnordered::new();
        loop {
            beside(&mut settling, self.queue.arrived.notified()).await;
            let waiters = self.queue.take();
            self.queue.rounds.fetch_add(1, Ordering::Relaxed);
            let started = clock::now();
            let outcome = beside(&mut settling, self.round(&waiters)).await;
            settling.extend(self.answer(started, waiters, outcome));
        }
    }

    async fn round(&self, waiters: &[Waiter]) -> Result<Round, ReadError> {
        let leadership = self.leadership.borrow().clone();
        if leadership.own && planted!("old-leader-reads") {
            let confirmed = Confirmed { term: leadership.term, index: self.applied.borrow().0 };
            return Ok(Round { confirmed, own: true });
        }
        if leadership.own {
            return Ok(Round { confirmed: self.read_index().await?, own: true });
        }
        let (id, member) = leadership.leader.ok_or(ReadError::NoLeader)?;
        if waiters.iter().all(|waiter| waiter.want == Want::Leader) {
            return Err(ReadError::NotLeader { leader: Some(member) });
        }
        Ok(Round { confirmed: self.ask(id, &member).await?, own: false })
    }

    async fn read_index(&self) -> Result<Confirmed, ReadError> {
        let linearizer = self.raft.get_read_linearizer(ReadPolicy::ReadIndex).await.map_err(not_confirmed)?;
        let read = linearizer.read_log_id();
        let office = read.committed_leader_id();
        // Leases compare the bare term with that of their own office, which is sound only among offices of one node.
        if office.node_id != *self.raft.node_id() {
            return Err(ReadError::Unconfirmed("the index to read at is another leader's"));
        }
        Ok(Confirmed { term: office.term, index: read.index() })
    }

    async fn ask(&self, leader: u64, member: &Member) -> Result<Confirmed, ReadError> {
        let peer = self.peers.peer(Class::Control, leader, member);
        let answer = peer.call(Kind::ReadIndex, Bytes::new(), READ_INDEX_MAX).await.map_err(|error| {
            tracing::debug!(%error, "a read was not confirmed");
            ReadError::Unconfirmed(match error {
                CallError::Unreachable { .. } => "the leader cannot be reached",
                CallError::Silent { .. } => "the leader did not answer in time",
                CallError::Refused { .. } | CallError::TookBack { .. } => "the leader could not confirm that it leads",
                CallError::Malformed { .. } => "the leader's answer does not decode",
            })
        })?;
        Confirmed::decode(answer).map_err(|_| ReadError::Unconfirmed("the leader's answer does not decode"))
    }

    /// Answers whoever can be answered now; the rest as soon as the state has caught up.
    fn answer(
        &self,
        started: Instant,
        waiters: Vec<Waiter>,
        outcome: Result<Round, ReadError>,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let Round { confirmed, own } = match outcome {
            Ok(round) => round,
            Err(error) => {
                answer_all(waiters, &Err(error));
                return None;
            }
        };
        let (leader_wanted, state_wanted): (Vec<_>, _) =
            waiters.into_iter().partition(|waiter| waiter.want == Want::Leader);
        let leader = if own { Ok(confirmed) } else { Err(ReadError::NotLeader { leader: self.leader() }) };
        answer_all(leader_wanted, &leader);
        if self.applied.borrow().0 >= confirmed.index {
            self.queue.settled(started);
            answer_all(state_wanted, &Ok(confirmed));
            return None;
        }
        let (queue, mut applied) = (Arc::clone(&self.queue), self.applied.clone());
        Some(async move {
            let outcome = catch_up(&mut applied, confirmed).await;
            if outcome.is_ok() {
                queue.settled(started);
            }
            answer_all(state_wanted, &outcome);
        })
    }

    fn leader(&self) -> Option<Member> {
        self.leadership.borrow().leader.as_ref().map(|(_, member)| member.clone())
    }
}

/// Runs `work` to its end, and `settling` beside it.
async fn beside<T, F: Future<Output = ()>>(settling: &mut FuturesUnordered<F>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(()) = settling.next() => {}
        }
    }
}

async fn catch_up(applied: &mut watch::Receiver<Revision>, confirmed: Confirmed) -> Result<Confirmed, ReadError> {
    let caught_up = applied.wait_for(|applied| applied.0 >= confirmed.index);
    match tokio::time::timeout(READ_APPLY_MAX, caught_up).await {
        Ok(Ok(_)) => Ok(confirmed),
        Ok(Err(_)) => Err(ReadError::Stopped),
        Err(_) => Err(ReadError::Lagging),
    }
}

fn answer_all(waiters: Vec<Waiter>, outcome: &Result<Confirmed, ReadError>) {
    for waiter in waiters {
        // The caller may have gone.
        _ = waiter.answer.send(outcome.clone());
    }
}

fn not_confirmed(error: RaftError<TypeConfig, LinearizableReadError<TypeConfig>>) -> ReadError {
    match error {
        RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => {
            ReadError::NotLeader { leader: forward.leader_node }
        }
        RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => {
            ReadError::Unconfirmed("the leader cannot reach its quorum")
        }
        RaftError::Fatal(_) => ReadError::Stopped,
    }
}

impl Confirmed {
    const VERSION: u8 = 1;

    pub(super) fn encode(self) -> Bytes {
        let mut output = Output::versioned(Self::VERSION, 18);
        output.u64(self.term);
        output.u64(self.index);
        output.finish()
    }

    fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (_, mut input) = Input::versioned("a read index", Self::VERSION, bytes)?;
        let confirmed = Self { term: input.u64()?, index: input.u64()? };
        input.finish()?;
        Ok(confirmed)
    }
}
