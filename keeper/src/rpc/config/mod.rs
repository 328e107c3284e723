//! `keeper.v1.Configs`.
//!
//! Texts are parsed here and nowhere else: on the leader before they are proposed, on any node for who only asks. What
//! is published is judged by [`crate::publish`]; the entry carries the text and the canonical value, and no replica
//! ever parses. Secrets are masked in all that leaves a node, but for who may see them.

mod compare;
mod convert;
mod draft;
mod effective;
mod keys;
mod lint;
mod read;
mod told;
mod watch;

use keeper_proto::v1 as wire;
use keeper_proto::v1::configs_server::Configs;
use prost::Message;
use tonic::{Request, Response, Status};

pub(super) use draft::draft;
pub(super) use told::published;

use crate::limits::READ_INLINE_BYTES_MAX;
use crate::problem::Problem;
use crate::publish::{Draft, Publisher};
use crate::rpc::status::StatusService;
use crate::rpc::{ReplyStream, Reveals, error};
use crate::view::View;
use crate::watch::Watches;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct ConfigService {
    pub(crate) view: View,
    pub(crate) publisher: Publisher,
    pub(crate) watches: Watches,
    pub(crate) status: StatusService,
    pub(crate) reveals: Reveals,
}

fn answer<T>(answer: Result<T, Problem>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|problem| error::status(&problem))
}

#[tonic::async_trait]
impl Configs for ConfigService {
    type WatchStream = ReplyStream<wire::ConfigsChanged>;

    async fn publish(&self, request: Request<wire::PublishRequest>) -> Result<Response<wire::PublishReply>, Status> {
        answer(self.publish_or_try(request.into_inner()).await)
    }

    async fn rollback(&self, request: Request<wire::RollbackRequest>) -> Result<Response<wire::PublishReply>, Status> {
        answer(self.publish_past(request.into_inner()).await)
    }

    async fn get(&self, request: Request<wire::GetConfigRequest>) -> Result<Response<wire::GetConfigReply>, Status> {
        answer(self.document(request.into_inner()).await)
    }

    async fn list(
        &self,
        request: Request<wire::ListConfigsRequest>,
    ) -> Result<Response<wire::ListConfigsReply>, Status> {
        answer(self.documents(request.into_inner()).await)
    }

    async fn history(&self, request: Request<wire::HistoryRequest>) -> Result<Response<wire::HistoryReply>, Status> {
        answer(self.versions(request.into_inner()).await)
    }

    async fn lint(&self, request: Request<wire::LintRequest>) -> Result<Response<wire::LintReply>, Status> {
        answer(self.linted(request.into_inner()).await)
    }

    async fn effective(
        &self,
        request: Request<wire::EffectiveRequest>,
    ) -> Result<Response<wire::EffectiveReply>, Status> {
        answer(self.effective_for(request.into_inner()).await)
    }

    async fn diff(&self, request: Request<wire::DiffRequest>) -> Result<Response<wire::DiffReply>, Status> {
        answer(self.compared(request.into_inner()).await)
    }

    async fn merge(&self, request: Request<wire::MergeRequest>) -> Result<Response<wire::MergeReply>, Status> {
        answer(self.merged(request.into_inner()).await)
    }

    async fn convert(&self, request: Request<wire::ConvertRequest>) -> Result<Response<wire::ConvertReply>, Status> {
        answer(self.converted(request.into_inner()).await)
    }

    async fn consumers(
        &self,
        request: Request<wire::ConsumersRequest>,
    ) -> Result<Response<wire::ConsumersReply>, Status> {
        answer(self.readers(&request.into_inner().path).await)
    }

    async fn status(
        &self,
        request: Request<wire::ConfigStatusRequest>,
    ) -> Result<Response<wire::ConfigStatusReply>, Status> {
        answer(self.status.status(request.into_inner()).await)
    }

    async fn watch(&self, request: Request<wire::WatchConfigsRequest>) -> Result<Response<Self::WatchStream>, Status> {
        answer(self.changes(request.into_inner()).await)
    }
}

/// Reads what is asked for; large texts where nobody waits behind them.
pub(super) async fn read(publisher: &Publisher, request: wire::PublishRequest) -> Result<Draft, Problem> {
    if request.encoded_len() <= READ_INLINE_BYTES_MAX {
        return draft(request);
    }
    publisher.offload().compute(move || draft(request)).await
}

impl ConfigService {
    pub(super) async fn read(&self, request: wire::PublishRequest) -> Result<Draft, Problem> {
        read(&self.publisher, request).await
    }

    async fn publish_or_try(&self, request: wire::PublishRequest) -> Result<wire::PublishReply, Problem> {
        let dry_run = request.dry_run;
        let draft = self.read(request).await?;
        let done = if dry_run { self.publisher.try_publish(draft).await } else { self.publisher.publish(draft).await };
        done.map(published)
    }
}
