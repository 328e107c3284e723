//! Members that lack what they had acknowledged, because their directories were put back from an older copy.
//!
//! Such a member is to be set aside and taken in anew, which takes a majority without it. Where there is none, setting
//! it aside would be the end of the cluster: nothing is advised then, and the leader mends it by itself.

use std::collections::BTreeSet;

use keeper_client_sdk::{Member, NodeStatus};

use crate::cluster::{problems::named, survey::Survey};

/// Of each what is to be done, whether it answers here or not.
pub(super) fn took_back(survey: &Survey) -> Vec<String> {
    let Some(judge) = judge(survey) else { return Vec::new() };
    let is_several = judge.members.iter().filter(|member| member.took_back).count() > 1;
    let cure = match (has_majority(survey, judge), is_several) {
        (false, _) => {
            "No majority is left without it, so the leader sends it what it lacks, as soon as no other voter is \
                       silent: bring those back that are, and set no data aside until then"
                .to_owned()
        }
        (true, false) => FORGET.to_owned(),
        (true, true) => format!("{FORGET}. One at a time: wait until this one is shown as a follower"),
    };
    let one = |member: &Member| {
        format!(
            "{} lacks entries that it had acknowledged, and is sent nothing any more: its directory was put back from \
             an older copy, or lost its log. {cure}",
            named(member)
        )
    };
    judge.members.iter().filter(|member| member.took_back).map(one).collect()
}

const FORGET: &str = "Stop it, set its data aside with `keeper forget --config FILE` on its machine, and start it: it is \
                      taken in anew";

/// That whoever was elected can commit nothing, because of such members.
pub(super) fn no_majority(survey: &Survey) -> Option<String> {
    let elected = survey.leader_without_quorum()?;
    if !elected.members.iter().any(|member| member.voter && member.took_back) {
        return None;
    }
    let lost = elected.members.iter().filter(|member| member.voter && member.is_silent);
    let one = |member: &Member| {
        let lack = if member.took_back { "lacks what it had acknowledged" } else { "does not answer it" };
        format!("{} {lack}", named(member))
    };
    let lost: Vec<_> = lost.map(one).collect();
    Some(format!(
        "no node leads: node {} was elected, and has no majority that can commit anything: {}",
        elected.node_id,
        lost.join(", ")
    ))
}

/// Whoever knows what the others acknowledged.
fn judge(survey: &Survey) -> Option<&NodeStatus> {
    survey.leader().or_else(|| survey.leader_without_quorum())
}

/// Whether most voters count: those that took something back are told to be silent. Nor do those count that have no
/// data or do not answer here: the leader may not have noticed yet, and what is set aside meanwhile is out of its
/// reach.
fn has_majority(survey: &Survey, judge: &NodeStatus) -> bool {
    let absent = survey.absent().map(|(member, _)| member.node_id);
    let lost: BTreeSet<_> = absent.chain(survey.emptied().map(|(member, _)| member.node_id)).collect();
    let voters = || judge.members.iter().filter(|member| member.voter);
    voters().filter(|member| !member.is_silent && !lost.contains(&member.node_id)).count() * 2 > voters().count()
}
