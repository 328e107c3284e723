//! Who a node is that is to join, and whether it can.

use keeper_registry::{Level, StateId};

use crate::levels::release_of;
use crate::problem::Problem;
use crate::raft::{Introduction, RaftHandle, RaftStatus};

/// A node that can be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Newcomer {
    /// It has no data; it is given a number first.
    Empty(Introduction),
    /// It was given its number before, and has what it then received.
    Numbered(Introduction),
    /// It is a member already.
    Member(u64),
}

/// Asks the node that listens there who it is, and that the address it says it has leads to it too: the other members
/// use that one.
pub(super) async fn meet(raft: &RaftHandle, peer_endpoint: &str) -> Result<Introduction, Problem> {
    let found = raft
        .meet(peer_endpoint)
        .await
        .map_err(|error| declined("unreachable", format!("no node can be added by {peer_endpoint}: {error}")))?;
    if found.version.is_empty() {
        let message = format!("the node at {peer_endpoint} is too old to be added: run this version on it");
        return Err(declined("too-old", message));
    }
    let said = found.peer_endpoint.clone();
    if said == peer_endpoint {
        return Ok(found);
    }
    let elsewhere = |what: String| {
        let message = format!(
            "the node at {peer_endpoint} says that it is reached at {said} (its setting advertise.peer, or else \
             listen.peer), and {what}"
        );
        declined("wrong-address", message)
    };
    match raft.meet(&said).await {
        Ok(there) if there.disk_id == found.disk_id => Ok(found),
        Ok(_) => Err(elsewhere("another node answers there".to_owned())),
        Err(error) => Err(elsewhere(error.to_string())),
    }
}

/// Refuses a node that does not read the cluster's level: it would be given a number, and stop at what it is sent.
pub(super) async fn check_level(raft: &RaftHandle, found: &Introduction, level: Level) -> Result<(), Problem> {
    let at = &found.peer_endpoint;
    let said = raft.announced_at(at).await;
    let said = said.map_err(|error| declined("unreachable", format!("no node can be added by {at}: {error}")))?;
    if said.level_max >= level {
        return Ok(());
    }
    let message = format!(
        "the node at {at} reads feature levels up to {}, and the cluster is at {level}: remove its setting \
         upgrade.level_max if it has one, or run keeper {} or newer on it; then ask again",
        said.level_max,
        release_of(level)
    );
    Err(declined("too-old", message))
}

/// What is to be done with it. `replaced` is the member whose place it takes, addresses included.
pub(super) fn judge(
    found: Introduction,
    status: &RaftStatus,
    own: Option<StateId>,
    given: u64,
    replaced: Option<u64>,
) -> Result<Newcomer, Problem> {
    if let Some(member) = status.members.get(&found.node).filter(|member| member.member.disk_id == found.disk_id)
        && !found.lost
    {
        tracing::debug!(node = found.node, voter = member.voter, "it is a member already");
        return Ok(Newcomer::Member(found.node));
    }
    let same_place = |peer: &str, client: &str| {
        bare(peer) == bare(&found.peer_endpoint) || bare(client) == bare(&found.client_endpoint)
    };
    let mut others = status.members.iter().filter(|(id, _)| Some(**id) != replaced);
    let taken = others.find(|(_, other)| same_place(&other.member.peer_endpoint, &other.member.client_endpoint));
    if let Some((id, _)) = taken {
        let message = format!(
            "node {id} is a member with an address of this node ({} or {}): if its disk was replaced, ask to replace \
             node {id} by it; otherwise give this one addresses of its own",
            found.peer_endpoint, found.client_endpoint
        );
        return Err(declined("address-taken", message));
    }
    if found.lost || !found.initialized {
        return Ok(Newcomer::Empty(found));
    }
    let is_ours = own.is_some_and(|own| own.0 == found.state) && found.node <= given && found.node > 0;
    if is_ours && !status.members.contains_key(&found.node) {
        return Ok(Newcomer::Numbered(found));
    }
    let message = format!(
        "the node at {} has data of its own, as node {}: only an empty node is added; `keeper forget` sets the data of \
         a node aside",
        found.peer_endpoint, found.node
    );
    Err(declined("has-data", message))
}

fn bare(endpoint: &str) -> &str {
    endpoint.trim_start_matches("http://").trim_end_matches('/')
}

fn declined(reason: &'static str, message: String) -> Problem {
    Problem::Declined { reason, message }
}
