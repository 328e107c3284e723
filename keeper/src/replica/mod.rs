//! The replicated state on this node: one lock, one order of changes, and the signals that say what changed.
//!
//! Only the Raft side calls [`Replica::apply`], [`Replica::advance`] and [`Replica::install`], from one task, in log
//! order. Everybody else reads.
//!
//! **One lock, held for one entry.** A reader sees whole entries only: a cursor that says "revision R" has seen all of
//! R. An entry holds at most [`crate::limits::BATCH_OPERATIONS_MAX`] operations, and a read is bounded by the limits of
//! its frame, so that neither side waits for long. The lock is taken once a frame of lookups, not once a key, which is
//! why one lock for the state serves as well as a lock a shard would.
//!
//! **Signals are level-triggered.** They say that something moved, not what; a reader that missed ten signals reads the
//! state once. There is no queue a watcher, and so nothing to overflow.
//!
//! **A replica that is proven to differ is not read.** Whoever proves it says so by [`Replica::doubt`]; it stays so
//! until the process ends, since nothing that this state says can be trusted again.
//!
//! **Log time passes between entries too.** The replica remembers when it heard the newest, so that whoever leads next
//! goes on from there: an election takes nothing from a grace and adds nothing to it. What passes while no node runs is
//! lost to log time.

mod checkpoints;
mod difference;
mod followed;
mod signals;

use std::sync::{Arc, OnceLock};

use keeper_registry::{Command, Frozen, LogTime, Outcome, PresenceLimits, Revision, Stamp, State};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::batch::{Batch, Replies};
use crate::clock::{self, LogClock, WallClock};
use crate::codec::DecodeError;
use crate::levels::{LevelError, Levels, release_of};
use crate::replica::checkpoints::Checkpoints;

pub use checkpoints::Checkpoint;
pub use difference::Difference;
pub use followed::{FollowedSignal, PathSet};
pub use signals::{AddressedSignal, Signals};

/// Why an entry is not applied. The node must stop, because going on without the entry would part it from the other
/// replicas.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It was written by a newer version, or is damaged in spite of its checksums.
    #[error("it does not decode: {0}")]
    Decode(#[from] DecodeError),
    /// It raises the cluster to a level that this node does not know or cannot keep.
    #[error("{0}")]
    Level(#[from] LevelError),
}

/// The state, and who is to be told of its changes. Shared by reference.
#[derive(Debug)]
pub struct Replica {
    state: RwLock<State>,
    /// The newest log time, and when it came.
    heard: Mutex<(LogTime, Instant)>,
    applied: watch::Sender<Revision>,
    signals: Arc<Signals>,
    presence: PresenceLimits,
    checkpoints: Mutex<Checkpoints>,
    difference: OnceLock<Difference>,
    levels: Levels,
}

impl Replica {
    /// An empty state. `presence` says how many facts this node keeps, now and after a snapshot was installed.
    #[must_use]
    pub fn new(presence: PresenceLimits) -> Self {
        Self::at(presence, Levels::unkept())
    }

    /// The same, for a node that keeps the cluster's feature level.
    #[must_use]
    pub fn at(presence: PresenceLimits, levels: Levels) -> Self {
        Self {
            state: RwLock::new(State::new(presence)),
            heard: Mutex::new((LogTime(0), clock::now())),
            applied: watch::Sender::new(Revision(0)),
            signals: Arc::new(Signals::new()),
            presence,
            checkpoints: Mutex::default(),
            difference: OnceLock::new(),
            levels,
        }
    }

    /// Where this node stands among the feature levels.
    #[must_use]
    pub const fn levels(&self) -> &Levels {
        &self.levels
    }

    /// How many presence facts this node keeps.
    #[must_use]
    pub const fn presence_limits(&self) -> PresenceLimits {
        self.presence
    }

    /// Reads the state. The closure must be short and bounded: apply waits for it.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read())
    }

    /// Log time as it passes: that of the newest entry, and what has passed since that came.
    #[must_use]
    pub fn log_clock(&self, wall: &WallClock) -> LogClock {
        let (time, at) = *self.heard.lock();
        LogClock::resume(time, at, wall)
    }

    /// The log time of this moment, behind the leader's by no more than an entry takes to come here.
    #[must_use]
    pub fn log_time(&self) -> LogTime {
        let (time, at) = *self.heard.lock();
        let passed_ms = u64::try_from(clock::now().duration_since(at).as_millis()).unwrap_or(u64::MAX);
        if time == LogTime(0) { time } else { LogTime(time.0.saturating_add(passed_ms)) }
    }

    fn hear(&self, time: LogTime) {
        let mut heard = self.heard.lock();
        if time > heard.0 {
            *heard = (time, clock::now());
        }
    }

    /// The newest revision whose entry has been applied whole.
    #[must_use]
    pub fn applied(&self) -> Revision {
        *self.applied.borrow()
    }

    /// Follows [`Replica::applied`].
    #[must_use]
    pub fn watch_applied(&self) -> watch::Receiver<Revision> {
        self.applied.subscribe()
    }

    /// What watchers wait on.
    #[must_use]
    pub const fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    /// Applies the commands of one entry.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing of the entry was applied.
    pub fn apply(&self, revision: u64, batch: &Batch) -> Result<Replies, ApplyError> {
        let decoded = batch.decode()?;
        for command in decoded.commands.iter() {
            self.levels.read(command.level(), release_of(command.level()))?;
            if let Command::RaiseLevel(raise) = command {
                self.levels.enter(raise.to, &raise.needs)?;
            }
        }
        let at = Stamp { revision: Revision(revision), time: decoded.time };
        let mut replies = Vec::with_capacity(decoded.commands.len());
        let mut events = Vec::new();
        let (is_founded, followed) = {
            let mut state = self.state.write();
            let was_founded = state.state_id().is_some();
            // An entry may carry no commands; it moves revision and time all the same.
            state.advance(at);
            for command in decoded.commands.iter() {
                let Outcome { reply, events: told } = state.apply(at, command);
                replies.push(reply);
                events.extend(told);
            }
            self.checkpoints.lock().pass(revision, || state.hash());
            (!was_founded && state.state_id().is_some(), followed::changed_paths(&state, &events))
        };
        self.hear(at.time);
        self.applied.send_replace(at.revision);
        self.signals.tell(at.revision, &events);
        self.signals.tell_followers(at.revision, &followed);
        // Whoever watched a state without a history waits for its beginning.
        if is_founded {
            self.signals.tell_everybody(at.revision);
        }
        Ok(replies)
    }

    /// Notes an entry without commands: a leader's first, or a change of the membership.
    pub fn advance(&self, revision: u64) {
        let revision = Revision(revision);
        {
            let mut state = self.state.write();
            let time = state.time();
            state.advance(Stamp { revision, time });
            self.checkpoints.lock().pass(revision.0, || state.hash());
        }
        self.applied.send_replace(revision);
    }

    /// The state as it is now, and at the newest entries that are compared.
    #[must_use]
    pub fn checkpoints(&self, count: usize) -> (Checkpoint, Vec<Checkpoint>) {
        let state = self.state.read();
        let now = Checkpoint { index: state.revision().0, hash: state.hash() };
        (now, self.checkpoints.lock().newest(count))
    }

    /// The state's hash at an entry, if it is known.
    #[must_use]
    pub fn hash_at(&self, index: u64) -> Option<u64> {
        let state = self.state.read();
        if state.revision().0 == index { Some(state.hash()) } else { self.checkpoints.lock().at(index) }
    }

    /// This state was proven to differ from that of the majority. The first proof counts.
    pub fn doubt(&self, difference: Difference) {
        if self.difference.set(difference).is_ok() {
            tracing::error!(%difference, "this replica is not read any more, and does not lead");
        }
    }

    /// The proof that this state differs, if there is one.
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        self.difference.get().copied()
    }

    /// The state as it is, for a snapshot. Clones pointers to pages only.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        self.state.read().freeze()
    }

    /// Puts another state in place of this one. `revision` is the last log index it covers.
    pub fn install(&self, state: State, revision: u64) {
        self.hear(state.time());
        let before = {
            let mut present = self.state.write();
            self.checkpoints.lock().clear();
            std::mem::replace(&mut *present, state)
        };
        self.applied.send_replace(Revision(revision));
        self.signals.tell_everybody(Revision(revision));
        // The old state is freed here, behind the lock.
        drop(before);
    }
}

impl Default for Replica {
    fn default() -> Self {
        Self::new(PresenceLimits::default())
    }
}
