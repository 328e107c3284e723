//! What nodes said about themselves, as it is collected. Pure: answers in, whom to ask next out.

use std::collections::{BTreeMap, BTreeSet};

use keeper_client_sdk::{Endpoint, Member, NodeStatus};

/// What nodes said about themselves.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// By node, for a node may have several names.
    pub(super) answers: BTreeMap<u64, (Endpoint, NodeStatus)>,
    /// Who did not answer, and why.
    pub(super) silent: BTreeMap<Endpoint, String>,
    asked: BTreeSet<Endpoint>,
}

impl Survey {
    pub(super) fn hear(&mut self, endpoint: Endpoint, answer: Result<NodeStatus, String>) {
        self.asked.insert(endpoint.clone());
        match answer {
            Ok(status) => {
                self.answers.entry(status.node_id).or_insert((endpoint, status));
            }
            Err(problem) => {
                self.silent.insert(endpoint, problem);
            }
        }
    }

    /// Members that have neither answered nor been asked.
    pub(super) fn unasked(&self) -> Vec<Endpoint> {
        let missing = self.members().into_values().filter(|member| !self.answers.contains_key(&member.node_id));
        let endpoints: BTreeSet<_> =
            missing.filter_map(|member| Endpoint::parse(&member.client_endpoint).ok()).collect();
        endpoints.into_iter().filter(|endpoint| !self.asked.contains(endpoint)).collect()
    }

    /// Every member that anybody knows, as the one who knows most of the log knows it.
    pub(super) fn members(&self) -> BTreeMap<u64, &Member> {
        let mut tellers: Vec<_> = self.answers.values().map(|(_, status)| status).collect();
        tellers.sort_by_key(|status| status.applied_index);
        tellers.into_iter().flat_map(|status| &status.members).map(|member| (member.node_id, member)).collect()
    }

    /// The node behind an endpoint that did not answer, as members know it.
    pub(super) fn node_at(&self, endpoint: &Endpoint) -> Option<u64> {
        let members = self.members();
        let here =
            members.values().find(|member| Endpoint::parse(&member.client_endpoint).ok().as_ref() == Some(endpoint));
        here.map(|member| member.node_id)
    }

    /// Who did not answer, in words.
    pub(super) fn silences(&self) -> impl Iterator<Item = String> {
        self.silent.iter().map(|(endpoint, problem)| format!("{endpoint} does not answer: {problem}"))
    }
}
