//! What an admin does to a rollout that is under way.

use std::sync::Arc;

use keeper_proto::v1 as wire;
use keeper_registry::{AdvanceRollout, Command, Level, Rejection, Rollout, StepRollout, StopCause, StopRollout};

use super::RolloutService;
use crate::problem::Problem;
use crate::propose::{Lane, Proposal};
use crate::rollout::Promotion;

/// About what a step takes in the log beyond its reason.
const STEP_BYTES: usize = 256;

impl RolloutService {
    /// By hand, whatever instances say; at the last stage it is promoted.
    pub(super) async fn open_next(&self, request: wire::AdvanceRolloutRequest) -> Result<wire::RolloutReply, Problem> {
        let wire::AdvanceRolloutRequest { rollout, from_stage, author } = request;
        let present = self.present(rollout)?;
        if present.stage() == from_stage && present.opened.len() >= present.stages.len() {
            let promotion = Promotion { from_stage: Some(from_stage), author, ..Promotion::default() };
            return self.promoted(&present, &promotion).await;
        }
        self.step(rollout, Command::AdvanceRollout(AdvanceRollout { rollout, from_stage, author })).await
    }

    pub(super) async fn pause_at(&self, request: wire::StepRolloutRequest) -> Result<wire::RolloutReply, Problem> {
        let wire::StepRolloutRequest { rollout, author } = request;
        self.step(rollout, Command::PauseRollout(StepRollout { rollout, author })).await
    }

    pub(super) async fn go_on(&self, request: wire::StepRolloutRequest) -> Result<wire::RolloutReply, Problem> {
        let wire::StepRolloutRequest { rollout, author } = request;
        self.step(rollout, Command::ResumeRollout(StepRollout { rollout, author })).await
    }

    pub(super) async fn publish_now(
        &self,
        request: wire::PromoteRolloutRequest,
    ) -> Result<wire::RolloutReply, Problem> {
        let wire::PromoteRolloutRequest { rollout, author, forced } = request;
        let forced = (!forced.is_empty()).then_some(forced);
        let present = self.present(rollout)?;
        self.promoted(&present, &Promotion { forced, author, ..Promotion::default() }).await
    }

    pub(super) async fn end(&self, request: wire::AbortRolloutRequest) -> Result<wire::RolloutReply, Problem> {
        let wire::AbortRolloutRequest { rollout, author, reason } = request;
        let cause = StopCause::Aborted;
        self.step(rollout, Command::StopRollout(StopRollout { rollout, cause, reason, author })).await
    }

    async fn promoted(&self, rollout: &Rollout, promotion: &Promotion) -> Result<wire::RolloutReply, Problem> {
        self.promotions.promote(rollout, promotion).await?;
        self.reply(rollout.id)
    }

    async fn step(&self, rollout: u64, command: Command) -> Result<wire::RolloutReply, Problem> {
        let bytes = if let Command::StopRollout(stop) = &command { stop.reason.len() } else { 0 } + STEP_BYTES;
        self.proposer.propose(Lane::Config, Proposal::new(command, bytes)).await?;
        self.reply(rollout)
    }

    /// A rollout, as this leader has it.
    fn present(&self, rollout: u64) -> Result<Arc<Rollout>, Problem> {
        self.proposer.check(Level::CONFIGS)?;
        let missing = Rejection::NotFound { what: "rollout" };
        self.view.read(|state| state.rollout(rollout).cloned()).ok_or(Problem::Rejected(missing))
    }
}
