//! Why nobody did what was asked.
//!
//! A call that failed knows its last try alone: a connection refused, a deadline, the name of a leader that is dead.
//! The nodes are asked for themselves, which they answer without their peers, so that silence is told from a cluster
//! that has lost its majority.

use std::time::Duration;

use keeper_client_sdk::{Endpoint, NodeStatus};

use crate::{
    admin::Admin,
    cluster::{
        majority::{self, Majority},
        problems, put_back,
        survey::Survey,
    },
    failure::{Failure, Kind},
    render,
};

/// Says of a call that nobody served what the nodes say of themselves. Other failures are known already.
pub(crate) async fn diagnose(admin: &Admin<'_, '_>, failure: Failure) -> Failure {
    if !matches!(failure.kind, Kind::Unserved | Kind::Stranger) {
        return failure;
    }
    let survey = super::survey(&admin.keeper.cluster(), &admin.keeper.endpoints()).await;
    if failure.kind == Kind::Stranger {
        return outdated(&survey).unwrap_or(failure);
    }
    told(failure, &survey, admin.timeout)
}

/// That somebody did not know the call because it is older than this program; none if nobody who answers is.
fn outdated(survey: &Survey) -> Option<Failure> {
    let older: Vec<_> = survey.answers.values().filter(|(_, status)| is_older(&status.version, OWN)).collect();
    let leader = survey.leader().map(|leader| leader.node_id);
    let one = |(endpoint, status): &(Endpoint, NodeStatus), who: &str| {
        let (node, version) = (status.node_id, &status.version);
        format!("{who} (node {node}, {endpoint}) runs keeper {version}, which does not know this")
    };
    let message = match older.iter().find(|(_, status)| Some(status.node_id) == leader) {
        Some(leader) => one(leader, "the leader"),
        None => one(older.first()?, "a node"),
    };
    let failure = Failure::failed(format!("{message}: upgrade it first"));
    Some(failure.remedy("how: docs/operations.md, \"Upgrading\"; `keeperctl cluster status` shows who runs what"))
}

/// The release of this program.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// Whether one release came before another; what is no release came neither before nor after.
fn is_older(version: &str, than: &str) -> bool {
    let numbers = |version: &str| version.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().ok();
    matches!((numbers(version), numbers(than)), (Some(one), Some(other)) if one < other)
}

fn told(failure: Failure, survey: &Survey, waited: Duration) -> Failure {
    let Failure { message, remedies, .. } = failure;
    let (found, first) = if survey.answers.is_empty() {
        (Failure::unreachable("no node answers"), None)
    } else if let Some(lack) = lack(survey) {
        let answer = if survey.answers.len() == 1 { "answers" } else { "answer" };
        let found = Failure::failed(format!("{lack}; {} {answer}", render::list(endpoints(survey))));
        let found = Majority::of(survey, None).cure().into_iter().fold(found, Failure::remedy);
        (
            found.remedy(format!("the last try: {message}")),
            Some("see how it is with `keeperctl cluster status`".to_owned()),
        )
    } else {
        (Failure::failed(message), Some(longer(waited)))
    };
    let found = remedies.into_iter().chain(survey.silences()).fold(found, Failure::remedy);
    first.into_iter().fold(found, Failure::remedy)
}

fn endpoints(survey: &Survey) -> impl Iterator<Item = String> {
    survey.answers.values().map(|(endpoint, _)| endpoint.to_string())
}

/// More than what was waited for in vain.
fn longer(waited: Duration) -> String {
    format!("try again, or wait longer with `--timeout {}s`", waited.as_secs().saturating_mul(3).max(30))
}

/// What the cluster lacks to serve anybody; none: it has a leader and a majority, as far as can be seen from here.
fn lack(survey: &Survey) -> Option<String> {
    if majority::leader(survey).is_some() {
        return None;
    }
    if let Some(empty) = problems::without_data(survey) {
        return Some(empty);
    }
    if let Some(lack) = put_back::no_majority(survey) {
        return Some(lack);
    }
    let majority = Majority::of(survey, None);
    let elected = survey.leader().or_else(|| survey.leader_without_quorum());
    Some(match (elected, majority.is_there()) {
        (Some(_), false) => format!("the cluster has no majority: {}", majority.lack()),
        (None, false) => format!("the cluster has no leader and no majority: {}", majority.lack()),
        (Some(_) | None, true) => "the cluster has no leader now: its nodes may be choosing one".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Role;

    use super::*;
    use crate::cluster::report::tests::{status, survey};

    fn late() -> Failure {
        Failure::unserved("no answer to lookup within 3s").remedy("it may have happened")
    }

    #[test]
    fn a_majority_that_was_put_back_is_not_said_to_choose_a_leader() {
        let mut elected = status(1, Role::NoQuorum);
        for member in &mut elected.members[1..] {
            (member.is_silent, member.took_back) = (true, true);
        }
        let answers = vec![elected, status(2, Role::Follower), status(3, Role::Follower)];
        let failure = told(late(), &survey(answers, &[]), Duration::from_secs(3));
        assert!(failure.message.starts_with("no node leads: node 1 was elected, and has no majority that can commit"));
    }

    #[test]
    fn silence_names_everybody_who_keeps_it() {
        let failure = told(late(), &survey(Vec::new(), &[1, 2]), Duration::from_secs(3));
        assert_eq!(failure.kind, Kind::Unreachable);
        let expected = [
            "it may have happened",
            "10.0.0.1:7400 does not answer: connection refused",
            "10.0.0.2:7400 does not answer: connection refused",
        ];
        assert_eq!(failure.remedies, expected);
    }

    #[test]
    fn a_node_without_its_majority_is_not_silence() {
        for (role, lack) in [(Role::Candidate, "no leader and no majority"), (Role::NoQuorum, "no majority")] {
            let failure = told(late(), &survey(vec![status(3, role)], &[1, 2]), Duration::from_secs(3));
            let expected = format!(
                "the cluster has {lack}: 2 of 3 voters do not answer: node 1 (10.0.0.1:7400), node 2 (10.0.0.2:7400); \
                 10.0.0.3:7400 answers"
            );
            assert_eq!((failure.kind, failure.message), (Kind::Failed, expected));
            let cure = "start 1 of them again, or repair the network to them: until then nothing can be changed, nor \
                        anybody removed; if their data is gone for good, begin a cluster with a backup: \
                        docs/operations.md, \"Backup and restore\"";
            assert_eq!(failure.remedies[0], cure);
            assert_eq!(failure.remedies[1], "the last try: no answer to lookup within 3s");
            let last = failure.remedies.last();
            assert_eq!(last.map(String::as_str), Some("see how it is with `keeperctl cluster status`"));
        }
    }

    #[test]
    fn an_election_is_told_from_a_loss() {
        let failure = told(
            late(),
            &survey(vec![status(2, Role::Candidate), status(3, Role::Follower)], &[1]),
            Duration::from_secs(3),
        );
        let expected = "the cluster has no leader now: its nodes may be choosing one";
        assert!(failure.message.starts_with(expected), "{failure:?}");
    }

    #[test]
    fn a_cluster_that_never_began_is_told_too() {
        let fresh = NodeStatus { term: 0, members: Vec::new(), ..status(1, Role::Uninitialized) };
        let failure = told(late(), &survey(vec![fresh], &[]), Duration::from_secs(3));
        let begin =
            "10.0.0.1:7400 has no data and knows of no cluster: a new one is founded with `keeper init`, and never ";
        assert!(failure.message.starts_with(begin), "{failure:?}");
        assert!(failure.remedies.iter().all(|it| !it.contains("begin a cluster with a backup")), "{failure:?}");
        let of = |node| NodeStatus { term: 0, members: Vec::new(), ..status(node, Role::Uninitialized) };
        let failure = told(late(), &survey(vec![of(1), of(2)], &[]), Duration::from_secs(3));
        assert!(failure.message.ends_with("; 10.0.0.1:7400,10.0.0.2:7400 answer"), "{failure:?}");
    }

    #[test]
    fn a_majority_without_data_is_no_matter_of_starting_somebody() {
        let empty = |node| NodeStatus { members: Vec::new(), ..status(node, Role::Uninitialized) };
        let answers = vec![status(1, Role::Candidate), empty(2), empty(3)];
        let failure = told(late(), &survey(answers, &[]), Duration::from_secs(3));
        let expected = "the cluster has no leader and no majority: 2 of 3 voters have no data; ";
        assert!(failure.message.starts_with(expected), "{failure:?}");
        let cure = "put their directories back, or begin with a backup (docs/operations.md, \"Backup and restore\")";
        assert_eq!(failure.remedies[0], cure);
    }

    #[test]
    fn who_is_too_old_to_know_the_call_is_named() {
        let of = |node, role, version: &str| NodeStatus { version: version.into(), ..status(node, role) };
        let told = |answers| outdated(&survey(answers, &[])).map(|failure| (failure.kind, failure.message));
        let old = vec![of(1, Role::Follower, "0.1.0"), of(2, Role::Leader, "0.1.0"), of(3, Role::Follower, OWN)];
        let expected =
            "the leader (node 2, 10.0.0.2:7400) runs keeper 0.1.0, which does not know this: upgrade it first";
        assert_eq!(told(old), Some((Kind::Failed, expected.to_owned())));
        let mixed = vec![of(1, Role::Follower, "0.1.0"), of(2, Role::Leader, OWN)];
        let expected = "a node (node 1, 10.0.0.1:7400) runs keeper 0.1.0, which does not know this: upgrade it first";
        assert_eq!(told(mixed), Some((Kind::Failed, expected.to_owned())));
        assert_eq!(told(vec![of(1, Role::Leader, OWN)]), None, "then it is something else that answers there");
        assert!(is_older("0.9.0", "0.10.0") && !is_older("0.10.0", "0.9.0") && !is_older("dev", OWN));
    }

    #[test]
    fn a_sound_cluster_leaves_the_failure_as_it_is() {
        let failure = told(
            late(),
            &survey(vec![status(1, Role::Leader), status(2, Role::Follower)], &[]),
            Duration::from_secs(3),
        );
        assert_eq!(failure.message, "no answer to lookup within 3s");
        assert_eq!(failure.remedies, ["it may have happened", "try again, or wait longer with `--timeout 30s`"]);
        assert_eq!(longer(Duration::from_secs(60)), "try again, or wait longer with `--timeout 180s`");
    }
}
