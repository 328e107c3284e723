//! Where rollouts stand.

use keeper_proto::v1 as wire;
use keeper_registry::{Layer, Rejection, Rollout};

use super::{RolloutService, told};
use crate::problem::Problem;
use crate::view::Consistency;

impl RolloutService {
    /// One, and what its instances say of it.
    pub(super) async fn one(&self, request: wire::GetRolloutRequest) -> Result<wire::RolloutReply, Problem> {
        self.proposer.check_leads()?;
        // One that was deposed and does not know it has heard nobody for a while, and would say so.
        self.view.wait(Consistency::Linearizable).await?;
        let wire::GetRolloutRequest { rollout, path } = request;
        let id = self.view.read(|state| match rollout {
            0 => {
                let path = without_layer(&path);
                let last = || state.rollouts().rev().find(|it| it.candidates_of(path).next().is_some());
                state.rollout_of(path).or_else(last).map(|rollout| rollout.id)
            }
            id => Some(id),
        });
        self.reply(id.ok_or(Problem::Rejected(Rejection::NotFound { what: "rollout" }))?)
    }

    /// Those that are remembered, newest first.
    pub(super) async fn all(&self, request: wire::ListRolloutsRequest) -> Result<wire::ListRolloutsReply, Problem> {
        let wire::ListRolloutsRequest { path, unfinished } = request;
        self.view.wait(Consistency::Linearizable).await?;
        let path = without_layer(&path);
        let is_asked = |rollout: &Rollout| {
            (path.is_empty() || rollout.candidates_of(path).next().is_some())
                && !(unfinished && rollout.state.is_finished())
        };
        Ok(self.view.read(|state| wire::ListRolloutsReply {
            revision: state.revision().0,
            rollouts: state.rollouts().rev().filter(|it| is_asked(it)).map(|it| told::rollout(it)).collect(),
        }))
    }

    pub(super) fn reply(&self, rollout: u64) -> Result<wire::RolloutReply, Problem> {
        let present = self.view.read(|state| state.rollout(rollout).cloned());
        let present = present.ok_or(Problem::Rejected(Rejection::NotFound { what: "rollout" }))?;
        // What was done is done, also when somebody else leads by now.
        let heard = self.driver.heard(&present).ok().map(told::heard);
        Ok(wire::RolloutReply { rollout: Some(told::rollout(&present)), heard })
    }
}

fn without_layer(path: &str) -> &str {
    Layer::of_key(path).map_or(path, |(path, _)| path)
}
