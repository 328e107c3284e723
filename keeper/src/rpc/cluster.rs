//! `keeper.v1.Cluster`: the node itself, and backups of what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _};
use keeper_proto::v1 as wire;
use keeper_proto::v1::cluster_server::Cluster;
use tonic::{Request, Response, Status};

use crate::backup::{Backups, Part};
use crate::members::Members;
use crate::problem::{Problem, excerpt};
use crate::rpc::from_proto::invalid;
use crate::rpc::{ReplyStream, error, members};
use crate::upgrade::{Raised, Upgrade};
use crate::view::{Consistency, View};

/// Nodes of a first membership: more voters cost every write, and learners are added later.
const INITIAL_MEMBERS_MAX: usize = 7;

/// One node of a first membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialMember {
    /// `host:port` of its peer listener.
    pub peer_endpoint: String,
    /// URL of its client listener.
    pub client_endpoint: String,
}

/// What a node can be asked about itself, without `rpc` knowing how it is done.
pub trait Node: Send + Sync + 'static {
    /// Fills in what consensus and the disk know.
    fn describe(&self, reply: &mut wire::StatusReply);

    /// Founds the cluster, once.
    fn initialize(&self, members: BTreeMap<u64, InitialMember>) -> BoxFuture<'_, Result<(), Problem>>;
}

/// Who this node is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The cluster's name.
    pub cluster: String,
    /// The node's number.
    pub node_id: u64,
}

/// The handler.
#[derive(Clone)]
pub struct ClusterService {
    identity: Identity,
    view: View,
    backups: Backups,
    members: Members,
    upgrade: Upgrade,
    node: Arc<dyn Node>,
}

impl std::fmt::Debug for ClusterService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterService").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl ClusterService {
    /// For one node.
    #[must_use]
    pub const fn new(
        identity: Identity,
        view: View,
        backups: Backups,
        members: Members,
        upgrade: Upgrade,
        node: Arc<dyn Node>,
    ) -> Self {
        Self { identity, view, backups, members, upgrade, node }
    }

    async fn found(&self, request: wire::InitializeRequest) -> Result<(), Problem> {
        let (asked, own) = (&request.cluster, &self.identity.cluster);
        if asked != own {
            let asked = excerpt(asked);
            return Err(invalid("cluster", format!("this node belongs to cluster `{own}`, not to `{asked}`")));
        }
        let count = request.members.len();
        if count == 0 || count > INITIAL_MEMBERS_MAX {
            return Err(invalid(
                "members",
                format!("{count} members; a cluster begins with 1 to {INITIAL_MEMBERS_MAX}"),
            ));
        }
        let mut members = BTreeMap::new();
        for member in request.members {
            let (id, peer_endpoint) = (member.node_id, member.peer_endpoint);
            let member = InitialMember { peer_endpoint, client_endpoint: member.client_endpoint };
            if members.insert(id, member).is_some() {
                return Err(invalid("members.node_id", format!("node {id} is named twice")));
            }
        }
        self.node.initialize(members).await
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn status(&self, _: Request<wire::StatusRequest>) -> Result<Response<wire::StatusReply>, Status> {
        let mut reply = self.view.read(|state| wire::StatusReply {
            cluster: self.identity.cluster.clone(),
            node_id: self.identity.node_id,
            applied_index: state.revision().0,
            state_id: state.state_id().unwrap_or_default().0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sessions: state.sessions_live(),
            instances: state.instances().count() as u64,
            configs: state.configs("").count() as u64,
            state_hash: state.hash(),
            log_time_ms: state.time().0,
            level: state.level().0,
            ..Default::default()
        });
        self.node.describe(&mut reply);
        Ok(Response::new(reply))
    }

    async fn initialize(
        &self,
        request: Request<wire::InitializeRequest>,
    ) -> Result<Response<wire::InitializeReply>, Status> {
        self.found(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(wire::InitializeReply {}))
    }

    type ChangeMembershipStream = ReplyStream<wire::ChangeMembershipReply>;

    async fn change_membership(
        &self,
        request: Request<wire::ChangeMembershipRequest>,
    ) -> Result<Response<Self::ChangeMembershipStream>, Status> {
        let change = members::change(request.into_inner()).map_err(|problem| error::status(&problem))?;
        Ok(Response::new(members::perform(self.members.clone(), change)))
    }

    async fn upgrade(&self, request: Request<wire::UpgradeRequest>) -> Result<Response<wire::UpgradeReply>, Status> {
        let raised =
            self.upgrade.raise(request.into_inner().author).await.map_err(|problem| error::status(&problem))?;
        let Raised { from, to, needs } = raised;
        Ok(Response::new(wire::UpgradeReply { from: from.0, to: to.0, needs: needs.to_owned() }))
    }

    type BackupStream = ReplyStream<wire::BackupReply>;

    async fn backup(&self, request: Request<wire::BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        use wire::backup_request::Consistency as Asked;
        let consistency = match request.into_inner().consistency() {
            Asked::Unspecified | Asked::Linearizable => Consistency::Linearizable,
            Asked::Local => Consistency::Local,
        };
        let parts = self.backups.take(consistency).map_err(|problem| error::status(&problem))?;
        Ok(Response::new(parts.map_ok(part).map_err(|problem| error::status(&problem)).boxed()))
    }
}

fn part(part: Part) -> wire::BackupReply {
    let part = match part {
        Part::Head { head, bytes } => wire::backup_reply::Part::Head(wire::BackupHead {
            cluster: head.cluster,
            node_id: head.node,
            state_id: head.state.0,
            revision: head.revision.0,
            log_time_ms: head.time.0,
            taken_at_ms: head.taken_at_ms,
            sessions: head.sessions,
            bytes,
        }),
        Part::Piece(piece) => wire::backup_reply::Part::Piece(piece),
        Part::End { checksum } => wire::backup_reply::Part::End(wire::BackupEnd { checksum }),
    };
    wire::BackupReply { part: Some(part) }
}
