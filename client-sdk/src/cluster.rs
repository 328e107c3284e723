//! The nodes themselves.

use std::sync::Arc;

use futures_util::future::join_all;
use keeper_proto::v1::{self, StatusReply, StatusRequest, cluster_client::ClusterClient};

use crate::{
    Endpoint, Error,
    connection::{Aim, Nodes, Retry},
};

/// The nodes themselves; see [`Keeper::cluster`](crate::Keeper::cluster).
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(crate) nodes: Arc<Nodes>,
}

/// What a node is in its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Takes writes.
    Leader,
    /// Was elected, and no majority answers it any more: it leads nobody.
    NoQuorum,
    /// Votes and follows.
    Follower,
    /// Asks to lead.
    Candidate,
    /// Follows without a vote.
    Learner,
    /// Belongs to no cluster yet.
    Uninitialized,
    /// Belongs to its cluster no more.
    Removed,
    /// Something this library does not know.
    Other(String),
}

impl Role {
    /// In lower case, as the server says it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Leader => "leader",
            Self::NoQuorum => "no-quorum",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
            Self::Uninitialized => "uninitialized",
            Self::Removed => "removed",
            Self::Other(role) => role,
        }
    }
}

/// What a node knows, without asking the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The cluster's name.
    pub cluster: String,
    /// The node's number.
    pub node_id: u64,
    /// It has no data, and a node of its cluster takes it for a member: a leader with a majority takes it in anew.
    pub is_expected: bool,
    /// While it leads, members without data wait for an admin: its settings say so.
    pub leaves_wiped: bool,
    /// The leader's number, when it leads with a majority or hears one that does.
    pub leader_id: Option<u64>,
    /// Of the Raft group.
    pub term: u64,
    /// Of the node.
    pub role: Role,
    /// Last entry in its log.
    pub last_log_index: u64,
    /// Last entry it knows to be committed.
    pub committed_index: u64,
    /// Last entry its state has taken.
    pub applied_index: u64,
    /// Last entry its snapshot covers.
    pub snapshot_index: u64,
    /// Last entry it has dropped.
    pub purged_index: u64,
    /// Names the history of the state.
    pub state_id: u64,
    /// Of its program.
    pub version: String,
    /// Of the cluster, as it knows them.
    pub members: Vec<Member>,
    /// How many its state holds.
    pub sessions: u64,
    /// How many its state holds.
    pub instances: u64,
    /// How many its state holds.
    pub configs: u64,
    /// Equal on equal replicas at the same `applied_index`.
    pub state_hash: u64,
    /// Log time, Unix milliseconds.
    pub log_time_ms: u64,
    /// By how much log time, as it passes there, is behind its wall clock; ahead of it if negative.
    pub log_behind_ms: i64,
    /// Its disk, if it says.
    pub disk: Option<Disk>,
    /// Its state was proven to differ from that of the majority: it is not read any more.
    pub diverged: Option<Divergence>,
    /// The cluster's feature level, as of `applied_index`.
    pub level: u32,
    /// The newest feature level that the node reads.
    pub level_max: u32,
    /// Where it says that other nodes reach it. With `disk_id` it tells two nodes that say the same number apart from
    /// one that is reached by two names; empty where an older release answers.
    pub peer_endpoint: String,
    /// Names its data directory.
    pub disk_id: u64,
}

/// Room where a node's data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What is free.
    pub free_bytes: u64,
    /// Below it nothing grows.
    pub needed_bytes: u64,
    /// It was below, and is not far enough above again.
    pub is_short: bool,
}

/// Where a state was found to differ from those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// The entry after which they were compared.
    pub index: u64,
    /// Its hash then.
    pub found: u64,
    /// The hash of the others.
    pub expected: u64,
}

/// What became of a cluster's feature level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// Before.
    pub from: u32,
    /// Now; the same when there was nothing to raise.
    pub to: u32,
    /// The release that every node needs now.
    pub needs: String,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub node_id: u64,
    /// Whether it votes; learners do not.
    pub voter: bool,
    /// Where other nodes reach it.
    pub peer_endpoint: String,
    /// Where clients reach it.
    pub client_endpoint: String,
    /// The last log index it has, as the leader knows.
    pub matched_index: Option<u64>,
    /// Milliseconds since the leader last heard it.
    pub last_heard_ms: Option<u32>,
    /// As the leader knows: it has not answered for longer than an election takes.
    pub is_silent: bool,
    /// On the leader: it lacks entries that it had acknowledged, and is sent nothing any more.
    pub took_back: bool,
    /// Its disk, as the leader knows.
    pub disk: Option<Disk>,
    /// Where its state was found to differ, as the leader knows.
    pub diverged: Option<Divergence>,
}

/// A voter of a cluster to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialMember {
    /// Its number.
    pub node_id: u64,
    /// Where other nodes reach it.
    pub peer_endpoint: String,
    /// Where clients reach it.
    pub client_endpoint: String,
}

impl Cluster {
    pub(crate) const fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// What every known node says about itself, all asked at once; one try each.
    pub async fn status(&self) -> Vec<(Endpoint, Result<NodeStatus, Error>)> {
        let asks = self.nodes.endpoints().into_iter().map(|endpoint| async move {
            let status = self.status_of(&endpoint).await;
            (endpoint, status)
        });
        join_all(asks).await
    }

    /// What one node says about itself; one try.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn status_of(&self, endpoint: &Endpoint) -> Result<NodeStatus, Error> {
        let aim = Aim::At(endpoint.clone());
        let method = |channel, request| async move { ClusterClient::new(channel).status(request).await };
        self.nodes.call("cluster status", aim, Retry::Never, StatusRequest {}, method).await.map(status)
    }

    /// Raises the cluster's feature level to the newest that every member reads. There is no way back.
    ///
    /// # Errors
    /// [`Error::Refused`] when a member does not answer, or holds the cluster back; otherwise as [`Error`] says.
    pub async fn upgrade(&self, author: impl Into<String>) -> Result<Upgraded, Error> {
        let request = v1::UpgradeRequest { author: author.into() };
        let method = |channel, request| async move { ClusterClient::new(channel).upgrade(request).await };
        let reply = self.nodes.call("cluster upgrade", Aim::Leader, Retry::Safe, request, method).await?;
        Ok(Upgraded { from: reply.from, to: reply.to, needs: reply.needs })
    }

    /// Bootstraps a cluster, once, by one of its nodes; one try.
    ///
    /// # Errors
    /// [`Error::Refused`] when the node has ever had a log; otherwise as [`Error`] says.
    pub async fn initialize(
        &self,
        endpoint: &Endpoint,
        cluster: impl Into<String>,
        members: Vec<InitialMember>,
    ) -> Result<(), Error> {
        let member = |it: InitialMember| v1::initialize_request::InitialMember {
            node_id: it.node_id,
            peer_endpoint: it.peer_endpoint,
            client_endpoint: it.client_endpoint,
        };
        let request =
            v1::InitializeRequest { cluster: cluster.into(), members: members.into_iter().map(member).collect() };
        let aim = Aim::At(endpoint.clone());
        let method = |channel, request| async move { ClusterClient::new(channel).initialize(request).await };
        self.nodes.call("cluster initialize", aim, Retry::Never, request, method).await.map(drop)
    }
}

fn status(reply: StatusReply) -> NodeStatus {
    let role = match reply.role.as_str() {
        "leader" => Role::Leader,
        "no-quorum" => Role::NoQuorum,
        "follower" => Role::Follower,
        "candidate" => Role::Candidate,
        "learner" => Role::Learner,
        "uninitialized" => Role::Uninitialized,
        "removed" => Role::Removed,
        other => Role::Other(other.to_owned()),
    };
    NodeStatus {
        cluster: reply.cluster,
        node_id: reply.node_id,
        leader_id: (reply.leader_id != 0).then_some(reply.leader_id),
        term: reply.term,
        role,
        last_log_index: reply.last_log_index,
        committed_index: reply.committed_index,
        applied_index: reply.applied_index,
        snapshot_index: reply.snapshot_index,
        purged_index: reply.purged_index,
        state_id: reply.state_id,
        version: reply.version,
        members: reply.members.into_iter().map(member).collect(),
        sessions: reply.sessions,
        instances: reply.instances,
        configs: reply.configs,
        state_hash: reply.state_hash,
        log_time_ms: reply.log_time_ms,
        log_behind_ms: reply.log_behind_ms,
        disk: reply.disk.map(disk),
        diverged: reply.diverged.map(divergence),
        // A node from before there were levels names none: it is at the first, and reads no other.
        level: reply.level.max(1),
        level_max: reply.level_max.max(1),
        peer_endpoint: reply.peer_endpoint,
        disk_id: reply.disk_id,
        is_expected: reply.expected,
        leaves_wiped: reply.leaves_wiped,
    }
}

fn member(member: v1::Member) -> Member {
    Member {
        node_id: member.node_id,
        voter: member.voter,
        peer_endpoint: member.peer_endpoint,
        client_endpoint: member.client_endpoint,
        matched_index: member.matched_index,
        last_heard_ms: member.last_heard_ms,
        is_silent: member.silent,
        took_back: member.took_back,
        disk: member.disk.map(disk),
        diverged: member.diverged.map(divergence),
    }
}

const fn disk(disk: v1::Disk) -> Disk {
    Disk { free_bytes: disk.free_bytes, needed_bytes: disk.needed_bytes, is_short: disk.short }
}

const fn divergence(divergence: v1::Divergence) -> Divergence {
    Divergence { index: divergence.index, found: divergence.found, expected: divergence.expected }
}
