//! Why nobody did what was asked.
//!
//! A call that failed knows its last try alone: a connection refused, a deadline, the name of a leader that is dead.
//! The nodes are asked for themselves, which they answer without their peers, so that silence is told from a cluster
//! that has lost its majority.

use std::time::Duration;

use keeper_client_sdk::Role;

use crate::{
    admin::Admin,
    cluster::{problems::UNINITIALIZED, survey::Survey},
    failure::{Failure, Kind},
    render,
};

/// Says of a call that nobody served what the nodes say of themselves. Other failures are known already.
pub(crate) async fn diagnose(admin: &Admin<'_, '_>, failure: Failure) -> Failure {
    if failure.kind != Kind::Unserved {
        return failure;
    }
    let survey = super::survey(&admin.keeper.cluster(), &admin.keeper.endpoints()).await;
    told(failure, &survey, admin.timeout)
}

fn told(failure: Failure, survey: &Survey, waited: Duration) -> Failure {
    let Failure { message, remedies, .. } = failure;
    let (found, first) = if survey.answers.is_empty() {
        (Failure::unreachable("no node answers"), None)
    } else if let Some(lack) = lack(survey) {
        let found = Failure::failed(format!("{lack}; {} answers", render::list(endpoints(survey))));
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
    if survey.leader().is_some() {
        return None;
    }
    if survey.statuses().all(|status| status.role == Role::Uninitialized) {
        return Some(UNINITIALIZED.to_owned());
    }
    let members = survey.members();
    let voters: Vec<u64> = members.values().filter(|member| member.voter).map(|member| member.node_id).collect();
    let missing = voters.iter().filter(|voter| !survey.has_heard(**voter)).count();
    let has_majority = (voters.len() - missing) * 2 > voters.len();
    let silent = || format!("{missing} of its {} voters do not answer", voters.len());
    Some(match (survey.leader_without_quorum(), has_majority) {
        (Some(_), false) => format!("the cluster has no majority: {}", silent()),
        (None, false) => format!("the cluster has no leader and no majority: {}", silent()),
        (Some(_) | None, true) => "the cluster has no leader now: its nodes may be choosing one".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::NodeStatus;

    use super::*;
    use crate::cluster::report::tests::{status, survey};

    fn late() -> Failure {
        Failure::unserved("no answer to lookup within 3s").remedy("it may have happened")
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
            let expected = format!("the cluster has {lack}: 2 of its 3 voters do not answer; 10.0.0.3:7400 answers");
            assert_eq!((failure.kind, failure.message), (Kind::Failed, expected));
            let (first, last) = (failure.remedies.first(), failure.remedies.last());
            assert_eq!(first.map(String::as_str), Some("the last try: no answer to lookup within 3s"));
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
        assert_eq!(failure.message, "the cluster is not initialized: run `keeper init`; 10.0.0.1:7400 answers");
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
