//! Where openraft's random numbers come from.
//!
//! [`TypeConfig`](super::TypeConfig) runs openraft on `DeterministicRng`, whose `spawn` and `thread_rng` read a seed
//! kept in a task-local scope and **panic outside one**. A task spawned inside a scope opens its own with a seed
//! derived from its parent's, so that one scope around the start covers everything openraft ever spawns by itself: the
//! core, the state machine's worker, replication, heartbeats, timers. Of openraft's other calls only `stream_append`
//! spawns, in the task of whoever serves it; the remaining ones send a message to the core and draw nothing.
//!
//! The daemon seeds from the system, a simulation with its own seed: the code is the same. The price is a thread-local
//! swapped at each poll.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft_rt::deterministic_rng::DeterministicRng;
use openraft_rt::task_local::TaskLocalFuture;
use openraft_rt_tokio::TokioRuntime;

/// Keeps scopes of one seed apart; odd, so that no two of them meet before the counter wraps.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// A source of scopes.
#[derive(Debug)]
pub struct Entropy {
    next: AtomicU64,
}

impl Entropy {
    /// Seeded by the system.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the home of openraft's seed")]
    pub fn from_system() -> Self {
        Self::seeded(rand::random())
    }

    /// Seeded by a simulation: the same seed gives the same run.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { next: AtomicU64::new(seed) }
    }

    /// Names whoever has this source; it has drawn nothing when this is asked. Never 0, which names nobody.
    pub(super) fn name(&self) -> u64 {
        self.next.load(Ordering::Relaxed).max(1)
    }

    /// Runs `work`, and whatever openraft spawns in it, on seeds of its own.
    pub(super) fn scope<F: Future>(&self, work: F) -> TaskLocalFuture<Cell<u64>, F> {
        let seed = self.next.fetch_add(STRIDE, Ordering::Relaxed);
        DeterministicRng::<TokioRuntime>::scope(seed, work)
    }
}
