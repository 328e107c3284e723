//! `keeper.v1.Instances`: incarnations 1, 2, 3 ..., renewals as the test wants them.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{
    CloseInstanceReply, CloseInstanceRequest, Instance, InstancesChanged, ListInstancesReply, ListInstancesRequest,
    OpenInstanceReply, OpenInstanceRequest, RenewReply, RenewRequest, WatchInstancesRequest,
    instances_server::Instances,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Node, Replies, refused,
    sessions::broken,
    state::{Book, Renewals},
    status,
};

#[tonic::async_trait]
impl Instances for Node {
    type RenewStream = Replies<RenewReply>;
    type WatchStream = Replies<InstancesChanged>;

    async fn open(&self, request: Request<OpenInstanceRequest>) -> Result<Response<OpenInstanceReply>, Status> {
        self.lead()?;
        let request = request.into_inner();
        let ttl_ms = if request.ttl_ms == 0 { 10_000 } else { request.ttl_ms };
        let (incarnation, state_id, lose) = self.state.change(|book| {
            let incarnation = match book.requests.get(&request.request_id[..]) {
                Some(first) => *first,
                None => open(book, &request),
            };
            (incarnation, book.state_id, book.lose_open.take())
        });
        match lose {
            Some(()) => Err(broken()),
            None => Ok(Response::new(OpenInstanceReply { incarnation, ttl_ms, state_id, revision: 100 })),
        }
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
        let CloseInstanceRequest { incarnation, state_id, .. } = request.into_inner();
        let is_foreign = self.state.change(|book| {
            if book.state_id == state_id {
                book.closed.push(incarnation);
            }
            book.state_id != state_id
        });
        if is_foreign {
            return Err(status(&refused("foreign-state")));
        }
        Ok(Response::new(CloseInstanceReply { revision: 101 }))
    }

    async fn list(&self, request: Request<ListInstancesRequest>) -> Result<Response<ListInstancesReply>, Status> {
        let ListInstancesRequest { service, id } = request.into_inner();
        let holder = self.state.read(|book| {
            let holder = book.names.get(&(service.clone(), id.clone())).copied();
            holder.filter(|it| book.is_open(*it))
        });
        let instance = holder.map(|incarnation| Instance { service, id, incarnation, ..Instance::default() });
        Ok(Response::new(ListInstancesReply { revision: 100, instances: instance.into_iter().collect() }))
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
        let RenewRequest { sequence, incarnations, state_id } = request;
        if self.state.read(|book| book.state_id != state_id) {
            return Some(Err(status(&refused("foreign-state"))));
        }
        let (renewed, lost) = match self.state.read(|book| book.renewals) {
            Renewals::Acknowledged => {
                self.state.read(|book| incarnations.into_iter().partition(|incarnation| book.is_open(*incarnation)))
            }
            Renewals::Lost => (Vec::new(), incarnations),
            Renewals::Silent => return None,
        };
        self.state.change(|book| book.renewed.extend(&renewed));
        let term = self.state.read(|book| book.term);
        Some(Ok(RenewReply { sequence, renewed, lost, term }))
    }
}

fn open(book: &mut Book, request: &OpenInstanceRequest) -> u64 {
    let incarnation = book.opened.len() as u64 + 1;
    book.requests.insert(request.request_id.to_vec(), incarnation);
    book.opened.push(incarnation);
    book.opens.push(request.clone());
    let name = (request.service.clone(), request.id.clone());
    if let Some(former) = book.names.insert(name, incarnation)
        && !book.closed.contains(&former)
    {
        book.closed.push(former);
    }
    incarnation
}
