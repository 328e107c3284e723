//! Removes the rows of closed incarnations, slice by slice.
//!
//! They answer nobody from the entry that closed them; reaping only frees memory. So it is governed: one slice at a
//! time, with a pause after each that leaves the log to those who wait for it.

use std::sync::Arc;
use std::time::Duration;

use keeper_registry::{Command, Reply};

use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::raft::RaftHandle;
use crate::replica::Replica;

/// The pause between two slices of [`keeper_registry::limits::REAP_SLICE`] rows: below 100,000 rows a second, a tenth
/// of what the log takes.
const PAUSE: Duration = Duration::from_millis(10);

/// How long to wait after a slice that was not decided.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// About what a slice takes in the log.
const REAP_BYTES: usize = 16;

/// Reaps while this node leads.
pub struct Reaper {
    replica: Arc<Replica>,
    raft: RaftHandle,
    proposer: Proposer,
}

impl Reaper {
    /// Over the state, for the leader.
    #[must_use]
    pub const fn new(replica: Arc<Replica>, raft: RaftHandle, proposer: Proposer) -> Self {
        Self { replica, raft, proposer }
    }

    /// Reaps until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.reap_while_leading() => {}
        }
    }

    async fn reap_while_leading(&self) {
        let mut leadership = self.raft.leadership();
        let mut instances = self.replica.signals().instances();
        loop {
            let leads = {
                let leadership = leadership.borrow_and_update();
                leadership.own && leadership.ready
            };
            if leads && self.replica.read(keeper_registry::State::reap_pending) {
                tokio::time::sleep(self.slice().await).await;
                continue;
            }
            tokio::select! {
                changed = leadership.changed() => if changed.is_err() { return },
                _ = instances.changed() => {}
            }
        }
    }

    /// Proposes one slice, and says how long to pause.
    async fn slice(&self) -> Duration {
        let proposal = Proposal::new(Command::Reap, REAP_BYTES);
        match self.proposer.propose(Lane::Upkeep, proposal).await {
            Ok(Committed { reply: Reply::Reaped { removed, more }, revision }) => {
                tracing::debug!(removed, more, revision = revision.0, "reaped a slice");
                PAUSE
            }
            Ok(_) => PAUSE_AFTER_FAILURE,
            Err(problem) => {
                tracing::debug!(%problem, "a slice was not reaped; trying again");
                PAUSE_AFTER_FAILURE
            }
        }
    }
}
