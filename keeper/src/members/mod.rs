//! Who is a member of the cluster: taken in, promoted, left out, replaced, while it works.
//!
//! **What it promises.**
//!
//! 1. A number is given to one data directory and never again. Whoever joins gets one from the replicated count; a
//!    founder that leaves is counted before it is forgotten.
//! 2. No change is proposed that would leave fewer than a majority of the voters answering ([`quorum`]).
//! 3. A node votes only after it has what the leader has: it is a learner first, always.
//! 4. Every change is a series of steps each of which can be repeated. Asked again after it was cut off, wherever that
//!    was, it goes on. That is why nothing of a change is remembered: each step looks at what there is.
//! 5. One change at a time: one turn at the leader, and each step names the membership it was decided on, so that two
//!    leaders, of which one does not know yet that it is none, do not undo each other's work.
//!
//! **Split.** [`change`] is what can be asked; [`quorum`] decides; [`turn`] performs, one step after the other, in the
//! call of whoever asked: a caller that goes away ends it between two steps, and the same call goes on from there.
//! [`newcomer`] finds out who a node is that is to join. [`steward`] does what nobody has to ask for: it completes what
//! a former leader left half-done, takes members in anew whose disk was replaced, and has those sent everything again
//! without whom no majority is left ([`mend`]).
//!
//! **Left out.** There is no way to insist on what is refused: each refusal is either of something that could not be
//! committed, or says what to do first. Changing the address of a member is not built: `replace` does it with a new
//! number. Nothing chooses by itself how many voters there are.

mod change;
mod limits;
mod mend;
mod newcomer;
mod quorum;
mod steward;
mod transfer;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;

pub use change::{Change, Changed, Progress, Rank};
pub use steward::{Steward, Wiped};

use crate::members::turn::Turn;
use crate::problem::Problem;
use crate::propose::Proposer;
use crate::raft::RaftHandle;
use crate::replica::Replica;

/// Where changes are asked for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Members {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    raft: RaftHandle,
    replica: Arc<Replica>,
    proposer: Proposer,
    /// A voter that was not heard of for longer does not answer: it would have begun an election.
    silence_max: Duration,
    /// What has the turn.
    under_way: Mutex<Option<String>>,
}

/// Where progress is told. Nobody has to listen.
#[derive(Debug, Clone)]
pub struct Tell(mpsc::Sender<Progress>);

impl Tell {
    /// With where it arrives.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Progress>) {
        let (sender, reports) = mpsc::channel(limits::REPORTS_AHEAD);
        (Self(sender), reports)
    }

    fn tell(&self, progress: Progress) {
        // Who reads slowly, or has gone, misses some; the next one says all the same.
        drop(self.0.try_send(progress));
    }
}

impl Members {
    /// For one node; it works while that node leads.
    #[must_use]
    pub fn new(raft: RaftHandle, replica: Arc<Replica>, proposer: Proposer, silence_max: Duration) -> Self {
        let under_way = Mutex::new(None);
        Self { shared: Arc::new(Shared { raft, replica, proposer, silence_max, under_way }) }
    }

    /// Changes the membership, or who leads; returns once that is so.
    ///
    /// # Errors
    /// [`Problem::Declined`] and [`Problem::Absent`] say why not; [`Problem::NotLeader`] who is to be asked instead,
    /// also when this node had to hand leadership over on the way; asked again it goes on where it was.
    pub async fn change(&self, change: Change, tell: &Tell) -> Result<Changed, Problem> {
        let turn = self.turn(change.sentence())?;
        turn.complete().await?;
        match change {
            Change::Add { peer_endpoint, rank } => turn.add(&peer_endpoint, rank, tell).await,
            Change::Promote(node) => turn.promote(node, tell).await,
            Change::Demote(node) => turn.demote(node, tell).await,
            Change::Remove(node) => turn.remove(node, tell).await,
            Change::Replace { old, peer_endpoint } => turn.replace(old, &peer_endpoint, tell).await,
            Change::Transfer(to) => turn.transfer(to, tell).await,
        }
    }

    /// The turn to change something, if this node leads and nobody else has it.
    fn turn(&self, what: String) -> Result<Turn<'_>, Problem> {
        self.shared.leads()?;
        let mut under_way = self.shared.under_way.lock();
        if let Some(other) = under_way.as_ref() {
            let message = format!("another change is under way: {other}");
            return Err(Problem::Declined { reason: "changing", message });
        }
        *under_way = Some(what);
        drop(under_way);
        Ok(Turn { shared: &self.shared })
    }
}

impl Shared {
    /// Whether this node leads, and has seen all that was decided before it did.
    fn leads(&self) -> Result<(), Problem> {
        self.raft.leads().map_err(|leader| {
            if let Some(removed) = self.raft.removed() {
                return Problem::Removed { removed: removed.to_string() };
            }
            let uninitialized = leader.is_none() && self.raft.status().members.is_empty();
            if uninitialized { Problem::Uninitialized } else { Problem::NotLeader { leader } }
        })?;
        if self.raft.leadership().borrow().ready {
            Ok(())
        } else {
            Err(Problem::Unconfirmed { reason: "this node has not taken office yet" })
        }
    }
}
