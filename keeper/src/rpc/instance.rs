//! `keeper.v1.Instances`.

use futures_util::{StreamExt, TryStreamExt, stream};
use keeper_proto::v1 as wire;
use keeper_proto::v1::instances_server::Instances;
use keeper_registry::{CloseInstance, Closing, ClosingCause, Command, Incarnation, Reply, Revision, StateId};
use tonic::{Request, Response, Status, Streaming};

use crate::lease::Leases;
use crate::limits;
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::rpc::{ReplyStream, error, from_proto, to_proto};
use crate::view::{Consistency, View};
use crate::watch::{InstancesChanged, Watches};

/// What an instance takes in the log beyond what its request says.
const OVERHEAD_BYTES: usize = 64;

/// Messages of renewals of one stream under way at once.
const RENEWALS_IN_FLIGHT_MAX: usize = 16;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct InstanceService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) leases: Leases,
    pub(crate) watches: Watches,
}

#[tonic::async_trait]
impl Instances for InstanceService {
    type RenewStream = ReplyStream<wire::RenewReply>;
    type WatchStream = ReplyStream<wire::InstancesChanged>;

    async fn open(
        &self,
        request: Request<wire::OpenInstanceRequest>,
    ) -> Result<Response<wire::OpenInstanceReply>, Status> {
        let reply = self.begin(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    async fn renew(
        &self,
        request: Request<Streaming<wire::RenewRequest>>,
    ) -> Result<Response<Self::RenewStream>, Status> {
        let service = self.clone();
        let replies = request.into_inner().map_ok(move |request| {
            let service = service.clone();
            async move { service.extend(request).await.map_err(|problem| error::status(&problem)) }
        });
        Ok(Response::new(Box::pin(replies.try_buffered(RENEWALS_IN_FLIGHT_MAX))))
    }

    async fn close(
        &self,
        request: Request<wire::CloseInstanceRequest>,
    ) -> Result<Response<wire::CloseInstanceReply>, Status> {
        let reply = self.end(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    async fn list(
        &self,
        request: Request<wire::ListInstancesRequest>,
    ) -> Result<Response<wire::ListInstancesReply>, Status> {
        let wire::ListInstancesRequest { service, id } = request.into_inner();
        self.view.wait(Consistency::Linearizable).await.map_err(|problem| error::status(&problem))?;
        let reply = self.view.read(|state| wire::ListInstancesReply {
            revision: state.revision().0,
            instances: state
                .instances()
                .filter(|it| (service.is_empty() || *it.service == *service) && (id.is_empty() || *it.id == *id))
                .map(|it| to_proto::instance(it, state.sessions_of_instance(it.incarnation)))
                .collect(),
        });
        Ok(Response::new(reply))
    }

    async fn watch(
        &self,
        request: Request<wire::WatchInstancesRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let wire::WatchInstancesRequest { service, cursor, state_id } = request.into_inner();
        let state = (state_id != 0).then_some(StateId(state_id));
        let watch = self.watches.instances(service, Revision(cursor), state).await;
        let watch = watch.map_err(|problem| error::status(&problem))?;
        let view = self.view.clone();
        let changes = stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) });
        let replies = changes.flat_map(move |changed| stream::iter(frames(&view, &changed)).map(Ok));
        Ok(Response::new(Box::pin(replies)))
    }
}

impl InstanceService {
    async fn begin(&self, request: wire::OpenInstanceRequest) -> Result<wire::OpenInstanceReply, Problem> {
        let bytes = prost::Message::encoded_len(&request) + OVERHEAD_BYTES;
        let open = from_proto::open_instance(request)?;
        let ttl_ms = open.ttl_ms;
        let proposal = Proposal::new(Command::OpenInstance(open), bytes);
        let Committed { revision, reply } = self.proposer.propose(Lane::Lease, proposal).await?;
        let Reply::Opened { incarnation } = reply else {
            return Err(Problem::Unknown { reason: "an answer of another kind" });
        };
        let state_id = self.view.read(|state| state.state_id().unwrap_or_default().0);
        Ok(wire::OpenInstanceReply { incarnation: incarnation.0, ttl_ms, state_id, revision: revision.0 })
    }

    async fn extend(&self, request: wire::RenewRequest) -> Result<wire::RenewReply, Problem> {
        let asked = request.incarnations.len();
        if asked > limits::RENEWALS_MAX {
            let limit = limits::RENEWALS_MAX;
            return Err(from_proto::invalid("incarnations", format!("{asked} leases; the limit is {limit} a message")));
        }
        self.view.check_history(request.state_id).await?;
        let renewal = self.leases.renew(request.incarnations.into_iter().map(Incarnation).collect()).await?;
        Ok(wire::RenewReply {
            sequence: request.sequence,
            renewed: renewal.renewed.into_iter().map(|it| it.0).collect(),
            lost: renewal.lost.into_iter().map(|it| it.0).collect(),
            term: renewal.office,
        })
    }

    async fn end(&self, request: wire::CloseInstanceRequest) -> Result<wire::CloseInstanceReply, Problem> {
        self.view.check_history(request.state_id).await?;
        let bytes = request.reason.len() + OVERHEAD_BYTES;
        let close = CloseInstance { incarnation: Incarnation(request.incarnation), reason: request.reason };
        let proposal = Proposal::new(Command::CloseInstance(close), bytes);
        let committed = self.proposer.propose(Lane::Lease, proposal).await?;
        Ok(wire::CloseInstanceReply { revision: committed.revision.0 })
    }
}

/// A change, in frames of bounded size.
fn frames(view: &View, changed: &InstancesChanged) -> Vec<wire::InstancesChanged> {
    let opened: Vec<_> = view.read(|state| {
        let opened = changed.change.opened.iter();
        opened.map(|it| to_proto::instance(it, state.sessions_of_instance(it.incarnation))).collect()
    });
    let frame = |opened: &[wire::Instance], closed: &[Closing]| wire::InstancesChanged {
        cursor: changed.cursor.0,
        state_id: changed.state.0,
        reset: changed.reset,
        opened: opened.to_vec(),
        closed: closed.iter().map(closed_reply).collect(),
        more: true,
    };
    let closings = changed.change.closed.chunks(limits::WATCH_FRAME_INSTANCES_MAX).map(|closed| frame(&[], closed));
    let openings = opened.chunks(limits::WATCH_FRAME_INSTANCES_MAX).map(|opened| frame(opened, &[]));
    let mut frames: Vec<_> = closings.chain(openings).collect();
    match frames.last_mut() {
        Some(last) => last.more = false,
        // A full set may be empty.
        None => frames.push(wire::InstancesChanged { more: false, ..frame(&[], &[]) }),
    }
    frames
}

fn closed_reply(closing: &Closing) -> wire::instances_changed::Closed {
    wire::instances_changed::Closed {
        service: closing.service.to_string(),
        id: closing.id.to_string(),
        incarnation: closing.incarnation.0,
        reason: match closing.cause {
            ClosingCause::Closed => "closed",
            ClosingCause::Expired => "expired",
            ClosingCause::Replaced => "replaced",
            ClosingCause::Restored => "restored",
        }
        .to_owned(),
    }
}
