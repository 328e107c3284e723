//! `keeper.v1.Instances`: incarnations 1, 2, 3 ..., renewals as the test wants them.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{
    CloseInstanceReply, CloseInstanceRequest, InstancesChanged, ListInstancesReply, ListInstancesRequest,
    OpenInstanceReply, OpenInstanceRequest, RenewReply, RenewRequest, WatchInstancesRequest,
    instances_server::Instances,
};
use tonic::{Request, Response, Status, Streaming};

use super::{Node, Replies, STATE_ID, state::Renewals};

#[tonic::async_trait]
impl Instances for Node {
    type RenewStream = Replies<RenewReply>;
    type WatchStream = Replies<InstancesChanged>;

    async fn open(&self, request: Request<OpenInstanceRequest>) -> Result<Response<OpenInstanceReply>, Status> {
        self.lead()?;
        let request = request.into_inner();
        let incarnation = self.state.change(|book| {
            let next = book.opened.len() as u64 + 1;
            let incarnation = *book.requests.entry(request.request_id.to_vec()).or_insert(next);
            if incarnation == next {
                book.opened.push(incarnation);
            }
            incarnation
        });
        let ttl_ms = if request.ttl_ms == 0 { 10_000 } else { request.ttl_ms };
        Ok(Response::new(OpenInstanceReply { incarnation, ttl_ms, state_id: STATE_ID, revision: 100 }))
    }

    async fn renew(&self, request: Request<Streaming<RenewRequest>>) -> Result<Response<Self::RenewStream>, Status> {
        let node = self.clone();
        let replies = request.into_inner().flat_map(move |request| match node.renewed(request) {
            Some(reply) => stream::once(async { reply }).boxed(),
            None => stream::empty().boxed(),
        });
        Ok(Response::new(replies.boxed()))
    }

    async fn close(&self, request: Request<CloseInstanceRequest>) -> Result<Response<CloseInstanceReply>, Status> {
        self.lead()?;
        let incarnation = request.into_inner().incarnation;
        self.state.change(|book| book.closed.push(incarnation));
        Ok(Response::new(CloseInstanceReply { revision: 101 }))
    }

    async fn list(&self, _: Request<ListInstancesRequest>) -> Result<Response<ListInstancesReply>, Status> {
        Ok(Response::new(ListInstancesReply::default()))
    }

    async fn watch(&self, _: Request<WatchInstancesRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(stream::pending().boxed()))
    }
}

impl Node {
    fn renewed(&self, request: Result<RenewRequest, Status>) -> Option<Result<RenewReply, Status>> {
        let request = match request {
            Ok(request) => request,
            Err(error) => return Some(Err(error)),
        };
        if let Err(error) = self.lead() {
            return Some(Err(error));
        }
        let RenewRequest { sequence, incarnations, .. } = request;
        let (renewed, lost) = match self.state.read(|book| book.renewals) {
            Renewals::Acknowledged => (incarnations, Vec::new()),
            Renewals::Lost => (Vec::new(), incarnations),
            Renewals::Silent => return None,
        };
        self.state.change(|book| book.renewed.extend(&renewed));
        Some(Ok(RenewReply { sequence, renewed, lost }))
    }
}
