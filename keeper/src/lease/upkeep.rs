//! Proposes what time makes due: sweeps, and the slices of kicks.
//!
//! The state says when its next sweep is due, in log time ([`State::next_sweep`]); this worker waits for that moment,
//! in an idle cluster too, and proposes it. What is due answers nobody as live already, so nothing waits for a sweep
//! but memory and the facts it tells: it is governed, one slice at a time, at so many rows a second. Slices of kicks
//! share that rate.
//!
//! Log time passes between entries, and only the proposer stamps it. This worker follows it with a clock of its own,
//! set anew from the state after each proposal. When it is early by a little, the sweep finds nothing due, and the wait
//! that is left is exact.
//!
//! It looks every [`TICK`] instead of being told of deadlines: one may come into being with any entry, and a look is
//! one short read of the state.

use std::sync::Arc;
use std::time::Duration;

use keeper_registry::{Command, LogTime, Reply, State};
use tokio::time::Instant;

use crate::clock::{self, LogClock, WallClock};
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::raft::RaftHandle;
use crate::replica::Replica;

/// How often to look whether something is due.
const TICK: Duration = Duration::from_millis(20);

/// The pause after a slice at least: it leaves the log to those who wait for it, also when a slice found little.
const PAUSE_MIN: Duration = Duration::from_millis(2);

/// How long to wait after a slice that was not decided.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// About what a slice takes in the log.
const SLICE_BYTES: usize = 16;

/// Works while this node leads.
pub struct Upkeep {
    replica: Arc<Replica>,
    raft: RaftHandle,
    proposer: Proposer,
    wall: WallClock,
    rows_per_second: u32,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Sweep,
    KickStep,
}

impl Upkeep {
    /// Over the state, for the leader.
    #[must_use]
    pub const fn new(
        replica: Arc<Replica>,
        raft: RaftHandle,
        proposer: Proposer,
        wall: WallClock,
        rows_per_second: u32,
    ) -> Self {
        Self { replica, raft, proposer, wall, rows_per_second }
    }

    /// Works until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        let mut leadership = self.raft.leadership();
        loop {
            let leads = {
                let leadership = leadership.borrow_and_update();
                leadership.own && leadership.ready
            };
            if !leads {
                if leadership.changed().await.is_err() {
                    return;
                }
                continue;
            }
            tokio::select! {
                changed = leadership.changed() => if changed.is_err() { return },
                () = self.lead() => {}
            }
        }
    }

    /// Works for as long as this node leads; never ends by itself.
    async fn lead(&self) {
        let mut kicks = self.replica.signals().kicks();
        let mut clock = self.log_clock();
        let mut last = Due::KickStep;
        let mut next_at = clock::now();
        loop {
            let now = clock.stamp();
            let Some(due) = self.replica.read(|state| due(state, now, last)) else {
                tokio::select! {
                    () = tokio::time::sleep(TICK) => {}
                    _ = kicks.changed() => {}
                }
                continue;
            };
            tokio::time::sleep_until(next_at).await;
            last = due;
            next_at = match self.slice(due).await {
                Ok(rows) => self.pause(next_at, rows),
                Err(problem) => {
                    tracing::debug!(?due, %problem, "a slice was not done; trying again");
                    clock::now() + PAUSE_AFTER_FAILURE
                }
            };
            clock = self.log_clock();
        }
    }

    fn log_clock(&self) -> LogClock {
        self.replica.log_clock(&self.wall)
    }

    /// Proposes one slice, and says how many rows it took.
    async fn slice(&self, due: Due) -> Result<u32, Problem> {
        let command = match due {
            Due::Sweep => Command::Sweep,
            Due::KickStep => Command::KickStep,
        };
        let Committed { reply, revision } =
            self.proposer.propose(Lane::Upkeep, Proposal::new(command, SLICE_BYTES)).await?;
        let (Reply::Swept { rows, more } | Reply::KickStepped { closed: rows, more }) = reply else {
            return Err(Problem::Unknown { reason: "an answer of another kind" });
        };
        tracing::debug!(?due, rows, more, revision = revision.0, "did a slice");
        Ok(rows)
    }

    /// When the next slice may be proposed, after one that was due at `at`.
    fn pause(&self, at: Instant, rows: u32) -> Instant {
        let cost = Duration::from_secs_f64(f64::from(rows) / f64::from(self.rows_per_second));
        (at + cost).max(clock::now() + PAUSE_MIN)
    }
}

/// What is due, in turn with what was done last: neither sweeps nor kicks wait for the others' end.
fn due(state: &State, now: LogTime, last: Due) -> Option<Due> {
    let sweep = state.next_sweep().is_some_and(|at| at <= now);
    match (sweep, state.kick_pending()) {
        (false, false) => None,
        (true, false) => Some(Due::Sweep),
        (false, true) => Some(Due::KickStep),
        (true, true) if last == Due::Sweep => Some(Due::KickStep),
        (true, true) => Some(Due::Sweep),
    }
}
