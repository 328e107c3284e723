//! `keeper.v1.Follows`: config documents as processes read them.
//!
//! What processes are told travels as bytes that were written once for all who are told the same ([`frame`]), past
//! generated code ([`route`]): at thousands of followers, encoding is what would cost.

mod acknowledge;
mod announce;
mod frame;
#[cfg(any(test, fuzzing))]
pub(in crate::rpc) mod fuzz;
mod request;
mod route;

use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use keeper_proto::v1 as wire;
use keeper_proto::v1::follows_server::Follows;
use keeper_registry::{Incarnation, Revision, StateId};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::acks::Acks;
use crate::config::schema::Compiled;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::propose::Proposer;
use crate::rpc::encoded::Encoded;
use crate::rpc::{ReplyStream, error, reader};
use crate::view::{Consistency, View};
use crate::watch::{Reader, Watches};

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct FollowService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) watches: Watches,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) acks: Acks,
    pub(crate) metrics: Arc<Metrics>,
}

#[tonic::async_trait]
impl Follows for FollowService {
    type FollowStream = ReplyStream<wire::Followed>;

    async fn announce(&self, request: Request<wire::AnnounceRequest>) -> Result<Response<wire::AnnounceReply>, Status> {
        let reply = self.say(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    /// As messages, for those who take no detour.
    async fn follow(&self, request: Request<wire::FollowRequest>) -> Result<Response<Self::FollowStream>, Status> {
        let replies = self.follow_encoded(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        let decode = |encoded: Result<Encoded, Status>| {
            wire::Followed::decode(encoded?.message())
                .map_err(|error| Status::data_loss(format!("a damaged reply: {error}")))
        };
        Ok(Response::new(Box::pin(replies.map(decode))))
    }

    async fn acknowledge(
        &self,
        request: Request<wire::AcknowledgeRequest>,
    ) -> Result<Response<wire::AcknowledgeReply>, Status> {
        let reply = self.hear(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }
}

impl FollowService {
    /// Replies, each document of them written once for all who are told it.
    async fn follow_encoded(
        &self,
        request: wire::FollowRequest,
    ) -> Result<impl Stream<Item = Result<Encoded, Status>> + Send + use<>, Problem> {
        let wire::FollowRequest { paths, incarnation, reader, cursor, state_id, at_least_revision } = request;
        let paths = request::paths(paths)?;
        if at_least_revision > 0 {
            self.view.wait(Consistency::AtLeast(Revision(at_least_revision))).await?;
        }
        let reader = match (incarnation, reader) {
            (0, reader) => self.reader(reader.unwrap_or_default()).await?,
            (incarnation, _) => Reader::Incarnation(Incarnation(incarnation)),
        };
        let history = (state_id != 0).then_some(StateId(state_id));
        let watch = self.watches.follow(&paths, reader, Revision(cursor), history).await?;
        let metrics = Arc::clone(&self.metrics);
        Ok(stream::unfold(Some((watch, metrics)), |going_on| async move {
            let (mut watch, metrics) = going_on?;
            match watch.next().await? {
                Ok(followed) => {
                    metrics.follow_documents_told.inc_by(followed.documents.len() as u64);
                    Some((Ok(frame::encode(&followed)), Some((watch, metrics))))
                }
                Err(problem) => Some((Err(error::status(&problem)), None)),
            }
        }))
    }

    async fn reader(&self, reader: wire::Reader) -> Result<Reader, Problem> {
        if reader.id.is_empty() {
            return self.view.read(|state| reader::instance(state, "reader", reader)).map(Reader::Imagined);
        }
        // One that has just opened is open.
        self.view.wait(Consistency::Linearizable).await?;
        let instance = self.view.read(|state| reader::instance(state, "reader", reader))?;
        Ok(Reader::Incarnation(instance.incarnation))
    }
}
