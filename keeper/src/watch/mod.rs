//! Watches: cursors over the state.
//!
//! **What it promises.** A watcher is told everything that changed since its cursor, once, in order, and nothing else.
//! A cursor is valid on every node of the cluster. Below the retained floor, and when the state id is another, the
//! watcher gets `reset` and the full set. What one entry changed arrives together.
//!
//! **How.** Level-triggered: a signal says "the state moved", the watcher reads what is new since its cursor under the
//! state's lock, and waits for the next signal. There is no queue a watcher; a slow one reads a longer difference
//! later, and slows nobody. Memory per watcher is its cursor and its selectors.
//!
//! **Silence means something.** A watch that has had nothing to say for [`crate::limits::WATCH_SILENCE`] says so, with
//! its cursor, if a quorum confirms to this node that it is up to date. A node that is cut off stays silent, and its
//! clients go elsewhere.
//!
//! Watches end when this node stops; the client goes on elsewhere from its cursor.

mod configs;
mod controls;
mod feed;
mod follow;
mod following;
mod instances;
mod notices;
mod presence;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use keeper_registry::{Revision, State, StateId};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::merged::Merges;
use crate::metrics::{Kind, Metrics};
use crate::problem::Problem;
use crate::raft::RaftHandle;
use crate::replica::Replica;
use crate::watch::presence::Pace;

pub use configs::{ConfigWatch, ConfigsChanged};
pub use controls::ControlWatch;
pub use feed::{Feed, Framed, Framing};
pub use follow::{FollowWatch, Followed, Given, Reader};
pub use following::Changed;
pub use instances::{ComingsAndGoings, InstanceWatch, InstancesChanged};
pub use notices::{NoticeWatch, Notices};
pub use presence::{PresenceToken, PresenceWatch, Told};

/// Where watches begin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watches {
    replica: Arc<Replica>,
    raft: RaftHandle,
    metrics: Arc<Metrics>,
    merges: Arc<Merges>,
    ends: Arc<Ends>,
    pace: Pace,
}

/// Ends the watches of now, again and again.
#[derive(Debug)]
struct Ends {
    stop: CancellationToken,
    now: Mutex<CancellationToken>,
}

/// What every watch has: the state, its end, and its place in the count of watchers.
#[derive(Debug)]
struct Watching {
    replica: Arc<Replica>,
    raft: RaftHandle,
    metrics: Arc<Metrics>,
    kind: Kind,
    stop: CancellationToken,
    /// When there was last a word.
    told_at: Instant,
}

/// How far a state reaches, for a watcher with a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// Over the cursor, or it has nothing to do with the cursor's history.
    There,
    /// It is of that history, and not there yet.
    Behind,
    /// It has not taken its founding: a new disk knows nothing yet, and may be about to take over that history.
    Unfounded,
}

impl Arrival {
    fn of(present: &State, cursor: Revision, history: Option<StateId>) -> Self {
        match present.state_id() {
            _ if cursor.0 == 0 => Self::There,
            None => Self::Unfounded,
            id if id == history && present.revision() < cursor => Self::Behind,
            Some(_) => Self::There,
        }
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rested {
    /// There may be something new.
    Moved,
    /// There is nothing new, and this node has shown that it would know.
    Quiet,
}

impl Watches {
    /// Over the state; every watch ends when `stop` is cancelled.
    #[must_use]
    pub fn new(
        replica: Arc<Replica>,
        raft: RaftHandle,
        metrics: Arc<Metrics>,
        merges: Arc<Merges>,
        stop: CancellationToken,
    ) -> Self {
        let now = Mutex::new(stop.child_token());
        Self { replica, raft, metrics, merges, ends: Arc::new(Ends { stop, now }), pace: Pace::new() }
    }

    /// Ends all watches that there are, so that their clients go on elsewhere.
    pub fn end_all(&self) {
        let next = self.ends.stop.child_token();
        std::mem::replace(&mut *self.ends.now.lock(), next).cancel();
    }

    /// Brings this node's state up to a cursor of the present history, so that nothing it covers is told again.
    ///
    /// # Errors
    /// The cursor lies in the future of the cluster, or this node cannot find out.
    async fn reach(&self, cursor: Revision, state: Option<StateId>) -> Result<(), Problem> {
        let arrival = || self.replica.read(|present| Arrival::of(present, cursor, state));
        if arrival() == Arrival::There {
            return Ok(());
        }
        // A linearizable read: afterwards this node has everything that could have been told anywhere before.
        self.raft.read_index().await?;
        if arrival() == Arrival::Behind {
            let (cursor, present) = (cursor.0, self.replica.applied().0);
            let message = format!("`cursor` is {cursor}, and the cluster has only reached {present}: watch from 0");
            return Err(Problem::Invalid { field: "cursor".to_owned(), message });
        }
        Ok(())
    }

    /// Whoever comes when the end has come is told nothing any more.
    fn watching(&self, kind: Kind) -> Result<Watching, Problem> {
        // Taken before it is asked what ends watches: then what ends them in between ends this one.
        let stop = self.ends.now.lock().clone();
        if stop.is_cancelled() {
            return Err(Problem::Stopping);
        }
        if let Some(removed) = self.raft.removed() {
            return Err(Problem::Removed { removed: removed.to_string() });
        }
        if let Some(difference) = self.replica.difference() {
            return Err(Problem::Differs { difference: difference.to_string() });
        }
        self.metrics.watchers.of(kind).inc();
        let Self { replica, raft, metrics, .. } = self.clone();
        Ok(Watching { replica, raft, metrics, kind, stop, told_at: clock::now() })
    }
}

impl Watching {
    /// Something is being told.
    fn told(&mut self) {
        self.told_at = clock::now();
    }

    /// Waits until something moved, or until the silence is worth a word; none when this node stops.
    async fn rest(&mut self, moved: impl Future<Output = Option<()>>, silence: Duration) -> Option<Rested> {
        let mut moved = pin!(moved);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return None,
                moved = &mut moved => return moved.map(|()| Rested::Moved),
                () = tokio::time::sleep_until(self.told_at + silence) => {}
            }
            if self.is_up_to_date().await? {
                return Some(Rested::Quiet);
            }
        }
    }

    /// Whether a quorum confirms that this node has everything; none when this node stops. One that is cut off asks
    /// again after another silence.
    async fn is_up_to_date(&mut self) -> Option<bool> {
        let confirmed = tokio::select! {
            () = self.stop.cancelled() => return None,
            confirmed = self.raft.read_index() => confirmed.is_ok(),
        };
        self.told();
        Some(confirmed)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.metrics.watchers.of(self.kind).dec();
    }
}
