//! What a node says about itself, and how a cluster is founded.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keeper_proto::v1 as wire;

use crate::http::Readiness;
use crate::problem::Problem;
use crate::raft::{InitializeRefused, Member, RaftHandle, Role};
use crate::rpc::{InitialMember, Node};

/// Committed entries not yet applied up to which a node is ready: about a second's worth.
const LAG_READY_MAX: u64 = 1_000;

/// The node as its admins see it.
#[derive(Debug, Clone)]
pub(super) struct Admin {
    pub(super) raft: RaftHandle,
}

impl Node for Admin {
    fn describe(&self, reply: &mut wire::StatusReply) {
        let status = self.raft.status();
        let uninitialized = status.members.is_empty() && status.last_log.is_none();
        reply.leader_id = status.leader.unwrap_or(0);
        reply.term = status.term;
        reply.role = if uninitialized { "uninitialized" } else { role(status.role) }.to_owned();
        reply.last_log_index = status.last_log.unwrap_or(0);
        reply.committed_index = status.committed.unwrap_or(0);
        reply.snapshot_index = status.snapshot.unwrap_or(0);
        reply.purged_index = status.purged.unwrap_or(0);
        let members = status.members.into_iter().map(|(node_id, member)| wire::Member {
            node_id,
            voter: member.voter,
            peer_endpoint: member.member.peer_endpoint,
            client_endpoint: member.member.client_endpoint,
            matched_index: member.matched,
            last_heard_ms: member.heard_ago.map(|ago| u32::try_from(ago.as_millis()).unwrap_or(u32::MAX)),
        });
        reply.members = members.collect();
    }

    fn initialize(&self, members: BTreeMap<u64, InitialMember>) -> BoxFuture<'_, Result<(), Problem>> {
        let members = members.into_iter().map(|(id, member)| {
            let InitialMember { peer_endpoint, client_endpoint } = member;
            (id, Member { peer_endpoint, client_endpoint })
        });
        let founding = members.collect();
        async move { self.raft.initialize(founding).await.map_err(refused) }.boxed()
    }
}

impl Readiness for Admin {
    fn ready(&self) -> Result<(), String> {
        let status = self.raft.status();
        if status.leader.is_none() {
            return Err("no leader is known".to_owned());
        }
        let lag = status.committed.unwrap_or(0).saturating_sub(status.applied.unwrap_or(0));
        if lag > LAG_READY_MAX { Err(format!("{lag} committed entries are not applied yet")) } else { Ok(()) }
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Learner => "learner",
        Role::Follower => "follower",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
        Role::Stopped => "stopped",
    }
}

fn refused(refused: InitializeRefused) -> Problem {
    let field = match refused {
        InitializeRefused::AlreadyInitialized => "cluster",
        InitializeRefused::NotAMember { .. } | InitializeRefused::MemberUnreachable { .. } => "members",
        InitializeRefused::Stopped => return Problem::Stopping,
    };
    Problem::Invalid { field: field.to_owned(), message: refused.to_string() }
}
