//! What clients asked and what they were told, in the one order in which it happened.
//!
//! Moments are numbers that only grow: an operation that ended at a lower moment than another began at came before it
//! in the world's time. An outcome that is not known ends at [`NEVER`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keeper_client_sdk::{Epoch, Error, PresenceFact};
use parking_lot::Mutex;

use crate::documents::Heard;
use crate::world::Trace;

/// A place in the one order of all beginnings and ends.
pub type Moment = u64;

/// The end of an operation whose outcome nobody knows.
pub const NEVER: Moment = Moment::MAX;

/// Counts refusals for want of room.
const REFUSED: &str = "disk-full";

/// Counts what ended something meanwhile.
const ENDED: &str = "ended-meanwhile";

/// Shared by all clients.
#[derive(Debug, Clone, Default)]
pub struct History {
    now_ms: Arc<AtomicU64>,
    is_short: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    trace: Trace,
    records: Arc<Mutex<Records>>,
}

/// Whether whoever leads takes what makes the state larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// It does.
    Taken,
    /// The disks are too full.
    Refused,
}

/// Everything recorded.
#[derive(Debug, Default)]
pub struct Records {
    /// The world's time at each moment, in milliseconds.
    moments_ms: Vec<u64>,
    /// By the name of the connection, which is used once.
    pub registers: BTreeMap<String, Register>,
    /// Attempts to unregister.
    pub removals: Vec<Removal>,
    /// Answers of lookups.
    pub lookups: Vec<Lookup>,
    /// By incarnation.
    pub leases: BTreeMap<u64, Lease>,
    /// By subscriber.
    pub presence: BTreeMap<String, Vec<Told>>,
    /// Compare-and-set of documents.
    pub replacements: Vec<Replacement>,
    /// Reads of documents.
    pub reads: Vec<Read>,
    /// By watcher.
    pub watched: BTreeMap<String, Vec<Seen>>,
    /// Walks over all sessions.
    pub scans: Vec<Scan>,
    /// What the library itself kept registered, at the end.
    pub kept: Vec<Kept>,
    /// Of documents with layers.
    pub heard: Heard,
    /// Operations by kind: acknowledged, and not.
    pub counts: BTreeMap<&'static str, [u64; 2]>,
}

/// A registration asked for.
#[derive(Debug, Clone)]
pub struct Register {
    /// User.
    pub key: String,
    /// Who asked.
    pub incarnation: u64,
    /// When.
    pub began: Moment,
    /// When it was answered.
    pub ended: Moment,
    /// The answer.
    pub epoch: Option<Epoch>,
    /// The connection that it took the session from, as the answer says.
    pub displaced: Option<String>,
    /// It certainly did not and will not happen.
    pub is_refused: bool,
}

/// An attempt to end a session.
#[derive(Debug, Clone)]
pub struct Removal {
    /// User.
    pub key: String,
    /// The registration meant.
    pub epoch: Epoch,
    /// When it was asked for.
    pub began: Moment,
    /// When it was acknowledged.
    pub ended: Moment,
    /// It ended the session; otherwise the answer was that it was over before.
    pub has_found: bool,
}

/// What a lookup answered.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// User.
    pub key: String,
    /// How fresh it had to be.
    pub freshness: Freshness,
    /// When it was asked.
    pub began: Moment,
    /// When it was answered.
    pub ended: Moment,
    /// The same in the world's time.
    pub ended_ms: u64,
    /// Of the state that answered.
    pub revision: u64,
    /// Who was found.
    pub found: Option<Held>,
}

/// How fresh a read had to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As of its beginning at least.
    Linearizable,
    /// Whatever the node had.
    Local,
}

/// Who holds a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The fencing token.
    pub epoch: Epoch,
    /// The holder.
    pub incarnation: u64,
    /// Its name for the connection.
    pub connection: String,
}

/// A lease as its holder knows it.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Its name.
    pub holder: String,
    /// Acknowledged until then, in the world's time: the holder's own reckoning.
    pub held_until_ms: u64,
    /// How long one renewal holds.
    pub ttl_ms: u64,
    /// When its end was first asked for.
    pub closing: Moment,
    /// When its end was acknowledged.
    pub closed: Moment,
}

/// What a presence subscriber was told.
#[derive(Debug, Clone)]
pub enum Told {
    /// Something happened.
    Fact(Box<PresenceFact>),
    /// The subscriber let go of its stream and went on from its token.
    Resumed,
    /// Facts are gone.
    Reset,
}

/// A compare-and-set.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// The document.
    pub path: String,
    /// Expected.
    pub revision: u64,
    /// What the document held there; 0 when there was none.
    pub from: u64,
    /// Written: unique.
    pub number: u64,
    /// When it was asked for.
    pub began: Moment,
    /// When it was answered.
    pub ended: Moment,
    /// The new revision; none when it is not known whether it happened.
    pub became: Option<u64>,
    /// It certainly did not and will not happen.
    pub is_refused: bool,
}

/// A linearizable read of a document.
#[derive(Debug, Clone)]
pub struct Read {
    /// The document.
    pub path: String,
    /// When it was asked.
    pub began: Moment,
    /// When it was answered.
    pub ended: Moment,
    /// Where it stands; 0 when there is none.
    pub revision: u64,
    /// What it holds.
    pub number: u64,
}

/// What a watcher was shown.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Everything up to this revision has been told with it.
    pub cursor: u64,
    /// The document.
    pub path: String,
    /// Where it stands.
    pub revision: u64,
    /// What it holds.
    pub number: u64,
    /// As part of a full set.
    pub is_reset: bool,
}

/// A walk from its beginning to its end.
#[derive(Debug, Clone)]
pub struct Scan {
    /// When it was asked for.
    pub began: Moment,
    /// When its last page came.
    pub ended: Moment,
    /// The same in the world's time.
    pub ended_ms: u64,
    /// What was registered later need not be in it.
    pub at_revision: u64,
    /// In the order they came.
    pub sessions: Vec<(String, Held)>,
}

/// A connection that the library keeps registered.
#[derive(Debug, Clone)]
pub struct Kept {
    /// User.
    pub key: String,
    /// The name of the connection.
    pub connection: String,
    /// Of its present registration.
    pub epoch: Option<Epoch>,
}

impl Records {
    /// The first moment at this time of the world or later; none when there was none.
    #[must_use]
    pub fn moment_at(&self, at_ms: u64) -> Option<Moment> {
        let earlier = self.moments_ms.partition_point(|it| *it < at_ms);
        (earlier < self.moments_ms.len()).then_some(earlier as Moment + 1)
    }
}

impl History {
    /// An empty history, told to a trace as well.
    #[must_use]
    pub fn new(trace: Trace) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Follows the world's time, and whether it is one of shortage.
    pub fn follow(&self, now_ms: u64, growth: Growth) {
        self.is_short.store(growth == Growth::Refused, Ordering::Relaxed);
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The world's time.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Clients finish what they do, and begin nothing new.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether clients are to begin nothing new.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Something begins or ends now.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let now_ms = self.now_ms();
        let mut records = self.records.lock();
        records.moments_ms.push(now_ms);
        records.moments_ms.len() as Moment
    }

    /// Writes, or reads, what was recorded.
    pub fn with<T>(&self, work: impl FnOnce(&mut Records) -> T) -> T {
        work(&mut self.records.lock())
    }

    /// The processes of these names are gone: nobody speaks for their leases any more.
    pub fn abandon(&self, holders: &[String]) {
        let moment = self.moment();
        self.with(|records| {
            let open = records.leases.values_mut().filter(|lease| lease.closing == NEVER);
            open.filter(|lease| holders.contains(&lease.holder)).for_each(|lease| lease.closing = moment);
        });
    }

    /// Counts what was refused for want of room.
    pub fn count_refused<T>(&self, outcome: &Result<T, Error>) {
        if outcome.as_ref().is_err_and(|error| error.reason() == "disk-full") {
            self.count(REFUSED, &Ok::<(), &str>(()));
        }
    }

    /// Counts what ended something while growth was refused.
    pub fn count_ended<T>(&self, outcome: &Result<T, Error>) {
        if outcome.is_ok() && self.is_short.load(Ordering::Relaxed) {
            self.count(ENDED, &Ok::<(), &str>(()));
        }
    }

    /// How often something was refused for want of room, and how often something ended meanwhile.
    #[must_use]
    pub fn shortage(&self) -> [u64; 2] {
        self.with(|records| [REFUSED, ENDED].map(|kind| records.counts.get(kind).map_or(0, |it| it[0])))
    }

    /// Counts an operation by how it ended.
    pub fn count<T, E: std::fmt::Display>(&self, kind: &'static str, outcome: &Result<T, E>) {
        let counts = self.with(|records| {
            let counts = records.counts.entry(kind).or_default();
            counts[usize::from(outcome.is_err())] += 1;
            *counts
        });
        match outcome {
            Ok(_) => self.trace.tell(self.now_ms(), format_args!("{kind} {counts:?}")),
            Err(error) => self.trace.tell(self.now_ms(), format_args!("{kind} {counts:?}: {error}")),
        }
    }
}
