//! The status of a cluster, as it is printed.

use std::collections::BTreeMap;

use keeper_client_sdk::{Endpoint, Member, NodeStatus, Role};
use serde::Serialize;

use crate::{
    cluster::{
        problems,
        survey::{self, Survey},
    },
    failure::Failure,
    render::{self, Report},
};

/// What a node is that did not answer.
const UNREACHABLE: &str = "unreachable";

/// What a node is that answered as one of the cluster, and is none by the leader's word.
const NO_MEMBER: &str = "no-member";

/// The status of a cluster.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    cluster: Option<String>,
    leader: Option<u64>,
    nodes: Vec<Node>,
    /// What is wrong, worst first.
    problems: Vec<String>,
    /// What is worth a word.
    tips: Vec<String>,
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
    /// does one that is no member any more.
    lag: Option<u64>,
    snapshot: u64,
    state_id: String,
    state_hash: String,
    version: String,
    /// Of the cluster; a node of none has none.
    level: Option<u32>,
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
        let committed = survey.statuses().map(|status| status.committed_index).max().unwrap_or(0);
        let members = survey.members();
        let told = survey.answers.values().map(|(endpoint, status)| {
            let mut node = Node::told(endpoint, status, committed, &members);
            if status.role != Role::Removed && problems::is_outside(survey, status, &members) {
                NO_MEMBER.clone_into(&mut node.role);
                node.told = node.told.map(|told| Told { lag: None, ..told });
            }
            node
        });
        let absent = survey.absent().map(|(member, _)| {
            let endpoint = survey::place(member).map_or_else(|| member.client_endpoint.clone(), |it| it.to_string());
            Node::silent(endpoint, Some(member))
        });
        let strangers = survey.strangers().map(|(endpoint, _)| Node::silent(endpoint.to_string(), None));
        let mut nodes: Vec<Node> = told.chain(absent).chain(strangers).collect();
        nodes.sort_by_key(|node| (node.node.unwrap_or(u64::MAX), node.endpoint.clone()));
        let problems = problems::problems(survey);
        let tips = problems::tips(survey, &problems);
        Self {
            cluster: survey.authority().map(|status| status.cluster.clone()),
            leader: survey.leader().map(|status| status.node_id),
            nodes,
            problems,
            tips,
            answered: survey.answers.len(),
        }
    }

    /// What is to be said beside the table.
    pub(super) fn tips(&self) -> &[String] {
        &self.tips
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
            level: (status.role != Role::Uninitialized).then_some(status.level),
            level_max: status.level_max,
            sessions: status.sessions,
            instances: status.instances,
            configs: status.configs,
            log_time: render::millisecond(status.log_time_ms),
            disk_free_bytes: status.disk.map(|disk| disk.free_bytes),
            disk_needed_bytes: status.disk.map(|disk| disk.needed_bytes),
        };
        let place = survey::emptied(status, members).map(|member| member.node_id);
        let node = place.unwrap_or(status.node_id);
        Self {
            // One that waits for its number has none, unless it is in the place of a member.
            node: Some(node).filter(|node| *node != 0),
            endpoint: endpoint.to_string(),
            role: status.role.as_str().to_owned(),
            voter: members.get(&node).map(|member| member.voter),
            told: Some(told),
        }
    }

    fn silent(endpoint: String, member: Option<&Member>) -> Self {
        let (node, voter) = (member.map(|member| member.node_id), member.map(|member| member.voter));
        Self { node, endpoint, role: UNREACHABLE.to_owned(), voter, told: None }
    }
}

impl Told {
    /// The cluster's, and what the node could read beyond it.
    fn level(&self) -> String {
        let Self { level, level_max, .. } = self;
        match level {
            None => String::new(),
            Some(level) if level == level_max => level.to_string(),
            Some(level) => format!("{level} of {level_max}"),
        }
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
