//! What this leader knows of the instances that have a rollout's candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keeper_registry::{ClosingCause, Incarnation, Instance, Rollout, State, planted};
use parking_lot::Mutex;

use crate::acks::{Acks, Count, Failure, Health, Standing, Verdict};
use crate::problem::Problem;
use crate::replica::Replica;

/// An instance that has candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its service and id.
    pub name: String,
    /// The worst of what it says of the documents that are rolled out to it.
    pub verdict: Verdict,
    /// What it refuses, and why.
    pub refused: Option<(Arc<str>, Arc<str>)>,
    /// How it is.
    pub health: Option<Health>,
}

/// What is known of a rollout's instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// In the order of their incarnations.
    pub members: Vec<Member>,
    /// Names of those that were among them, and have gone without taking their leave.
    pub gone: Vec<String>,
    /// The first failure that was heard of, whatever has become of that instance.
    pub failure: Option<Failure>,
}

/// The same for an admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Since when this leader listens, in log time.
    pub listening_since_ms: u64,
    /// By verdict; of one that is finished, as this leader saw it last.
    pub count: Count,
    /// Those that are not well.
    pub unwell: usize,
    /// What is waited for: a sentence; empty for one that is finished.
    pub waits_for: String,
}

/// Gathers. Remembers who was in which rollout, in this term of office.
#[derive(Debug)]
pub(super) struct Gatherer {
    replica: Arc<Replica>,
    pub(super) acks: Acks,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    office: u64,
    by_rollout: BTreeMap<u64, Names>,
}

/// Service and id, and the last incarnation that was seen in the rollout.
type Names = BTreeMap<(Arc<str>, Arc<str>), Incarnation>;

impl Evidence {
    /// How many instances stand how.
    #[must_use]
    pub fn count(&self) -> Count {
        Count::of(self.members.iter().map(|member| member.verdict))
    }
}

impl Gatherer {
    pub(super) fn new(replica: Arc<Replica>, acks: Acks) -> Self {
        Self { replica, acks, seen: Mutex::default() }
    }

    /// What is known of a rollout, and the name of the office it was heard in.
    ///
    /// # Errors
    /// This node does not lead.
    pub(super) fn gather(&self, rollout: &Rollout) -> Result<(u64, Evidence), Problem> {
        let (office, _) = self.acks.office()?;
        let mut members = BTreeMap::new();
        let paths: BTreeSet<_> = rollout.candidates.iter().map(keeper_registry::Candidate::path).collect();
        for path in paths {
            for standing in self.acks.standings(path, |instance| rollout.takes(instance))? {
                if standing.rollout == Some(rollout.id) {
                    note(&mut members, path, standing);
                }
            }
        }
        let failure = self.acks.failure(rollout.id)?;
        let (after, _) = self.acks.office()?;
        if after != office {
            return Err(Problem::Unconfirmed { reason: "the leader's term has changed" });
        }
        let gone = self.gone(office, rollout, &members);
        let members = members.into_values().map(|(_, member)| member).collect();
        Ok((office, Evidence { members, gone, failure }))
    }

    /// What is no longer under way is not remembered.
    pub(super) fn keep(&self, is_under_way: impl Fn(u64) -> bool) {
        self.seen.lock().by_rollout.retain(|rollout, _| is_under_way(*rollout));
        self.acks.forget_failures(&is_under_way);
    }

    fn gone(&self, office: u64, rollout: &Rollout, members: &Members) -> Vec<String> {
        let mut seen = self.seen.lock();
        if seen.office != office {
            *seen = Seen { office, by_rollout: BTreeMap::new() };
        }
        let names = seen.by_rollout.entry(rollout.id).or_default();
        let present: BTreeSet<_> = members.keys().copied().collect();
        for (incarnation, (instance, _)) in members {
            names.insert((Arc::clone(&instance.service), Arc::clone(&instance.id)), *incarnation);
        }
        self.replica.read(|state| {
            names.retain(|(service, id), incarnation| {
                present.contains(incarnation) || !took_leave(state, rollout, (service, id), *incarnation)
            });
        });
        let gone = names.iter().filter(|(_, incarnation)| !present.contains(incarnation));
        gone.map(|((service, id), _)| format!("{service}/{id}")).collect()
    }
}

type Members = BTreeMap<Incarnation, (Arc<Instance>, Member)>;

/// Whether an instance that was in a rollout is no longer waited for: it reads nothing of it any more, it has come back
/// as one that the open stages do not take, or it has closed in order and nobody of its name has come since.
fn took_leave(
    state: &State,
    rollout: &Rollout,
    (service, id): (&Arc<str>, &Arc<str>),
    incarnation: Incarnation,
) -> bool {
    match state.instance_named(service, id) {
        Some(present) => present.incarnation == incarnation || !rollout.takes(present),
        None => state.closing(incarnation).is_some_and(|closing| closing.cause == ClosingCause::Closed),
    }
}

fn note(members: &mut Members, path: &Arc<str>, standing: Standing) {
    let Standing { instance, said, health, verdict, .. } = standing;
    // Whoever has said anything at all counts as one that runs with it.
    let verdict = if planted!("gate-refused") && verdict == Verdict::Refused { Verdict::Applied } else { verdict };
    let refused = said.filter(|_| verdict == Verdict::Refused).map(|ack| (Arc::clone(path), ack.reason));
    let name = || format!("{}/{}", instance.service, instance.id);
    let incarnation = instance.incarnation;
    let (_, member) = members.entry(incarnation).or_insert_with(|| {
        let name = name();
        (Arc::clone(&instance), Member { name, verdict, refused: None, health: None })
    });
    member.verdict = member.verdict.min(verdict);
    member.refused = member.refused.take().or(refused);
    member.health = health;
}
