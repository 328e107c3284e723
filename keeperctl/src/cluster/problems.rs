//! What is wrong with a cluster that a person must see, a sentence each, worst first; and what is merely worth a word.
//!
//! A problem makes the exit code 1. It is what an alert would tell as well: without a leader, with a member that is
//! silent, cut off, without its data or without room, with replicas that differ, the cluster may serve everybody, and
//! the next thing that happens is the one too many.

use std::{collections::BTreeMap, time::Duration};

use keeper_client_sdk::{Divergence, Endpoint, Member, NodeStatus, Role};

use crate::{
    cluster::{
        majority::{self, Majority},
        put_back,
        survey::Survey,
        upgrade,
    },
    render,
};

/// Log time that is no further behind the leader's clock is told by nobody: clocks differ.
const LOG_BEHIND_MAX: Duration = Duration::from_secs(5);

/// What is wrong.
pub(super) fn problems(survey: &Survey) -> Vec<String> {
    if survey.answers.is_empty() {
        return vec!["no node answers".to_owned()];
    }
    let answers: Vec<&NodeStatus> = survey.statuses().collect();
    let mut problems = Vec::new();
    problems.extend(strangers(&answers));
    problems.extend(leaderless(survey));
    problems.extend(doubles(survey));
    problems.extend(divergences(survey, &answers));
    problems.extend(differences(&answers));
    problems.extend(put_back::took_back(survey));
    problems.extend(survey.absent().map(|(member, why)| {
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        format!("{} does not answer{why}", named(member))
    }));
    problems.extend(cut_off(survey));
    problems.extend(wiped(survey));
    problems.extend(shortages(survey));
    problems
}

/// What is worth a word, and nothing to be woken for.
pub(super) fn tips(survey: &Survey, problems: &[String]) -> Vec<String> {
    let silent = survey.strangers().map(|(endpoint, why)| format!("{endpoint} does not answer: {why}"));
    let members = survey.members();
    let outside = survey.answers.values().filter(|(_, status)| is_outside(survey, status, &members));
    let outside = outside.map(|(endpoint, status)| {
        format!("node {} ({endpoint}) is no member of the cluster: stop it, or add it again", status.node_id)
    });
    // Not while something is wrong: that comes first, and an upgrade has no way back.
    let due = upgrade::due(survey.statuses()).filter(|_| problems.is_empty());
    silent.chain(outside).chain(log_time(survey)).chain(due).collect()
}

/// That what is published now is told too early.
fn log_time(survey: &Survey) -> Option<String> {
    let leader = survey.leader()?;
    let behind = u64::try_from(leader.log_behind_ms).ok().map(Duration::from_millis)?;
    let told = || {
        let behind = humantime::format_duration(Duration::from_secs(behind.as_secs()));
        format!(
            "log time is {behind} behind the clock of node {}, because it stood still while no node ran, or that \
             clock is ahead: what happens now is told that much too early, and a minute is made up in an hour and \
             40 minutes (docs/operations.md, \"Log time\")",
            leader.node_id
        )
    };
    (behind > LOG_BEHIND_MAX).then(told)
}

/// Whether a node that answered belongs to the cluster no more, whether or not it knows. It can be told while there is
/// a leader, whose list is the newest.
pub(super) fn is_outside(survey: &Survey, status: &NodeStatus, members: &BTreeMap<u64, &Member>) -> bool {
    let left = |leader: &NodeStatus| leader.cluster == status.cluster && !members.contains_key(&status.node_id);
    status.role == Role::Removed || (status.role != Role::Uninitialized && survey.leader().is_some_and(left))
}

/// Nodes of several clusters.
fn strangers(answers: &[&NodeStatus]) -> Option<String> {
    let first = answers.first()?;
    if let Some(other) = answers.iter().find(|status| status.cluster != first.cluster) {
        let (a, b) = (&first.cluster, &other.cluster);
        let (one, other) = (first.node_id, other.node_id);
        return Some(format!("the nodes belong to different clusters: {one} to {a}, {other} to {b}"));
    }
    // A cluster that was restored beside members of the former one, which has the same name. One without a state has
    // yet to hear of its beginning.
    let mut begun = answers.iter().filter(|status| status.state_id != 0);
    let one = begun.next()?;
    let other = begun.find(|other| other.state_id != one.state_id)?;
    Some(format!(
        "the nodes belong to different clusters: {} to the history {}, {} to {}",
        one.node_id,
        render::hex(one.state_id),
        other.node_id,
        render::hex(other.state_id)
    ))
}

/// That nobody leads, and who is missing.
fn leaderless(survey: &Survey) -> Option<String> {
    if majority::leader(survey).is_some() {
        return None;
    }
    if let Some(empty) = without_data(survey) {
        return Some(empty);
    }
    if let Some(unseen) = leads_unseen(survey) {
        return Some(unseen);
    }
    if let Some(lack) = put_back::no_majority(survey) {
        return Some(lack);
    }
    let elected = survey.leader().or_else(|| survey.leader_without_quorum());
    let majority = Majority::of(survey, elected);
    if majority.is_there() {
        return Some("no node leads: the voters that answer may be choosing one".to_owned());
    }
    let lack = majority.verdict();
    Some(match elected {
        Some(elected) => format!("no node leads: node {} was elected, and {lack}", elected.node_id),
        None => format!("no node leads: {lack}"),
    })
}

/// That nobody who answers has data. Whether there is a cluster is known to those who have some: a node that was told
/// to found one while its own runs would begin a second one.
pub(super) fn without_data(survey: &Survey) -> Option<String> {
    if survey.statuses().any(|status| status.role != Role::Uninitialized) {
        return None;
    }
    let mut empty = survey.answers.values();
    if let Some((endpoint, _)) = empty.clone().find(|(_, status)| status.is_expected) {
        return Some(format!(
            "{endpoint} has no data, and its cluster expects a member there: a leader with a majority takes it in anew; \
             ask the nodes that have data, by `--endpoints`, how that is, and do not run `keeper init`"
        ));
    }
    let (endpoint, status) = empty.next()?;
    let (who, place) = match survey.answers.len() {
        1 => (format!("{endpoint} has no data and knows"), status.peer_endpoint.as_str()),
        _ => ("those that answer have no data and know".to_owned(), ""),
    };
    let place = if place.is_empty() { "HOST:PEERPORT" } else { place };
    Some(format!(
        "{who} of no cluster: a new one is founded with `keeper init`, and never where one is running; to join that, name \
         its nodes with `--endpoints` and `keeperctl cluster add {place}`, or if this was a member, wait until the \
         leader takes it in anew"
    ))
}

/// That a leader is heard by nodes of the newest term, and not from here.
fn leads_unseen(survey: &Survey) -> Option<String> {
    let term = survey.statuses().map(|status| status.term).max()?;
    let current = survey.statuses().filter(|status| status.term == term);
    let leader = current.clone().find_map(|status| status.leader_id.filter(|leader| !survey.has_heard(*leader)))?;
    let heard_by = current.filter(|status| status.leader_id == Some(leader));
    let heard_by: Vec<_> = heard_by.map(|status| status.node_id.to_string()).collect();
    let nodes = if heard_by.len() > 1 { "nodes" } else { "node" };
    let members = survey.members();
    let place = members.get(&leader).map_or("its address", |member| bare(&member.client_endpoint));
    Some(format!("node {leader} leads, by the word of {nodes} {}, and does not answer at {place}", heard_by.join(", ")))
}

/// Several nodes under one number. Those that wait for one say none.
fn doubles(survey: &Survey) -> Vec<String> {
    let mut places: BTreeMap<u64, Vec<&Endpoint>> = BTreeMap::new();
    for (endpoint, status) in survey.answers.values().filter(|(_, status)| status.node_id != 0) {
        places.entry(status.node_id).or_default().push(endpoint);
    }
    let several = places.into_iter().filter(|(_, places)| places.len() > 1);
    let one = |(node, places): (u64, Vec<&Endpoint>)| {
        let places = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and at ");
        format!("several nodes answer as node {node}: at {places}; stop the one that is not meant")
    };
    several.map(one).collect()
}

/// What the nodes themselves have found: a replica that is proven to differ says so, and the leader knows of others.
fn divergences(survey: &Survey, answers: &[&NodeStatus]) -> Vec<String> {
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
    for member in survey.leader().into_iter().flat_map(|leader| &leader.members) {
        let says_so = |status: &&NodeStatus| status.node_id == member.node_id && status.diverged.is_some();
        if let Some(Divergence { index, found, expected }) = member.diverged
            && !answers.iter().any(says_so)
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

/// Replicas are compared at the same entry only: elsewhere they differ because one is ahead.
fn differences(answers: &[&NodeStatus]) -> Vec<String> {
    let mut problems = Vec::new();
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
    problems
}

/// Members that answer here, and that the leader does not reach or is not answered by.
fn cut_off(survey: &Survey) -> Vec<String> {
    let Some(leader) = survey.leader() else { return Vec::new() };
    let one = |member: &Member| {
        let status = survey.statuses().find(|status| status.node_id == member.node_id)?;
        if status.role == Role::Uninitialized {
            // It is told for what it is.
            return None;
        }
        let is_deaf = status.leader_id.is_none() && status.role != Role::Removed;
        if member.took_back || (!is_deaf && !member.is_silent) {
            return None;
        }
        let (node, leader) = (named(member), leader.node_id);
        let lack = if is_deaf { "hears no leader" } else { "is not heard by the leader" };
        Some(format!("{node} {lack}: repair the network between its peer port and that of node {leader}"))
    };
    leader.members.iter().filter_map(one).collect()
}

/// Members whose directory is empty.
fn wiped(survey: &Survey) -> Vec<String> {
    let leader = majority::leader(survey);
    let one = |(member, status): (&Member, &NodeStatus)| {
        let (node, place) = (member.node_id, &member.peer_endpoint);
        let cure = match leader {
            _ if is_first_release(status) => {
                format!("it runs keeper {}, which cannot be taken in anew: run a newer one there", status.version)
            }
            None => "only a leader can take it in anew: if its data was set aside by `keeper forget`, put it back"
                .to_owned(),
            Some(leader) if leader.level < LEVEL_NUMBERED => format!(
                "it is taken in anew once the cluster is at feature level {LEVEL_NUMBERED}: run keeper 0.2.0 or newer on \
                 every node, then `keeperctl cluster upgrade`"
            ),
            Some(leader) if leader.leaves_wiped => format!(
                "`keeperctl cluster replace {node} {place}` takes it in anew: raft.replace_wiped is off on node {}",
                leader.node_id
            ),
            Some(_) => {
                format!("it is taken in anew within seconds, or else by `keeperctl cluster replace {node} {place}`")
            }
        };
        format!("{} is a member and has no data: {cure}", named(member))
    };
    survey.emptied().map(one).collect()
}

/// The feature level since which a cluster gives numbers, which whoever is taken in anew needs.
const LEVEL_NUMBERED: u32 = 2;

/// Whether a node is of the release that does not say which directory it has, and is taken in by nobody.
pub(super) const fn is_first_release(status: &NodeStatus) -> bool {
    status.disk_id == 0
}

/// Nodes that have too little room for anything to grow.
fn shortages(survey: &Survey) -> Vec<String> {
    let short = survey.statuses().filter_map(|status| {
        let disk = status.disk.filter(|disk| disk.is_short)?;
        Some(format!(
            "node {} has {} MiB of disk free and needs {} MiB, and a quarter more before it takes new data again",
            status.node_id,
            disk.free_bytes >> 20,
            disk.needed_bytes >> 20
        ))
    });
    short.collect()
}

/// A member as people look for it.
pub(super) fn named(member: &Member) -> String {
    format!("node {} ({})", member.node_id, bare(&member.client_endpoint))
}

fn bare(endpoint: &str) -> &str {
    endpoint.trim_start_matches("http://")
}
