//! Reads: first the promise, then the state.
//!
//! A linearizable read waits for one round of ReadIndex, shared by all reads that wait on this node, and then reads the
//! local state: any node serves it. A local read answers at once with what is here and how old it may be. Leases of
//! leadership are never relied on: a follower that restarts forgets the vote it would have kept.
//!
//! A state that has not taken its founding is nobody's: it does not know yet that it may be the rebuild of one that was
//! lost, and would say of everybody that he is not there. So it is not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keeper_registry::{LogTime, Rejection, Revision, State, StateId};

use crate::clock;
use crate::limits::AT_LEAST_MAX;
use crate::problem::Problem;
use crate::raft::{RaftHandle, ReadError};
use crate::replica::Replica;

/// The retry hint of a full queue of reads: a few rounds later there is room.
const READ_RETRY_AFTER_MS: u32 = 10;

/// What a read promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every write acknowledged before the read began.
    Linearizable,
    /// Sees what this node has.
    Local,
    /// Sees at least this revision: a client's own write.
    AtLeast(Revision),
}

/// How old an answer may be, in milliseconds: since when this node knows that it is up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(pub u32);

/// Reads of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct View {
    replica: Arc<Replica>,
    raft: RaftHandle,
    /// The state has taken its founding; it stays so. Asked for once, so that reads take the state's lock once.
    is_founded: Arc<AtomicBool>,
}

impl View {
    /// Over the state and the group that replicates it.
    #[must_use]
    pub fn new(replica: Arc<Replica>, raft: RaftHandle) -> Self {
        Self { replica, raft, is_founded: Arc::default() }
    }

    /// Waits until the state may be read with this promise.
    ///
    /// # Errors
    /// [`Problem::Unconfirmed`]: the promise cannot be kept now.
    pub async fn wait(&self, consistency: Consistency) -> Result<Age, Problem> {
        // Asked first: nobody would confirm to this one what it waits for.
        self.check_member()?;
        let age = self.reach(consistency).await;
        // And last: it may have become known while this one waited.
        self.check_member()?;
        match self.replica.difference() {
            Some(difference) => Err(Problem::Differs { difference: difference.to_string() }),
            None => age,
        }
    }

    async fn reach(&self, consistency: Consistency) -> Result<Age, Problem> {
        let age = match consistency {
            Consistency::Linearizable => {
                self.raft.read_index().await.map_err(|error| self.problem(error))?;
                Age(0)
            }
            Consistency::Local => self.age(),
            Consistency::AtLeast(revision) => {
                self.wait_applied(revision).await?;
                self.age()
            }
        };
        self.check_founded()?;
        Ok(age)
    }

    fn check_member(&self) -> Result<(), Problem> {
        self.raft.removed().map_or(Ok(()), |removed| Err(Problem::Removed { removed: removed.to_string() }))
    }

    fn check_founded(&self) -> Result<(), Problem> {
        if self.is_founded.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.read(|state| state.state_id().is_none()) {
            return Err(Problem::Unconfirmed { reason: "this node's state has not been founded yet" });
        }
        self.is_founded.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Reads the state; [`View::wait`] came first. The closure must be short and bounded.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        self.replica.read(read)
    }

    /// A caller that names a history means the present one. That it is over is said by a state that is known to be
    /// current alone: whoever hears it gives up all its leases, and a new disk, or a node that was away, does not know.
    ///
    /// # Errors
    /// It is another one, or this node cannot find out.
    pub async fn check_history(&self, named: u64) -> Result<(), Problem> {
        let present = || self.read(|state| state.state_id().unwrap_or_default());
        if named == 0 || StateId(named) == present() {
            return Ok(());
        }
        self.wait(Consistency::Linearizable).await?;
        let present = present();
        if StateId(named) == present { Ok(()) } else { Err(Rejection::ForeignState { present }.into()) }
    }

    /// The log time of this moment; see [`Replica::log_time`].
    #[must_use]
    pub fn log_time(&self) -> LogTime {
        self.replica.log_time()
    }

    fn problem(&self, error: ReadError) -> Problem {
        // Asked only now: a cluster is founded once, and read for ever.
        if error == ReadError::NoLeader && self.raft.status().members.is_empty() {
            return Problem::Uninitialized;
        }
        error.into()
    }

    /// Since when this node knows that its state is up to date.
    fn age(&self) -> Age {
        let since = self.raft.up_to_date_at().map(|at| clock::now().duration_since(at).as_millis());
        Age(since.and_then(|ms| u32::try_from(ms).ok()).unwrap_or(u32::MAX))
    }

    async fn wait_applied(&self, revision: Revision) -> Result<(), Problem> {
        let mut applied = self.replica.watch_applied();
        let reached = applied.wait_for(|applied| *applied >= revision);
        match tokio::time::timeout(AT_LEAST_MAX, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Problem::Stopping),
            Err(_) => Err(Problem::Unconfirmed { reason: "this node has not reached the revision asked for" }),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotLeader { leader } => Self::NotLeader { leader: leader.map(|member| member.client_endpoint) },
            ReadError::NoLeader => Self::Unconfirmed { reason: "no leader is known" },
            ReadError::Unconfirmed(reason) => Self::Unconfirmed { reason },
            ReadError::Lagging => Self::Unconfirmed { reason: "this node lags behind the leader" },
            ReadError::Full { limit } => {
                Self::Full { what: "the queue of reads", limit: limit as u64, retry_after_ms: READ_RETRY_AFTER_MS }
            }
            ReadError::Stopped => Self::Stopping,
        }
    }
}
