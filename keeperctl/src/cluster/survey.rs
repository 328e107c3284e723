//! What nodes said about themselves, as it is collected. Pure: answers in, whom to ask next out.
//!
//! Who is a member is what the leader says. Everybody else may lag behind it, and one that was removed may name members
//! of long ago: they are asked, because one of them may lead, and are not believed.

use std::collections::{BTreeMap, BTreeSet};

use keeper_client_sdk::{Endpoint, Member, NodeStatus, Role};

use crate::cluster::problems;

/// A node by what it says of itself: several may say the same number, and one may have several names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    node_id: u64,
    disk_id: u64,
    peer_endpoint: String,
}

/// What nodes said about themselves.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// In the order of their numbers.
    pub(super) answers: BTreeMap<Who, (Endpoint, NodeStatus)>,
    /// Who did not answer, and why.
    pub(super) silent: BTreeMap<Endpoint, String>,
    named: BTreeSet<Endpoint>,
    asked: BTreeSet<Endpoint>,
}

impl Survey {
    /// Begins with the nodes that were named.
    pub(super) fn of(named: &[Endpoint]) -> Self {
        Self { named: named.iter().cloned().collect(), ..Self::default() }
    }

    pub(super) fn hear(&mut self, endpoint: Endpoint, answer: Result<NodeStatus, String>) {
        self.asked.insert(endpoint.clone());
        match answer {
            Ok(status) => {
                let NodeStatus { node_id, disk_id, ref peer_endpoint, .. } = status;
                let who = Who { node_id, disk_id, peer_endpoint: peer_endpoint.clone() };
                self.answers.entry(who).or_insert((endpoint, status));
            }
            Err(problem) => {
                self.silent.insert(endpoint, problem);
            }
        }
    }

    /// Members by anybody's account that have neither answered nor been asked.
    pub(super) fn unasked(&self) -> Vec<Endpoint> {
        let known = self.statuses().flat_map(|status| &status.members);
        let missing = known.filter(|member| !self.statuses().any(|status| is(status, member)));
        let endpoints: BTreeSet<_> = missing.filter_map(place).collect();
        endpoints.into_iter().filter(|endpoint| !self.asked.contains(endpoint)).collect()
    }

    /// Everybody's answer.
    pub(super) fn statuses(&self) -> impl Iterator<Item = &NodeStatus> + Clone {
        self.answers.values().map(|(_, status)| status)
    }

    /// Whether a node of this number answered.
    pub(super) fn has_heard(&self, node: u64) -> bool {
        self.statuses().any(|status| status.node_id == node)
    }

    /// Whoever leads in the highest term that anybody knows: a leader of an older one has been replaced and does not
    /// know. So has one of two within a term, where only a node of a higher number can follow.
    pub(super) fn leader(&self) -> Option<&NodeStatus> {
        let term = self.statuses().map(|status| status.term).max()?;
        let leads = |status: &&NodeStatus| status.role == Role::Leader && status.term == term;
        self.statuses().filter(leads).max_by_key(|status| status.node_id)
    }

    /// Whoever was elected last and is answered by no majority.
    pub(super) fn leader_without_quorum(&self) -> Option<&NodeStatus> {
        let lost = self.statuses().filter(|status| status.role == Role::NoQuorum);
        lost.max_by_key(|status| (status.term, status.node_id))
    }

    /// Whose word counts for who the members are: the leader's; without one, that of who knows most of the log.
    pub(super) fn authority(&self) -> Option<&NodeStatus> {
        let belongs = |role: &Role| !matches!(role, Role::Removed | Role::Uninitialized);
        let lasts = |it: &&NodeStatus| (belongs(&it.role), it.committed_index, it.last_log_index);
        self.leader().or_else(|| self.statuses().max_by_key(lasts))
    }

    /// The members.
    pub(super) fn members(&self) -> BTreeMap<u64, &Member> {
        let told = self.authority().into_iter().flat_map(|status| &status.members);
        told.map(|member| (member.node_id, member)).collect()
    }

    /// Nodes without data, each with the member in whose place it is; a member that answers elsewhere has its data.
    pub(super) fn emptied(&self) -> impl Iterator<Item = (&Member, &NodeStatus)> {
        let members = self.members();
        let has_data = |node: u64| self.statuses().any(|it| it.node_id == node && it.role != Role::Uninitialized);
        let of = move |status| Some((emptied(status, &members).filter(|member| !has_data(member.node_id))?, status));
        self.statuses().filter_map(of)
    }

    /// Members that did not answer, where they should, and why not.
    pub(super) fn absent(&self) -> impl Iterator<Item = (&Member, Option<String>)> {
        let is_emptied = |node: u64| self.emptied().any(|(member, _)| member.node_id == node);
        let is_absent = move |member: &&Member| !self.has_heard(member.node_id) && !is_emptied(member.node_id);
        let absent = self.members().into_values().filter(is_absent);
        absent.map(|member| (member, place(member).and_then(|place| self.lack(&place))))
    }

    /// Why nobody who is meant answers at a place.
    fn lack(&self, place: &Endpoint) -> Option<String> {
        let other = self.answers.values().find(|(endpoint, _)| endpoint == place);
        match other {
            Some((_, other)) if other.role == Role::Uninitialized && problems::is_first_release(other) => {
                let version = &other.version;
                Some(format!("in its place is a node without data of keeper {version}: run a newer one there"))
            }
            Some((_, other)) if other.role == Role::Uninitialized => Some("a node without data is in its place".into()),
            Some((_, other)) => Some(format!("node {} is in its place", other.node_id)),
            None => self.silent.get(place).cloned(),
        }
    }

    /// Nodes that were named and are nowhere to be found among the members.
    pub(super) fn strangers(&self) -> impl Iterator<Item = (&Endpoint, &String)> {
        let places: BTreeSet<_> = self.members().into_values().filter_map(place).collect();
        self.silent.iter().filter(move |(endpoint, _)| self.named.contains(endpoint) && !places.contains(endpoint))
    }

    /// Who did not answer, in words.
    pub(super) fn silences(&self) -> impl Iterator<Item = String> {
        self.silent.iter().map(|(endpoint, problem)| format!("{endpoint} does not answer: {problem}"))
    }
}

/// The member in whose place a node without data is. Its settings may name another number than the cluster does, which
/// has given that place a new one each time a disk was lost there, or none.
pub(super) fn emptied<'a>(status: &NodeStatus, members: &BTreeMap<u64, &'a Member>) -> Option<&'a Member> {
    if status.role != Role::Uninitialized {
        return None;
    }
    let named = members.get(&status.node_id).copied();
    let is_there = |member: &&Member| !status.peer_endpoint.is_empty() && status.peer_endpoint == member.peer_endpoint;
    if named.is_some_and(|named| !is_there(&named)) {
        // It would not be taken for another one than it says.
        return named;
    }
    // Of two in one place, which a half-done change leaves, the one with a vote is replaced.
    members.values().copied().filter(is_there).max_by_key(|member| member.voter).or(named)
}

/// Where a member says that clients reach it.
pub(super) fn place(member: &Member) -> Option<Endpoint> {
    Endpoint::parse(&member.client_endpoint).ok()
}

/// Whether it is this member that said something, and not another one under its number.
fn is(status: &NodeStatus, member: &Member) -> bool {
    let is_elsewhere = !status.peer_endpoint.is_empty() && status.peer_endpoint != member.peer_endpoint;
    status.node_id == member.node_id && !is_elsewhere
}
