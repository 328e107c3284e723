//! What a node says about itself, and how a cluster is founded.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keeper_proto::v1 as wire;

use crate::clock::WallClock;
use crate::http::Readiness;
use crate::members::Wiped;
use crate::node::Addresses;
use crate::problem::{Problem, excerpt};
use crate::raft::{InitializeRefused, Member, MemberStatus, RaftHandle, RaftStatus, Removed, Role, Standing};
use crate::replica::{Difference, Replica};
use crate::rpc::{InitialMember, Node};
use crate::settings::{Advertise, Settings};
use crate::store::{Room, Standing as DiskStanding};

/// Committed entries not yet applied up to which a node is ready: about a second's worth.
const LAG_READY_MAX: u64 = 1_000;

/// The node as its admins see it.
#[derive(Debug, Clone)]
pub(super) struct Admin {
    pub(super) node_id: u64,
    /// Where this node says it is reached.
    pub(super) advertised: Member,
    pub(super) raft: RaftHandle,
    pub(super) replica: Arc<Replica>,
    pub(super) wall: WallClock,
    pub(super) wiped: Wiped,
}

/// Where a node says that it is reached.
pub(super) fn advertised(settings: &Settings, addresses: Addresses) -> Member {
    let Advertise { client, peer } = settings.advertise.clone();
    Member {
        peer_endpoint: peer.unwrap_or_else(|| addresses.peer.to_string()),
        client_endpoint: client.unwrap_or_else(|| addresses.client.to_string()),
        disk_id: 0,
    }
}

impl Admin {
    /// By how much log time is behind the wall clock here; a log without an entry has no time.
    fn log_behind_ms(&self) -> i64 {
        let log = self.replica.log_time().0;
        if log == 0 { 0 } else { self.wall.read_ms().cast_signed().saturating_sub(log.cast_signed()) }
    }

    /// A list of members that names this node by other addresses than its settings do was written for another node.
    fn check_own(&self, members: &BTreeMap<u64, InitialMember>) -> Result<(), Problem> {
        let Some(named) = members.get(&self.node_id) else { return Ok(()) };
        let bare = |endpoint: &str| endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let pairs = [
            ("peer", &named.peer_endpoint, &self.advertised.peer_endpoint),
            ("client", &named.client_endpoint, &self.advertised.client_endpoint),
        ];
        match pairs.into_iter().find(|(_, named, own)| bare(named) != bare(own)) {
            None => Ok(()),
            Some((key, named, own)) => Err(Problem::Invalid {
                field: "members".to_owned(),
                message: format!(
                    "node {} is reached at {own} (its setting advertise.{key}, or else listen.{key}), not at {}",
                    self.node_id,
                    excerpt(named)
                ),
            }),
        }
    }
}

impl Node for Admin {
    fn describe(&self, reply: &mut wire::StatusReply) {
        let status = self.raft.status();
        let uninitialized = is_uninitialized(&status);
        let removed = self.raft.removed();
        reply.leader_id = status.leader.filter(|_| removed.is_none()).unwrap_or(0);
        reply.term = status.term;
        reply.role = match (&removed, uninitialized) {
            (Some(_), _) => "removed",
            (None, true) => "uninitialized",
            (None, false) => role(status.role),
        }
        .to_owned();
        reply.peer_endpoint.clone_from(&self.advertised.peer_endpoint);
        reply.disk_id = self.raft.disk_id();
        reply.last_log_index = status.last_log.unwrap_or(0);
        reply.committed_index = status.committed.unwrap_or(0);
        reply.snapshot_index = status.snapshot.unwrap_or(0);
        reply.purged_index = status.purged.unwrap_or(0);
        let vitals = self.raft.member_vitals();
        let of = |node: u64| vitals.get(&node).copied().unwrap_or_default();
        reply.level_max = self.raft.levels().most().0;
        let members = status.members.into_iter().map(|(node_id, member)| wire::Member {
            node_id,
            voter: member.voter,
            peer_endpoint: member.member.peer_endpoint,
            client_endpoint: member.member.client_endpoint,
            matched_index: member.matched,
            last_heard_ms: member.heard_ago.map(|ago| u32::try_from(ago.as_millis()).unwrap_or(u32::MAX)),
            silent: member.silent,
            took_back: member.took_back,
            disk: of(node_id).room.map(disk),
            diverged: of(node_id).difference.map(divergence),
        });
        // Whoever asks one that was removed is shown the way to the others.
        reply.members = removed.map_or_else(|| members.collect(), others);
        reply.expected = uninitialized && self.raft.is_expected();
        reply.leaves_wiped = self.wiped == Wiped::Left;
        reply.log_behind_ms = self.log_behind_ms();
        reply.disk = self.raft.room().map(disk);
        reply.diverged = self.raft.difference().map(divergence);
    }

    fn initialize(&self, members: BTreeMap<u64, InitialMember>) -> BoxFuture<'_, Result<(), Problem>> {
        let checked = self.check_own(&members);
        let members = members.into_iter().map(|(id, member)| {
            let InitialMember { peer_endpoint, client_endpoint } = member;
            // Which data directory each has, it says itself.
            (id, Member { peer_endpoint, client_endpoint, disk_id: 0 })
        });
        let founding = members.collect();
        async move {
            // That it was founded before says more than how the list is wrong.
            if self.raft.standing().await.map_err(refused)? != Standing::Member {
                checked?;
            }
            self.raft.initialize(founding).await.map_err(refused)
        }
        .boxed()
    }
}

impl Readiness for Admin {
    fn ready(&self) -> Result<(), String> {
        let status = self.raft.status();
        if status.role == Role::Stopped {
            return Err("consensus has stopped".to_owned());
        }
        if let Some(difference) = self.raft.difference() {
            return Err(difference.to_string());
        }
        if let Some(removed) = self.raft.removed() {
            return Err(removed.to_string());
        }
        if let Some(misaddressed) = self.raft.misaddressed() {
            return Err(misaddressed);
        }
        if status.role == Role::NoQuorum {
            return Err(no_quorum(&status));
        }
        if is_uninitialized(&status) {
            let waits = if self.raft.is_expected() {
                "this node has no data, and its cluster expects a member here: it waits until a leader, with a majority, \
                 takes it in anew, or `keeperctl cluster replace` does"
            } else {
                "this node waits to be founded (`keeper init`) or added to a cluster (`keeperctl cluster add`)"
            };
            return Err(waits.to_owned());
        }
        if status.leader.is_none() {
            return Err("no leader is heard".to_owned());
        }
        let lag = status.committed.unwrap_or(0).saturating_sub(status.applied.unwrap_or(0));
        if lag > LAG_READY_MAX { Err(format!("{lag} committed entries are not applied yet")) } else { Ok(()) }
    }
}

/// Whether a node has no data, and so belongs to no cluster yet.
fn is_uninitialized(status: &RaftStatus) -> bool {
    status.members.is_empty() && status.last_log.is_none()
}

fn no_quorum(status: &RaftStatus) -> String {
    let named = |is: fn(&MemberStatus) -> bool| {
        let those = status.members.iter().filter(|(_, member)| member.voter && is(member));
        those.map(|(id, member)| format!("node {id} ({})", member.member.peer_endpoint)).collect::<Vec<_>>().join(", ")
    };
    let silent = named(|member| member.silent && !member.took_back);
    let took_back = named(|member| member.took_back);
    let elected = "this node was elected, and no majority of the voters";
    match (silent.as_str(), took_back.as_str()) {
        (silent, "") => format!("{elected} answers it; silent: {silent}"),
        ("", took_back) => format!("{elected} has what it had acknowledged; lacking: {took_back}"),
        (silent, took_back) => {
            format!("{elected} answers it and has what it had acknowledged; silent: {silent}; lacking: {took_back}")
        }
    }
}

fn others(removed: Removed) -> Vec<wire::Member> {
    let one = |(node_id, (member, voter)): (u64, (Member, bool))| wire::Member {
        node_id,
        voter,
        peer_endpoint: member.peer_endpoint,
        client_endpoint: member.client_endpoint,
        ..wire::Member::default()
    };
    removed.members.into_iter().map(one).collect()
}

fn disk(room: Room) -> wire::Disk {
    let Room { free_bytes, needed_bytes, standing } = room;
    wire::Disk { free_bytes, needed_bytes, short: standing == DiskStanding::Short }
}

const fn divergence(difference: Difference) -> wire::Divergence {
    let Difference { index, found, expected } = difference;
    wire::Divergence { index, found, expected }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Learner => "learner",
        Role::Follower => "follower",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
        Role::NoQuorum => "no-quorum",
        Role::Stopped => "stopped",
    }
}

fn refused(refused: InitializeRefused) -> Problem {
    let field = match refused {
        InitializeRefused::AlreadyInitialized => "cluster",
        InitializeRefused::NotAMember { .. }
        | InitializeRefused::MemberUnreachable { .. }
        | InitializeRefused::MemberTaken { .. }
        | InitializeRefused::MemberExpected { .. } => "members",
        InitializeRefused::NotLeading => {
            return Problem::Unconfirmed { reason: "this node was restored, and has not taken office yet" };
        }
        InitializeRefused::Changing { .. } => "members",
        InitializeRefused::Stopped => return Problem::Stopping,
    };
    Problem::Invalid { field: field.to_owned(), message: refused.to_string() }
}
