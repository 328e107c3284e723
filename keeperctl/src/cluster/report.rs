//! The status of a cluster, as it is printed, and what is wrong with it.

use std::collections::BTreeMap;

use keeper_client_sdk::{Divergence, Endpoint, Member, NodeStatus, Role};
use serde::Serialize;

use crate::{
    cluster::survey::Survey,
    failure::Failure,
    render::{self, Report},
};

/// What a node is that did not answer.
const UNREACHABLE: &str = "unreachable";

/// What all nodes say of a cluster that was never founded.
pub(super) const UNINITIALIZED: &str = "the cluster is not initialized: run `keeper init`";

/// The status of a cluster.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    cluster: Option<String>,
    leader: Option<u64>,
    nodes: Vec<Node>,
    /// What is wrong, worst first.
    problems: Vec<String>,
    #[serde(skip)]
    answered: usize,
}

/// One node; of one that did not answer only the place is known.
#[derive(Debug, Serialize)]
struct Node {
    node: Option<u64>,
    endpoint: String,
    role: String,
    voter: Option<bool>,
    #[serde(flatten)]
    told: Option<Told>,
}

/// What a node said.
#[derive(Debug, Serialize)]
struct Told {
    term: u64,
    committed: u64,
    applied: u64,
    /// Entries that some node knows to be committed and this one has not applied; a node of no cluster lags nobody, nor
    /// does one that was removed.
    lag: Option<u64>,
    snapshot: u64,
    state_id: String,
    state_hash: String,
    version: String,
    level: u32,
    level_max: u32,
    sessions: u64,
    instances: u64,
    configs: u64,
    log_time: String,
    disk_free_bytes: Option<u64>,
    disk_needed_bytes: Option<u64>,
}

impl Status {
    pub(super) fn of(survey: &Survey) -> Self {
        let answers: Vec<&NodeStatus> = survey.answers.values().map(|(_, status)| status).collect();
        let committed = answers.iter().map(|status| status.committed_index).max().unwrap_or(0);
        let members = survey.members();
        let leader = leader(&answers);
        let told = survey.answers.values().map(|(endpoint, status)| Node::told(endpoint, status, committed, &members));
        let silent = survey.silent.keys().filter_map(|endpoint| {
            let node = survey.node_at(endpoint);
            // A node that answered by another name is not missing.
            let is_known = node.is_some_and(|node| survey.answers.contains_key(&node));
            (!is_known).then(|| Node::silent(endpoint, node, &members))
        });
        let mut nodes: Vec<Node> = told.chain(silent).collect();
        nodes.sort_by_key(|node| (node.node.unwrap_or(u64::MAX), node.endpoint.clone()));
        Self {
            cluster: answers.first().map(|status| status.cluster.clone()),
            leader,
            nodes,
            problems: problems(&answers, leader),
            answered: answers.len(),
        }
    }

    /// Whether a script should go on.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let Some((worst, others)) = self.problems.split_first() else { return Ok(()) };
        let failure = if self.answered == 0 { Failure::unreachable(worst) } else { Failure::refused(worst) };
        Err(others.iter().fold(failure, Failure::remedy))
    }
}

impl Node {
    fn told(endpoint: &Endpoint, status: &NodeStatus, committed: u64, members: &BTreeMap<u64, &Member>) -> Self {
        let told = Told {
            term: status.term,
            committed: status.committed_index,
            applied: status.applied_index,
            lag: (!matches!(status.role, Role::Uninitialized | Role::Removed))
                .then(|| committed.saturating_sub(status.applied_index)),
            snapshot: status.snapshot_index,
            state_id: render::hex(status.state_id),
            state_hash: render::hex(status.state_hash),
            version: status.version.clone(),
            level: status.level,
            level_max: status.level_max,
            sessions: status.sessions,
            instances: status.instances,
            configs: status.configs,
            log_time: render::millisecond(status.log_time_ms),
            disk_free_bytes: status.disk.map(|disk| disk.free_bytes),
            disk_needed_bytes: status.disk.map(|disk| disk.needed_bytes),
        };
        Self {
            node: Some(status.node_id),
            endpoint: endpoint.to_string(),
            role: status.role.as_str().to_owned(),
            voter: members.get(&status.node_id).map(|member| member.voter),
            told: Some(told),
        }
    }

    fn silent(endpoint: &Endpoint, node: Option<u64>, members: &BTreeMap<u64, &Member>) -> Self {
        let voter = node.and_then(|node| members.get(&node)).map(|member| member.voter);
        Self { node, endpoint: endpoint.to_string(), role: UNREACHABLE.to_owned(), voter, told: None }
    }
}

/// Whoever leads in the highest term that anybody knows: a leader of an older one has been replaced and does not know.
/// So has one of two within a term, where only a node of a higher number can follow.
pub(super) fn leader(answers: &[&NodeStatus]) -> Option<u64> {
    let term = answers.iter().map(|status| status.term).max()?;
    let leads = |status: &&&NodeStatus| status.role == Role::Leader && status.term == term;
    answers.iter().filter(leads).map(|status| status.node_id).max()
}

fn problems(answers: &[&NodeStatus], leader: Option<u64>) -> Vec<String> {
    let Some(first) = answers.first() else { return vec!["no node answers".to_owned()] };
    let mut problems = Vec::new();
    if let Some(other) = answers.iter().find(|status| status.cluster != first.cluster) {
        let (a, b) = (&first.cluster, &other.cluster);
        problems.push(format!(
            "the nodes belong to different clusters: {} to {a}, {} to {b}",
            first.node_id, other.node_id
        ));
    } else if let Some((one, other)) = histories(answers) {
        // A cluster that was restored beside members of the former one, which has the same name.
        problems.push(format!(
            "the nodes belong to different clusters: {} to the history {}, {} to {}",
            one.node_id,
            render::hex(one.state_id),
            other.node_id,
            render::hex(other.state_id)
        ));
    }
    problems.extend(divergences(answers, leader));
    // Replicas are compared at the same entry only: elsewhere they differ because one is ahead.
    for (index, one) in answers.iter().enumerate() {
        let differs = |other: &&&NodeStatus| {
            other.applied_index == one.applied_index
                && other.state_id == one.state_id
                && other.state_hash != one.state_hash
                && one.diverged.is_none()
                && other.diverged.is_none()
        };
        if let Some(other) = answers[index + 1..].iter().find(differs) {
            problems.push(format!(
                "the states of nodes {} and {} differ at index {}: keep their data and report it",
                one.node_id, other.node_id, one.applied_index
            ));
        }
    }
    if leader.is_none() {
        let uninitialized = answers.iter().all(|status| status.role == Role::Uninitialized);
        let remedy = if uninitialized { UNINITIALIZED } else { "no node leads" };
        problems.push(remedy.to_owned());
    }
    problems
}

/// What the nodes themselves have found: a replica that is proven to differ says so, and the leader knows of others.
fn divergences(answers: &[&NodeStatus], leader: Option<u64>) -> Vec<String> {
    let proven = answers.iter().filter_map(|status| Some((status.node_id, status.diverged?)));
    let mut problems: Vec<String> = proven
        .map(|(node, Divergence { index, found, expected })| {
            let (found, expected) = (render::hex(found), render::hex(expected));
            format!(
                "the state of node {node} differs from the majority's since entry {index} or before ({found}, not \
                 {expected}): it is not read; keep its data and report it, then rebuild it with `keeper forget \
                 --config FILE` on its machine"
            )
        })
        .collect();
    let members = answers.iter().find(|status| Some(status.node_id) == leader).map(|status| &status.members);
    for member in members.into_iter().flatten() {
        let says_so = |status: &&&NodeStatus| status.node_id == member.node_id && status.diverged.is_some();
        if let Some(Divergence { index, found, expected }) = member.diverged
            && !answers.iter().any(|status| says_so(&status))
        {
            let (node, found, expected) = (member.node_id, render::hex(found), render::hex(expected));
            problems.push(format!(
                "the state of node {node} differs from the leader's at entry {index} ({found}, not {expected}): keep their \
                 data and report it"
            ));
        }
    }
    problems
}

/// Nodes that have too little room for anything to grow, in words.
pub(super) fn shortages(survey: &Survey) -> impl Iterator<Item = String> {
    survey.answers.values().filter_map(|(_, status)| {
        let disk = status.disk.filter(|disk| disk.is_short)?;
        Some(format!(
            "node {} has {} MiB of disk free and needs {} MiB, and a quarter more before it takes new data again",
            status.node_id,
            disk.free_bytes >> 20,
            disk.needed_bytes >> 20
        ))
    })
}

/// Two nodes whose states began apart. One without a state has yet to hear of its beginning.
fn histories<'a>(answers: &[&'a NodeStatus]) -> Option<(&'a NodeStatus, &'a NodeStatus)> {
    let mut begun = answers.iter().filter(|status| status.state_id != 0);
    let one = begun.next()?;
    begun.find(|other| other.state_id != one.state_id).map(|other| (*one, *other))
}

impl Told {
    /// The cluster's, and what the node could read beyond it.
    fn level(&self) -> String {
        let Self { level, level_max, .. } = self;
        if level == level_max { level.to_string() } else { format!("{level} of {level_max}") }
    }
}

impl Report for Status {
    fn table(&self) -> String {
        let headings = [
            "NODE",
            "ENDPOINT",
            "ROLE",
            "TERM",
            "COMMITTED",
            "APPLIED",
            "LAG",
            "STATE HASH",
            "VERSION",
            "LEVEL",
            "SESSIONS",
        ];
        render::table(headings, self.nodes.iter().map(Node::cells))
    }
}

impl Node {
    fn cells(&self) -> [String; 11] {
        let told = |cell: fn(&Told) -> String| self.told.as_ref().map(cell).unwrap_or_default();
        [
            self.node.map(|node| node.to_string()).unwrap_or_default(),
            self.endpoint.clone(),
            self.role.clone(),
            told(|it| it.term.to_string()),
            told(|it| it.committed.to_string()),
            told(|it| it.applied.to_string()),
            told(|it| it.lag.map(|lag| lag.to_string()).unwrap_or_default()),
            told(|it| it.state_hash.clone()),
            told(|it| it.version.clone()),
            told(Told::level),
            told(|it| it.sessions.to_string()),
        ]
    }
}

#[cfg(test)]
pub(super) mod tests;
