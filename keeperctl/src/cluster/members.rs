//! `keeperctl cluster add`, `promote`, `demote`, `remove`, `replace` and `transfer-leader`.
//!
//! What happens on the way is words, what came of it is data: one sentence, or one object.

use keeper_client_sdk::{
    Cluster, Endpoint, Error, Member, MembershipChange, MembershipChanged, MembershipStep, NodeStatus, Rank,
};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{AddMember, MemberVerb},
    failure::{Failure, Kind, NOT_GRPC},
    render::Report,
};

/// Looks of the leader, of which there are about twenty a second, until progress is told again.
const TELL_EVERY: u32 = 20;

pub(crate) async fn change(admin: &mut Admin<'_, '_>, verb: MemberVerb) -> Result<(), Failure> {
    let cluster = admin.keeper.cluster();
    let (mut what, change) = match verb {
        MemberVerb::Add(AddMember { peer, learner: true }) => {
            (What::AddedLearner(peer.clone()), cluster.add(peer, Rank::Learner))
        }
        MemberVerb::Add(AddMember { peer, learner: false }) => {
            (What::AddedVoter(peer.clone()), cluster.add(peer, Rank::Voter))
        }
        MemberVerb::Promote { node } => (What::Promoted, cluster.promote(node)),
        MemberVerb::Demote { node } => (What::Demoted, cluster.demote(node)),
        MemberVerb::Remove { node } => (What::Removed, cluster.remove(node)),
        MemberVerb::Replace { old, peer } => (What::Replaced(old, peer.clone()), cluster.replace(old, peer)),
        MemberVerb::TransferLeader { node } => (What::Leads, cluster.transfer_leader(node)),
    };
    if let What::Replaced(old, peer) = &what
        && member(&cluster, *old).await.is_some_and(|it| it.peer_endpoint == *peer)
    {
        what = What::Renewed(*old, peer.clone());
    }
    let changed = match follow(admin, change).await {
        Ok(changed) => changed,
        Err(failure) => return Err(wrong_port(&cluster, &what, failure).await),
    };
    if matches!(what, What::AddedLearner(_))
        && changed.unchanged
        && member(&cluster, changed.node_id).await.is_some_and(|it| it.voter)
    {
        what = What::KeptVote;
    }
    admin.console.print(&Done::of(what, changed))
}

/// A member, as the one knows it who knows most of the log.
async fn member(cluster: &Cluster, node: u64) -> Option<Member> {
    let answers = cluster.status().await.into_iter().filter_map(|(_, answer)| answer.ok());
    let newest = answers.max_by_key(|status| status.applied_index)?;
    newest.members.into_iter().find(|member| member.node_id == node)
}

/// A refusal may be about an address that is another port of the node that is meant.
async fn wrong_port(cluster: &Cluster, what: &What, failure: Failure) -> Failure {
    let (What::AddedVoter(peer) | What::AddedLearner(peer) | What::Replaced(_, peer) | What::Renewed(_, peer)) = what
    else {
        return failure;
    };
    if !matches!(failure.kind, Kind::Refused | Kind::Failed) {
        return failure;
    }
    let Ok(endpoint) = Endpoint::parse(peer) else { return failure };
    match cluster.status_of(&endpoint).await {
        Ok(status) => client_port(what, peer, &status, failure),
        Err(Error::Broken { reason, message, .. }) if reason == "unimplemented" && message.contains(NOT_GRPC) => {
            let told = format!("{peer} speaks HTTP: it may be the port for metrics, and the peer port is meant");
            Failure { kind: Kind::Refused, ..failure.remedy(told) }
        }
        Err(_) => failure,
    }
}

fn client_port(what: &What, peer: &str, status: &NodeStatus, failure: Failure) -> Failure {
    let whose = match status.node_id {
        0 => "a node that waits for its number".to_owned(),
        node => format!("node {node}"),
    };
    let failure = failure.remedy(format!("{peer} is the client port of {whose}; its peer port is meant"));
    let failure = Failure { kind: Kind::Refused, ..failure };
    let meant = &status.peer_endpoint;
    if meant.is_empty() {
        return failure.remedy("that is `listen.peer` in its settings, by default 7401");
    }
    let verb = match what {
        What::AddedLearner(_) => "add --learner".to_owned(),
        What::Replaced(old, _) | What::Renewed(old, _) => format!("replace {old}"),
        What::AddedVoter(_) | What::KeptVote | What::Promoted | What::Demoted | What::Removed | What::Leads => {
            "add".to_owned()
        }
    };
    failure.did_you_mean(&format!("keeperctl cluster {verb} {meant}"))
}

/// Tells how it goes, until it is done.
async fn follow(admin: &mut Admin<'_, '_>, mut change: MembershipChange) -> Result<MembershipChanged, Failure> {
    let mut pace = Pace::default();
    loop {
        let step = change.step().await.map_err(|error| Failure::of_change(error, "keeperctl cluster status"))?;
        match step {
            MembershipStep::Changed(changed) => return Ok(changed),
            MembershipStep::Numbered(node) => admin.console.say(format_args!("it is node {node}, and starts as that")),
            MembershipStep::Joined(node) => admin.console.say(format_args!("node {node} is a learner")),
            MembershipStep::HandingOver(node) => {
                admin.console.say(format_args!("leadership is handed over to node {node}"));
            }
            MembershipStep::CatchingUp { node_id, has, wanted } if pace.is_due((node_id, has, wanted)) => {
                admin.console.say(format_args!("node {node_id} has {has} of {wanted} entries"));
            }
            MembershipStep::CatchingUp { .. } | _ => {}
        }
    }
}

/// When progress is worth a word: not if it takes no time, and not if nothing has moved since the last one.
#[derive(Debug, Default)]
struct Pace {
    looks: u32,
    told: Option<(u64, u64, u64)>,
}

impl Pace {
    fn is_due(&mut self, now: (u64, u64, u64)) -> bool {
        self.looks += 1;
        self.looks.is_multiple_of(TELL_EVERY) && self.told.replace(now) != Some(now)
    }
}

/// What was asked for.
enum What {
    AddedVoter(String),
    AddedLearner(String),
    /// It was to be a learner, and is a voter.
    KeptVote,
    Promoted,
    Demoted,
    Removed,
    Replaced(u64, String),
    /// At the same address: its directory was empty.
    Renewed(u64, String),
    Leads,
}

/// What came of it, as it is printed.
#[derive(Debug, Serialize)]
struct Done {
    node: u64,
    /// Something was changed.
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_ms: Option<u64>,
    #[serde(skip)]
    sentence: String,
}

impl Done {
    fn of(what: What, changed: MembershipChanged) -> Self {
        let MembershipChanged { node_id: node, unchanged, pause } = changed;
        let pause_ms = pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        let now = if unchanged { "already" } else { "now" };
        let sentence = match what {
            What::AddedVoter(_) => format!("node {node} is a member and votes {now}"),
            What::AddedLearner(_) => format!("node {node} is a member {now}"),
            What::KeptVote => {
                format!("node {node} is a voter and stays one: `keeperctl cluster demote {node}` takes its vote away")
            }
            What::Promoted => format!("node {node} votes {now}"),
            What::Demoted if unchanged => format!("node {node} has no vote: it is a learner already"),
            What::Demoted => format!("node {node} has no vote any more: it is a learner"),
            What::Removed => format!("node {node} is no member any more: stop it; no other node gets its number"),
            What::Replaced(old, _) => format!("node {node} has taken the place of node {old}: stop that one"),
            What::Renewed(old, _) => format!("node {node} has taken the place of node {old}, at the same address"),
            What::Leads => {
                let pause = pause_ms.map(|ms| format!("; no write was acknowledged for {ms} ms")).unwrap_or_default();
                format!("node {node} leads {now}{pause}")
            }
        };
        Self { node, changed: !unchanged, pause_ms, sentence }
    }
}

impl Report for Done {
    fn table(&self) -> String {
        format!("{}\n", self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keeper_client_sdk::Role;

    use super::*;
    use crate::cluster::report::tests::status;

    #[test]
    fn a_node_that_gains_nothing_is_told_once() {
        let mut pace = Pace::default();
        let mut told = |has| (0..TELL_EVERY * 3).filter(|_| pace.is_due((4, has, 90))).count();
        assert_eq!([told(10), told(10), told(60)], [1, 0, 1]);
        assert!(!Pace::default().is_due((4, 10, 90)), "what takes no time is not worth a word");
    }

    #[test]
    fn what_came_of_it_is_one_sentence() {
        let changed = MembershipChanged { node_id: 4, unchanged: false, pause: Some(Duration::from_millis(210)) };
        let said = |what, changed: &MembershipChanged| Done::of(what, changed.clone()).table();
        assert_eq!(said(What::Leads, &changed), "node 4 leads now; no write was acknowledged for 210 ms\n");
        assert_eq!(said(What::AddedVoter("node4:7401".to_owned()), &changed), "node 4 is a member and votes now\n");
        let same = MembershipChanged { unchanged: true, pause: None, ..changed };
        assert_eq!(said(What::Promoted, &same), "node 4 votes already\n");
        let kept = "node 4 is a voter and stays one: `keeperctl cluster demote 4` takes its vote away\n";
        assert_eq!(said(What::KeptVote, &same), kept);
    }

    #[test]
    fn a_client_port_is_told_with_the_peer_port_that_is_meant() {
        let typed = "10.0.0.4:7400";
        let told = |what, node, peer: &str| {
            let status = NodeStatus { peer_endpoint: peer.to_owned(), ..status(node, Role::Uninitialized) };
            client_port(&what, typed, &status, Failure::refused("no")).remedies
        };
        let expected = [
            "10.0.0.4:7400 is the client port of a node that waits for its number; its peer port is meant",
            "did you mean: `keeperctl cluster add 10.0.0.4:7401`",
        ];
        assert_eq!(told(What::AddedVoter(typed.to_owned()), 0, "10.0.0.4:7401"), expected);
        let replaced = told(What::Replaced(2, typed.to_owned()), 4, "10.0.0.4:7401");
        assert_eq!(replaced[1], "did you mean: `keeperctl cluster replace 2 10.0.0.4:7401`");
        let older = told(What::AddedLearner(typed.to_owned()), 4, "");
        assert_eq!(older[1], "that is `listen.peer` in its settings, by default 7401");
    }
}
