//! `keeper.v1.Rollouts`: one file a family of calls.
//!
//! A rollout is judged as the publish that it is to become, and again when it is promoted. What drives it in between is
//! [`crate::rollout`]; these calls are an admin's hand on it.

#[cfg(any(test, fuzzing))]
pub(in crate::rpc) mod fuzz;
mod read;
mod start;
mod step;
mod told;

use keeper_proto::v1 as wire;
use keeper_proto::v1::rollouts_server::Rollouts;
use tonic::{Request, Response, Status};

use crate::problem::Problem;
use crate::propose::Proposer;
use crate::publish::Publisher;
use crate::rollout::{Driver, Promotions};
use crate::rpc::error;
use crate::view::View;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct RolloutService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) publisher: Publisher,
    pub(crate) driver: Driver,
    pub(crate) promotions: Promotions,
}

fn answer<T>(answer: Result<T, Problem>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|problem| error::status(&problem))
}

#[tonic::async_trait]
impl Rollouts for RolloutService {
    async fn start(
        &self,
        request: Request<wire::StartRolloutRequest>,
    ) -> Result<Response<wire::StartRolloutReply>, Status> {
        answer(self.begin(request.into_inner()).await)
    }

    async fn advance(
        &self,
        request: Request<wire::AdvanceRolloutRequest>,
    ) -> Result<Response<wire::RolloutReply>, Status> {
        answer(self.open_next(request.into_inner()).await)
    }

    async fn pause(&self, request: Request<wire::StepRolloutRequest>) -> Result<Response<wire::RolloutReply>, Status> {
        answer(self.pause_at(request.into_inner()).await)
    }

    async fn resume(&self, request: Request<wire::StepRolloutRequest>) -> Result<Response<wire::RolloutReply>, Status> {
        answer(self.go_on(request.into_inner()).await)
    }

    async fn promote(
        &self,
        request: Request<wire::PromoteRolloutRequest>,
    ) -> Result<Response<wire::RolloutReply>, Status> {
        answer(self.publish_now(request.into_inner()).await)
    }

    async fn abort(&self, request: Request<wire::AbortRolloutRequest>) -> Result<Response<wire::RolloutReply>, Status> {
        answer(self.end(request.into_inner()).await)
    }

    async fn get(&self, request: Request<wire::GetRolloutRequest>) -> Result<Response<wire::RolloutReply>, Status> {
        answer(self.one(request.into_inner()).await)
    }

    async fn list(
        &self,
        request: Request<wire::ListRolloutsRequest>,
    ) -> Result<Response<wire::ListRolloutsReply>, Status> {
        answer(self.all(request.into_inner()).await)
    }
}
