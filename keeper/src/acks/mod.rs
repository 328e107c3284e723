//! Acknowledgements: what processes make of the documents they are given, as the leader has heard.
//!
//! **What it promises.** Whatever is said of an instance here, that instance has said of its present incarnation to
//! this leader in its present term of office. Nothing is taken over from a leader before: a new one begins with
//! nothing, says since when it listens, and processes that learn of it say everything again
//! ([`Leadership::office`](crate::raft::Leadership::office) is how they learn). What is not known counts as not
//! applied.
//!
//! **That what is rolled out fails is not forgotten** while the rollout is under way, be it that an instance refuses it
//! or is not well with it, and whatever that instance says or becomes afterwards: who decides about rollouts looks now
//! and then, and an instance that cannot run with a value may be gone by then.
//!
//! **Soft.** None of it is replicated: an entry for every process of every publish would cost more than the publishes.
//! Only what is decided by it enters the log.
//!
//! **Whether an instance runs with what it is to run with** ([`Standing`]) is a comparison of values, and not of
//! revisions alone: a document may be published anew, or a candidate promoted, without anything becoming of it for an
//! instance, which then hears nothing and says nothing. What it said of the revision before stands for the new one, if
//! both are the same document.
//!
//! **Split.** [`table`] keeps what was said, [`standing`] compares it with the state, in slices that do not keep
//! entries from being applied, [`status`] counts and waits, [`gone`] remembers for a wait who has gone meanwhile,
//! [`worker`] forgets who has closed.

mod gone;
mod standing;
mod status;
mod table;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{Incarnation, Instance, Rejection, Revision, State, planted};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

pub use gone::{Gone, Leave};
pub use standing::{Standing, Verdict};
pub use status::{Count, Status, Wait};
pub use table::{Ack, Health};
pub use worker::Worker;

use crate::limits::STATUS_WAITS_MAX;
use crate::merged::Merges;
use crate::metrics::{Applied, Metrics};
use crate::problem::Problem;
use crate::raft::{Leadership, RaftHandle};
use crate::replica::Replica;
use table::Table;

/// What was heard, and from whom. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Acks {
    replica: Arc<Replica>,
    merges: Arc<Merges>,
    metrics: Arc<Metrics>,
    leadership: watch::Receiver<Leadership>,
    heard: Arc<Heard>,
}

#[derive(Debug)]
struct Heard {
    /// The present term of office; none while this node does not lead.
    office: Mutex<Option<Office>>,
    /// Counts what was heard.
    moved: watch::Sender<u64>,
    waits: Semaphore,
}

/// What was heard in one term of office.
#[derive(Debug)]
struct Office {
    name: u64,
    /// In log time.
    since_ms: u64,
    table: Table,
    /// The first failure of each rollout that is under way.
    failed: BTreeMap<u64, Failure>,
    /// Closings are known up to here.
    cursor: Revision,
}

/// That an instance, by its service and id, cannot run with what is rolled out to it, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It refuses a document.
    #[error("{name} refuses {path}: {reason}")]
    Refused {
        /// Which instance.
        name: String,
        /// Which document.
        path: String,
        /// Why.
        reason: Arc<str>,
    },
    /// It says so of itself.
    #[error("{name} is not well: {reason}")]
    Unwell {
        /// Which instance.
        name: String,
        /// Why.
        reason: Arc<str>,
    },
}

/// What one instance says.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// This is all it has to say; what it said before and is not here is forgotten.
    pub is_all: bool,
    /// By path; each once.
    pub documents: Vec<(String, Ack)>,
    /// How it is; none: as before.
    pub health: Option<Health>,
}

impl Acks {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(replica: Arc<Replica>, raft: &RaftHandle, merges: Arc<Merges>, metrics: Arc<Metrics>) -> Self {
        let heard =
            Heard { office: Mutex::new(None), moved: watch::Sender::new(0), waits: Semaphore::new(STATUS_WAITS_MAX) };
        Self { replica, merges, metrics, leadership: raft.leadership(), heard: Arc::new(heard) }
    }

    /// The worker that must run for it.
    #[must_use]
    pub fn worker(&self) -> Worker {
        Worker::new(self.clone())
    }

    /// Takes in what an open instance says; answers the name of this office, and the rollouts that fail by it.
    ///
    /// # Errors
    /// This node does not lead, the incarnation is closed, or there is no room.
    pub fn hear(&self, incarnation: Incarnation, message: Message) -> Result<(u64, Vec<u64>), Problem> {
        let counted: Vec<Applied> = message.documents.iter().map(|(_, ack)| ack.applied).collect();
        let heard = self.in_office(|office| {
            // Asked while the table is held: whoever closes after this is forgotten after this.
            let known = self.replica.read(|state| {
                let instance = state.instance(incarnation)?;
                let paths = state.consumed_by(incarnation).iter().map(|consumed| Arc::clone(&consumed.path));
                let paths: Vec<_> = paths.collect();
                let failures = failures(state, instance, &paths, &message);
                Some((paths, failures))
            });
            let (known, failures) = known.ok_or(Problem::Rejected(Rejection::IncarnationClosed(incarnation)))?;
            office.table.hear(incarnation, message, &known)?;
            let rollouts = failures.iter().map(|(rollout, _)| *rollout).collect();
            for (rollout, failure) in failures {
                office.failed.entry(rollout).or_insert(failure);
            }
            self.metrics.acknowledgements_kept.set(office.table.documents() as u64);
            Ok::<_, Problem>((office.name, rollouts))
        })??;
        for applied in counted {
            self.metrics.acknowledgements.of(applied).inc();
        }
        self.heard.moved.send_modify(|moved| *moved += 1);
        Ok(heard)
    }

    /// Waits until rollouts that failed in this office are over for everybody, so that no leader after this one has to
    /// be told again: whoever said it may have gone by then.
    ///
    /// # Errors
    /// This node leads no longer, or again, or stops.
    pub async fn ended(&self, office: u64, rollouts: &[u64]) -> Result<(), Problem> {
        let (mut applied, mut leadership) = (self.replica.watch_applied(), self.leadership.clone());
        loop {
            applied.mark_unchanged();
            leadership.mark_unchanged();
            let is_over = |state: &State, id: u64| state.rollout(id).is_none_or(|it| it.state.is_finished());
            if self.replica.read(|state| rollouts.iter().all(|id| is_over(state, *id))) {
                return Ok(());
            }
            let moved = tokio::select! {
                moved = applied.changed() => moved,
                moved = leadership.changed() => moved,
            };
            if moved.is_err() || self.office()?.0 != office {
                return Err(Problem::Unconfirmed { reason: "the leader's term has changed" });
            }
        }
    }

    /// The first failure of a rollout that this office has heard of.
    ///
    /// # Errors
    /// This node does not lead.
    pub fn failure(&self, rollout: u64) -> Result<Option<Failure>, Problem> {
        self.in_office(|office| office.failed.get(&rollout).cloned())
    }

    /// What is no longer under way cannot fail any more.
    pub fn forget_failures(&self, is_under_way: impl Fn(u64) -> bool) {
        // Who does not lead has none.
        drop(self.in_office(|office| office.failed.retain(|rollout, _| is_under_way(*rollout))));
    }

    /// Moves when something was heard.
    #[must_use]
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.heard.moved.subscribe()
    }

    /// The name of this office, and since when it listens, in log time.
    ///
    /// # Errors
    /// This node does not lead.
    pub fn office(&self) -> Result<(u64, u64), Problem> {
        self.in_office(|office| (office.name, office.since_ms))
    }

    /// Takes office or leaves it, as leadership is now.
    fn in_office<T>(&self, act: impl FnOnce(&mut Office) -> T) -> Result<T, Problem> {
        let mut present = self.heard.office.lock();
        let leadership = self.leadership.borrow().clone();
        if !leadership.own {
            *present = None;
            self.metrics.acknowledgements_kept.set(0);
            return Err(Problem::NotLeader { leader: leadership.leader_endpoint() });
        }
        if !leadership.ready {
            return Err(Problem::Unconfirmed { reason: "the leader is taking office" });
        }
        let name = leadership.office();
        let office = match present.take().filter(|office| office.name == name) {
            Some(office) => office,
            None => {
                let (since_ms, cursor) = (self.replica.log_time().0, self.replica.applied());
                Office { name, since_ms, table: Table::default(), failed: BTreeMap::new(), cursor }
            }
        };
        let office = present.insert(office);
        if office.since_ms == 0 {
            // Log time begins with the first entry that has one; nobody can have spoken before it.
            office.since_ms = self.replica.log_time().0;
        }
        Ok(act(office))
    }
}

/// What fails of what is rolled out to an instance that reads these paths, by rollout.
fn failures(state: &State, instance: &Instance, paths: &[Arc<str>], message: &Message) -> Vec<(u64, Failure)> {
    if planted!("gate-refused") {
        return Vec::new();
    }
    let name = || format!("{}/{}", instance.service, instance.id);
    let refused = message.documents.iter().filter(|(_, ack)| ack.applied == Applied::Refused);
    let of_rollout = |(path, ack): &(String, Ack)| {
        let given = state.config_for(path, instance);
        let rollout = given.rollout.filter(|_| ack.revision >= given.revision)?;
        Some((rollout, Failure::Refused { name: name(), path: path.clone(), reason: Arc::clone(&ack.reason) }))
    };
    let mut failures: Vec<_> = refused.filter_map(of_rollout).collect();
    if let Some(Health::Unwell(reason)) = &message.health {
        let rollouts = paths.iter().filter_map(|path| state.config_for(path, instance).rollout);
        failures
            .extend(rollouts.map(|rollout| (rollout, Failure::Unwell { name: name(), reason: Arc::clone(reason) })));
    }
    failures
}
