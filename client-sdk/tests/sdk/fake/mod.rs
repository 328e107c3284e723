//! A cluster that is one shared state behind several listeners, one of which leads.

mod configs;
mod controls;
mod follows;
mod instances;
mod kicks;
pub(crate) mod notices;
mod presence;
pub(crate) mod registry;
mod rollouts;
mod sessions;
pub(crate) mod state;
mod walks;

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use keeper_proto::v1::{
    BackupReply, BackupRequest, ChangeMembershipReply, ChangeMembershipRequest, InitializeReply, InitializeRequest,
    Member, Problem, StatusReply, StatusRequest, UpgradeReply, UpgradeRequest,
    cluster_server::{Cluster, ClusterServer},
    configs_server::ConfigsServer,
    controls_server::ControlsServer,
    follows_server::FollowsServer,
    instances_server::InstancesServer,
    problem::{Class, Happened},
    rollouts_server::RolloutsServer,
    sessions_server::SessionsServer,
};
use prost::Message;
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};

pub(crate) use self::state::State;

pub(crate) type Replies<T> = BoxStream<'static, Result<T, Status>>;

pub(crate) const STATE_ID: u64 = 7;

/// One listener.
#[derive(Clone)]
pub(crate) struct Node {
    number: usize,
    state: Arc<State>,
}

pub(crate) struct Fake {
    pub(crate) state: Arc<State>,
    pub(crate) endpoints: Vec<String>,
    /// One runtime each: a server's connections are tasks of their own, and only their runtime ends them all.
    servers: Vec<Option<Runtime>>,
}

impl Fake {
    /// Node 0 leads.
    pub(crate) async fn start(nodes: usize) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for _ in 0..nodes {
            listeners.push(TcpListener::bind("127.0.0.1:0").await?.into_std()?);
        }
        let endpoints = listeners.iter().map(|it| Ok(it.local_addr()?.to_string()));
        let endpoints = endpoints.collect::<std::io::Result<Vec<_>>>()?;
        let state = Arc::new(State::new(endpoints.clone()));
        let mut servers = Vec::new();
        for (number, listener) in listeners.into_iter().enumerate() {
            servers.push(Some(serve(Node { number, state: state.clone() }, listener)?));
        }
        Ok(Self { servers, state, endpoints })
    }

    /// Serves again where a node that was ended did.
    pub(crate) async fn restart(&mut self, number: usize) -> anyhow::Result<()> {
        let listener = TcpListener::bind(&self.endpoints[number]).await?.into_std()?;
        self.servers[number] = Some(serve(Node { number, state: self.state.clone() }, listener)?);
        Ok(())
    }

    /// Ends a node and every connection to it; resolves when it can be noticed.
    pub(crate) async fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        if let Some(runtime) = self.servers[number].take() {
            tokio::task::spawn_blocking(|| drop(runtime)).await?;
        }
        Ok(())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.servers.drain(..).flatten().for_each(Runtime::shutdown_background);
    }
}

fn serve(node: Node, listener: std::net::TcpListener) -> anyhow::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let router = Server::builder()
        .add_service(SessionsServer::new(node.clone()))
        .add_service(InstancesServer::new(node.clone()))
        .add_service(ConfigsServer::new(node.clone()))
        .add_service(ControlsServer::new(node.clone()))
        .add_service(FollowsServer::new(node.clone()))
        .add_service(RolloutsServer::new(node.clone()))
        .add_service(ClusterServer::new(node));
    let listener = {
        let _entered = runtime.enter();
        TcpListener::from_std(listener)?
    };
    runtime.spawn(async move { drop(router.serve_with_incoming(TcpListenerStream::new(listener)).await) });
    Ok(runtime)
}

impl Node {
    pub(crate) fn leads(&self) -> bool {
        self.state.leader() == Some(self.number)
    }

    pub(crate) fn not_leader(&self) -> Problem {
        let leader = self.state.leader().map(|number| self.state.endpoints[number].clone()).unwrap_or_default();
        problem(Class::Unavailable, "not-leader", Happened::No, leader)
    }

    /// Refuses what only a leader does.
    pub(crate) fn lead(&self) -> Result<(), Status> {
        if self.leads() { Ok(()) } else { Err(status(&self.not_leader())) }
    }
}

pub(crate) fn problem(class: Class, reason: &str, happened: Happened, leader: String) -> Problem {
    Problem {
        class: class.into(),
        reason: reason.into(),
        message: format!("refused by the double: {reason}"),
        happened: happened.into(),
        leader,
        ..Problem::default()
    }
}

pub(crate) fn refused(reason: &str) -> Problem {
    problem(Class::Refused, reason, Happened::No, String::new())
}

pub(crate) fn unavailable(reason: &str) -> Problem {
    problem(Class::Unavailable, reason, Happened::No, String::new())
}

pub(crate) fn status(problem: &Problem) -> Status {
    Status::with_details(Code::Unavailable, problem.message.clone(), problem.encode_to_vec().into())
}

#[tonic::async_trait]
impl Cluster for Node {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        let member = |(number, endpoint): (usize, &String)| Member {
            node_id: number as u64 + 1,
            voter: true,
            client_endpoint: endpoint.clone(),
            ..Member::default()
        };
        Ok(Response::new(StatusReply {
            cluster: "fake".into(),
            node_id: self.number as u64 + 1,
            leader_id: self.state.leader().map_or(0, |it| it as u64 + 1),
            term: 1,
            role: if self.leads() { "leader" } else { "follower" }.into(),
            members: self.state.endpoints.iter().enumerate().map(member).collect(),
            ..StatusReply::default()
        }))
    }

    async fn initialize(&self, _: Request<InitializeRequest>) -> Result<Response<InitializeReply>, Status> {
        Err(status(&refused("already-founded")))
    }

    type ChangeMembershipStream = Replies<ChangeMembershipReply>;

    async fn change_membership(
        &self,
        _: Request<ChangeMembershipRequest>,
    ) -> Result<Response<Self::ChangeMembershipStream>, Status> {
        Err(Status::unimplemented("the fake has no members"))
    }

    async fn upgrade(&self, _: Request<UpgradeRequest>) -> Result<Response<UpgradeReply>, Status> {
        Ok(Response::new(UpgradeReply { from: 1, to: 2, needs: "0.2.0".to_owned() }))
    }

    type BackupStream = Replies<BackupReply>;

    async fn backup(&self, _: Request<BackupRequest>) -> Result<Response<Self::BackupStream>, Status> {
        let parts = self.state.read(|book| book.backup.clone());
        let replies = parts.into_iter().map(|part| Ok(BackupReply { part: Some(part) }));
        Ok(Response::new(stream::iter(replies).boxed()))
    }
}
