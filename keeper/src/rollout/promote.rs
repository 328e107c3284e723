//! Publishing what a rollout has tried.

use keeper_registry::{Command, PromoteRollout, Rejection, Rollout};

use crate::limits::JUDGED_AGAIN_MAX;
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::publish::Publisher;

/// About what a promotion takes in the log.
const PROMOTE_BYTES: usize = 1_024;

/// Has candidates judged once more, and publishes them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Promotions {
    proposer: Proposer,
    publisher: Publisher,
}

/// How a rollout is to be promoted.
#[derive(Debug, Clone, Default)]
pub struct Promotion {
    /// Only from this stage.
    pub from_stage: Option<u32>,
    /// Why it is published although something speaks against it by now.
    pub forced: Option<String>,
    /// Who asked; empty: the cluster itself.
    pub author: String,
    /// In this term of office or not at all.
    pub term: Option<u64>,
}

impl Promotions {
    /// With what publishes are judged with.
    #[must_use]
    pub const fn new(proposer: Proposer, publisher: Publisher) -> Self {
        Self { proposer, publisher }
    }

    /// Promotes a rollout.
    ///
    /// # Errors
    /// [`Problem::Objected`] and the like: it may not be published; or those of [`Proposer::propose`].
    pub async fn promote(&self, rollout: &Rollout, promotion: &Promotion) -> Result<Committed, Problem> {
        let mut last = None;
        for _ in 0..JUDGED_AGAIN_MAX {
            let judged = self.publisher.judge_candidates(rollout, promotion.forced.clone()).await?;
            let Promotion { from_stage, forced, author, term } = promotion.clone();
            let promote = PromoteRollout { rollout: rollout.id, from_stage, judged, forced, author };
            let proposal = Proposal { term, ..Proposal::new(Command::PromoteRollout(promote), PROMOTE_BYTES) };
            match self.proposer.propose(Lane::Config, proposal).await {
                Err(problem @ Problem::Rejected(Rejection::Moved { .. })) => last = Some(problem),
                outcome => return outcome,
            }
        }
        Err(last.unwrap_or(Problem::Unknown { reason: "it was not judged" }))
    }
}
