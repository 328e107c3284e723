//! A rollout never passes its gate: nobody outside of its open stages is told its candidates, and after a reader that
//! has them refused them no further stage opens, and the cluster does not promote it.
//!
//! A reader that refused counts while the same incarnation of it is open and has said what it reads: one that is gone
//! is not waited for by a leader that has never seen it.

use std::collections::{BTreeMap, BTreeSet};

use keeper_registry::{RolloutState, State};

use crate::documents::{PATHS, READERS, Refusal, SERVICE, holds, stage_of};
use crate::history::Records;
use crate::workload::Audit;

/// What a leader had decided may still be on its way into the log when somebody refuses.
const ON_ITS_WAY_MS: u64 = 1_000;

/// The states' side of it.
#[derive(Debug, Default)]
pub(super) struct RolloutGate {
    /// Which incarnation of a reader says since when that it reads everything.
    reading: BTreeMap<&'static str, (u64, u64)>,
    /// Stages, by rollout, and ends by promotion, that were seen open.
    opened: BTreeSet<(u64, usize)>,
    revision: u64,
}

impl RolloutGate {
    /// Looks at a state, and says what should not have opened.
    pub(super) fn see(&mut self, state: &State, refusals: &[Refusal], now_ms: u64) -> Option<String> {
        if state.revision().0 <= self.revision {
            return None;
        }
        self.revision = state.revision().0;
        let mut wrong = None;
        for rollout in state.rollouts() {
            let is_promoted = rollout.state == RolloutState::Promoted && rollout.by.is_empty();
            // What comes after the last stage is for everybody.
            let open = rollout.opened.len() + usize::from(is_promoted);
            for stage in 1..open {
                if self.opened.insert((rollout.id, stage)) {
                    let before = |refusal: &&Refusal| {
                        holds(rollout, refusal.number)
                            && stage_of(rollout, &refusal.reader).is_some_and(|its| its < stage)
                            && self.is_in_force(refusal, now_ms)
                    };
                    wrong = wrong.or_else(|| {
                        let refusal = refusals.iter().find(before)?;
                        Some(format!("rollout gate: stage {stage} of {} opened after {refusal:?}", rollout.id))
                    });
                }
            }
        }
        self.follow(state, now_ms);
        wrong
    }

    fn is_in_force(&self, refusal: &Refusal, now_ms: u64) -> bool {
        let reading = self.reading.get(refusal.reader.as_str());
        refusal.at_ms + ON_ITS_WAY_MS < now_ms && reading.is_some_and(|(_, since_ms)| *since_ms <= refusal.at_ms)
    }

    fn follow(&mut self, state: &State, now_ms: u64) {
        for reader in READERS {
            let open = state.instance_named(SERVICE, reader);
            let reads = |it: u64| {
                PATHS.iter().all(|path| {
                    state.consumed_by(keeper_registry::Incarnation(it)).iter().any(|consumed| *consumed.path == **path)
                })
            };
            match open.map(|it| it.incarnation.0).filter(|it| reads(*it)) {
                None => drop(self.reading.remove(reader)),
                Some(incarnation) => {
                    let known = self.reading.entry(reader).or_insert((incarnation, now_ms));
                    if known.0 != incarnation {
                        *known = (incarnation, now_ms);
                    }
                }
            }
        }
    }
}

/// Whoever runs with candidates is in a stage that was open.
pub(super) fn judge(records: &Records, audit: &Audit) -> Vec<String> {
    let mut violations = Vec::new();
    for (reader, taken) in &records.heard.taken {
        for it in taken.iter().flat_map(|it| it.readings.iter().flatten()) {
            let Some(id) = it.rollout else { continue };
            let rollout = audit.truth.rollouts().iter().find(|rollout| rollout.id == id);
            let stage = rollout.and_then(|rollout| stage_of(rollout, reader));
            if rollout.zip(stage).is_none_or(|(rollout, stage)| stage >= rollout.opened.len()) {
                violations.push(format!("rollout gate: {reader} ran with {it:?}, and is in none of its open stages"));
            }
        }
    }
    violations
}
