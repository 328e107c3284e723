//! Who a node is that is to join, and whether it can.

use keeper_registry::{Level, StateId};

use crate::levels::release_of;
use crate::problem::Problem;
use crate::raft::{Introduction, Member, MemberStatus, RaftHandle, RaftStatus};

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

/// The learners whose directories are gone: where each was reached another one answers, that of the newcomer. They are
/// left of an earlier try to take a member in anew, and promised nothing that counts, having no vote. One that is about
/// to have one, in a change that is half done, counts as a voter.
pub(super) fn left_over(found: &Introduction, status: &RaftStatus, replaced: u64) -> Vec<u64> {
    let is_gone = |(id, member): &(&u64, &MemberStatus)| {
        let is_there = bare(&member.member.peer_endpoint) == bare(&found.peer_endpoint);
        **id != replaced && !member.voter && is_there && member.member.disk_id != found.disk_id
    };
    status.members.iter().filter(is_gone).map(|(id, _)| *id).collect()
}

/// What is to be done with it. `replaced` is the member whose place it takes, addresses included, and with it those
/// that are [`left_over`] there.
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
        if replaced.is_some() {
            check_place(status, found.node, replaced)?;
        }
        return Ok(Newcomer::Member(found.node));
    }
    let place = Place { peer: &found.peer_endpoint, client: &found.client_endpoint };
    let left_over = replaced.map(|old| left_over(&found, status, old)).unwrap_or_default();
    let others = status.members.iter().filter(|(id, _)| Some(**id) != replaced && !left_over.contains(id));
    let taken = others.filter(|(_, it)| place.is_of(&it.member));
    // Of several the one that has a vote to hand on.
    if let Some((id, other)) = taken.max_by_key(|(_, it)| it.voter) {
        let replaced = replaced.and_then(|old| status.members.get_key_value(&old));
        return Err(address_taken(&place, *id, &other.member, replaced));
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

/// Refuses a member a vote while another one has a vote at its address: the vote of a directory that is gone, which is
/// to be handed on, or else one machine that fails takes two votes with it. `replaced` is the voter that leaves.
pub(super) fn check_place(status: &RaftStatus, node: u64, replaced: Option<u64>) -> Result<(), Problem> {
    let Some(own) = status.members.get(&node) else { return Ok(()) };
    let place = Place { peer: &own.member.peer_endpoint, client: &own.member.client_endpoint };
    let mut others = status.members.iter().filter(|(id, it)| **id != node && Some(**id) != replaced && it.voter);
    match others.find(|(_, it)| place.is_of(&it.member)) {
        Some((id, other)) => Err(address_taken(&place, *id, &other.member, None)),
        None => Ok(()),
    }
}

/// Where a node is reached.
struct Place<'a> {
    peer: &'a str,
    client: &'a str,
}

impl Place<'_> {
    fn is_of(&self, member: &Member) -> bool {
        bare(&member.peer_endpoint) == bare(self.peer) || bare(&member.client_endpoint) == bare(self.client)
    }
}

fn address_taken(place: &Place<'_>, id: u64, other: &Member, replaced: Option<(&u64, &MemberStatus)>) -> Problem {
    let Place { peer: peer_endpoint, client: client_endpoint } = place;
    let is_there = |member: &Member| bare(&member.peer_endpoint) == bare(peer_endpoint);
    let cure = match replaced {
        // Two votes of one address cannot both be handed on.
        Some((old, it)) if it.voter && is_there(&it.member) && is_there(other) => format!(
            "so is node {old}, and both had votes: first have one forgotten, with `keeperctl cluster remove {id}`"
        ),
        _ => format!(
            "if its disk was replaced, have this one take that place with `keeperctl cluster replace {id} \
             {peer_endpoint}`; otherwise give this one addresses of its own"
        ),
    };
    let message = format!(
        "node {id} is a member with an address of this node ({peer_endpoint} or {}): {cure}",
        bare(client_endpoint)
    );
    declined("address-taken", message)
}

fn bare(endpoint: &str) -> &str {
    endpoint.trim_start_matches("http://").trim_end_matches('/')
}

fn declined(reason: &'static str, message: String) -> Problem {
    Problem::Declined { reason, message }
}
