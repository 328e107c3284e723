//! Rollouts: judged as the publish they are to become, when they start and when they are promoted.

use std::sync::Arc;

use keeper_registry::{Command, Gates, Publish, Rejection, Reply, Rollout, Stage, StartRollout, Witness};

use super::{Draft, Judged, Objecting, Published, Publisher, draft, judged};
use crate::clock;
use crate::config::judge::{Case, Objections};
use crate::limits::JUDGED_AGAIN_MAX;
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal};
use crate::view::Consistency;

/// What a stage takes in the log beyond its names.
const STAGE_BYTES: usize = 256;

/// A rollout that has begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its number.
    pub rollout: u64,
    /// What it was judged to do, once it is promoted; without documents when the request had been answered before.
    pub judged: Published,
}

impl Publisher {
    /// Starts to roll a draft out.
    ///
    /// # Errors
    /// As those of [`Publisher::publish`].
    pub async fn start_rollout(&self, draft: Draft, stages: &[Stage], gates: Gates) -> Result<Started, Problem> {
        let draft = Arc::new(draft);
        let mut last = None;
        for _ in 0..JUDGED_AGAIN_MAX {
            self.proposer.check(keeper_registry::Level::CONFIGS)?;
            let judged = match self.judge(&draft, Objecting::Refuses).await {
                Ok(judged) => judged,
                Err(_) => {
                    self.view.wait(Consistency::Linearizable).await?;
                    if let Some(started) = self.started(&draft) {
                        return started;
                    }
                    self.judge(&draft, Objecting::Refuses).await?
                }
            };
            let Judged { publish, documents, objections, notes, .. } = judged;
            let bytes = draft::bytes(&publish) + stages.len() * STAGE_BYTES;
            let start = Command::StartRollout(StartRollout { publish, stages: stages.to_vec(), gates });
            match self.proposer.propose(Lane::Config, Proposal::new(start, bytes)).await {
                Ok(Committed { reply, revision }) => {
                    let judged = Published { revision, changed: true, documents, objections, notes };
                    return Ok(Started { rollout: number(&reply)?, judged });
                }
                Err(problem @ Problem::Rejected(Rejection::Moved { .. })) => last = Some(problem),
                Err(problem) => return Err(problem),
            }
        }
        Err(last.unwrap_or(Problem::Unknown { reason: "it was not judged" }))
    }

    /// What a rollout would do, and what speaks against it; nothing begins.
    ///
    /// # Errors
    /// As those of [`Publisher::try_publish`].
    pub async fn try_rollout(&self, draft: Draft) -> Result<(Publish, Published), Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let Judged { publish, documents, objections, notes, revision } =
            self.judge(&Arc::new(draft), Objecting::IsTold).await?;
        let changed = self.view.read(|state| state.would_publish(&publish))?;
        Ok((publish, Published { revision, changed, documents, objections, notes }))
    }

    /// Judges once more what was rolled out, by the consumers that there are now; says by what.
    ///
    /// # Errors
    /// It may not be published.
    pub async fn judge_candidates(&self, rollout: &Rollout, forced: Option<String>) -> Result<Vec<Witness>, Problem> {
        let forced = forced.or_else(|| rollout.forced.as_deref().map(str::to_owned));
        let changes = rollout.candidates.iter().map(|candidate| candidate.change().clone()).collect();
        let publish = Publish { changes, forced, ..Publish::default() };
        let case = self.view.read(|state| Case::of(state, &publish)).map_err(judged::problem)?;
        let (compiled, keys) = (Arc::clone(&self.compiled), Arc::clone(&self.keys));
        let is_long = case.is_long();
        let judge = move || case.judge(&compiled, &keys).map_err(judged::problem);
        let began = clock::now();
        let verdict = self.in_turn(is_long, judge).await;
        self.count(began, verdict.as_ref().map(|verdict| &verdict.overruled));
        verdict.map(|verdict| verdict.witnesses)
    }

    /// The rollout that a request has begun.
    fn started(&self, draft: &Draft) -> Option<Result<Started, Problem>> {
        let request = draft.request?;
        let answer = self.view.read(|state| state.answered(request).cloned())?;
        Some(answer.map_err(Problem::Rejected).and_then(|reply| number(&reply)).map(|rollout| {
            let revision = self.view.read(keeper_registry::State::revision);
            let objections = Objections::default();
            let (documents, notes) = (Vec::new(), Vec::new());
            let judged = Published { revision, changed: true, documents, objections, notes };
            Started { rollout, judged }
        }))
    }
}

fn number(reply: &Reply) -> Result<u64, Problem> {
    let Reply::Rollout { rollout, .. } = reply else {
        return Err(Problem::Unknown { reason: "an answer of another kind" });
    };
    Ok(*rollout)
}
