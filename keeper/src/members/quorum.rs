//! Whether a set of voters could decide anything now.
//!
//! A change that leaves fewer than a majority of the voters answering cannot be committed, nor taken back: the change
//! back would need the same majority. So it is refused before it is proposed, and there is no way to insist: where
//! insisting could work, it is not refused. A majority that is gone for good is a matter for `keeper restore`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::problem::Problem;
use crate::raft::{MemberStatus, RaftStatus, Role};

/// Those of the members that vote.
pub(super) fn voters(status: &RaftStatus) -> BTreeSet<u64> {
    status.members.iter().filter(|(_, member)| member.voter).map(|(id, _)| *id).collect()
}

/// Whether a member was heard of lately; the leader hears itself.
pub(super) fn answers(status: &RaftStatus, id: u64, silence_max: Duration) -> bool {
    let heard = |member: &MemberStatus| member.heard_ago.is_some_and(|ago| ago <= silence_max);
    id == status.id || status.members.get(&id).is_some_and(heard)
}

/// Refuses to count on a member that took back what it had acknowledged: its answers are of no use.
pub(super) fn check_kept(status: &RaftStatus, node: u64) -> Result<(), Problem> {
    if !status.members.get(&node).is_some_and(|member| member.took_back) {
        return Ok(());
    }
    let cure = if status.role == Role::NoQuorum {
        "no majority is left without it, and the leader sends it what it lacks once no other voter is silent: set no data \
         aside until then"
            .to_owned()
    } else {
        "stop it, set its data aside with `keeper forget --config FILE` on its machine, and start it: it is taken in anew"
            .to_owned()
    };
    let message = format!(
        "node {} lacks entries that it had acknowledged: its directory was put back from an older copy, or lost its log; \
         {cure}",
        named(node, &status.members)
    );
    Err(Problem::Declined { reason: "took-back", message })
}

/// Refuses a set of voters of whom no majority answers.
pub(super) fn check(status: &RaftStatus, target: &BTreeSet<u64>, silence_max: Duration) -> Result<(), Problem> {
    check_present(status, silence_max)?;
    let silent: Vec<_> = target.iter().filter(|id| !answers(status, **id, silence_max)).copied().collect();
    let (answering, needed) = (target.len() - silent.len(), target.len() / 2 + 1);
    if answering >= needed {
        return Ok(());
    }
    let message = format!(
        "that would leave {} of which {} needed to decide anything, and {}: {} first, or remove {} first",
        counted(target.len(), "voter", "voters"),
        counted(needed, "is", "are"),
        lack(&silent, &status.members),
        cure(&silent, &status.members),
        if silent.len() == 1 { "it" } else { "one of them" },
    );
    Err(Problem::Declined { reason: "would-lose-quorum", message })
}

/// Refuses whatever it is while the voters as they are could decide nothing: to remove a silent one is a decision, too.
fn check_present(status: &RaftStatus, silence_max: Duration) -> Result<(), Problem> {
    let present = voters(status);
    let silent: Vec<_> = present.iter().filter(|id| !answers(status, **id, silence_max)).copied().collect();
    let (answering, needed) = (present.len() - silent.len(), present.len() / 2 + 1);
    if answering >= needed {
        return Ok(());
    }
    let message = format!(
        "the cluster has no majority, and nothing can be changed without one, nobody removed either: {}; {}",
        lack(&silent, &status.members),
        way_back(&silent, needed - answering, &status.members),
    );
    Err(Problem::Declined { reason: "no-majority", message })
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Those that took back what they had acknowledged, and those that do not answer.
fn apart(lost: &[u64], members: &BTreeMap<u64, MemberStatus>) -> (Vec<u64>, Vec<u64>) {
    lost.iter().partition(|id| members.get(id).is_some_and(|member| member.took_back))
}

/// "node 2 (host:7401) does not answer".
fn lack(lost: &[u64], members: &BTreeMap<u64, MemberStatus>) -> String {
    let (took_back, silent) = apart(lost, members);
    let said = [
        (took_back, "lacks entries that it had acknowledged", "lack entries that they had acknowledged"),
        (silent, "does not answer", "do not answer"),
    ];
    let of = |(nodes, one, several): &(Vec<u64>, &str, &str)| match nodes.as_slice() {
        [] => None,
        [node] => Some(format!("node {} {one}", named(*node, members))),
        _ => {
            let names: Vec<_> = nodes.iter().map(|node| named(*node, members)).collect();
            Some(format!("nodes {} {several}", names.join(" and ")))
        }
    };
    said.iter().filter_map(of).collect::<Vec<_>>().join(", and ")
}

/// What has them count again, while there is a majority without them.
fn cure(lost: &[u64], members: &BTreeMap<u64, MemberStatus>) -> String {
    let (took_back, silent) = apart(lost, members);
    let back = (!silent.is_empty()).then(|| format!("bring {} back", if lost.len() == 1 { "it" } else { "them" }));
    let anew = (!took_back.is_empty()).then(|| {
        let which = if lost.len() == 1 { "it".to_owned() } else { format!("node {}", took_back[0]) };
        format!("have {which} taken in anew (`keeper forget --config FILE` on its machine)")
    });
    back.into_iter().chain(anew).collect::<Vec<_>>().join(", and ")
}

/// What has the cluster decide again.
fn way_back(lost: &[u64], back: usize, members: &BTreeMap<u64, MemberStatus>) -> String {
    let (took_back, silent) = apart(lost, members);
    if !took_back.is_empty() {
        if silent.is_empty() {
            return "the leader is sending what is lacked again: set no data aside meanwhile".to_owned();
        }
        let which = if silent.len() == 1 { "it" } else { "them" };
        return format!("bring {which} back, and set no data aside until then");
    }
    let which = match (silent.len(), back) {
        (1, _) => "it".to_owned(),
        (_, 1) => "one of them".to_owned(),
        (all, back) if all == back => "them".to_owned(),
        (_, back) => format!("{back} of them"),
    };
    format!(
        "bring {which} back. If their data is gone for good, begin a cluster with a backup (docs/operations.md, \"Backup \
         and restore\")"
    )
}

fn named(node: u64, members: &BTreeMap<u64, MemberStatus>) -> String {
    let at = members.get(&node).map(|member| format!(" ({})", member.member.peer_endpoint));
    format!("{node}{}", at.unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::raft::Member;

    const SILENCE_MAX: Duration = Duration::from_millis(600);

    /// Of a leader, node 1, and voters that it heard so long ago.
    pub(in crate::members) fn status(heard_ms: &[(u64, Option<u64>)]) -> RaftStatus {
        let member = |(id, heard): &(u64, Option<u64>)| {
            let member = Member { peer_endpoint: format!("node{id}:7401"), ..Member::default() };
            let heard_ago = heard.map(Duration::from_millis);
            (*id, MemberStatus { member, voter: true, matched: None, heard_ago, silent: false, took_back: false })
        };
        RaftStatus {
            id: 1,
            role: Role::Leader,
            term: 1,
            leader: Some(1),
            last_log: None,
            committed: None,
            applied: None,
            snapshot: None,
            purged: None,
            membership: None,
            changing: false,
            members: heard_ms.iter().map(member).collect(),
        }
    }

    fn refused(status: &RaftStatus, target: &[u64]) -> String {
        match check(status, &target.iter().copied().collect(), SILENCE_MAX) {
            Ok(()) => "no".to_owned(),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn a_majority_that_answers_is_enough() {
        let three = status(&[(1, None), (2, Some(90)), (3, None)]);
        assert_eq!(refused(&three, &[1, 2, 3]), "no");
        let five = status(&[(1, None), (2, Some(90)), (3, Some(10)), (4, None), (5, Some(9_000))]);
        assert_eq!(refused(&five, &[1, 2, 3, 4, 5]), "no");
        assert_eq!(refused(&five, &[1, 2, 3, 4]), "no");
        assert_eq!(refused(&five, &[1]), "no");
    }

    #[test]
    fn fewer_are_refused_by_name() {
        let three = status(&[(1, None), (2, Some(90)), (3, Some(700))]);
        assert_eq!(
            refused(&three, &[1, 3]),
            "that would leave 2 voters of which 2 are needed to decide anything, and node 3 (node3:7401) does not \
             answer: bring it back first, or remove it first"
        );
        let five = status(&[(1, None), (2, Some(90)), (3, Some(10)), (4, None), (5, Some(9_000))]);
        assert_eq!(
            refused(&five, &[1, 2, 4, 5]),
            "that would leave 4 voters of which 3 are needed to decide anything, and nodes 4 (node4:7401) and 5 \
             (node5:7401) do not answer: bring them back first, or remove one of them first"
        );
    }

    /// It said "bring node 2 back or remove it first" of node 3, and the same of node 3 when that was tried.
    #[test]
    fn without_a_majority_nobody_is_sent_in_a_circle() {
        let three = status(&[(1, None), (2, Some(700)), (3, None)]);
        let expected = "the cluster has no majority, and nothing can be changed without one, nobody removed either: \
                        nodes 2 (node2:7401) and 3 (node3:7401) do not answer; bring one of them back. If their \
                        data is gone for good, begin a cluster with a backup (docs/operations.md, \"Backup and restore\")";
        assert_eq!(refused(&three, &[1, 3]), expected);
        assert_eq!(refused(&three, &[1]), expected, "it cannot be committed either");
        let two = status(&[(1, None), (2, None)]);
        assert!(refused(&two, &[1]).contains("node 2 (node2:7401) does not answer; bring it back."));
    }

    #[test]
    fn a_voter_that_took_back_what_it_acknowledged_is_not_said_to_be_silent() {
        let mut three = status(&[(1, None), (2, None), (3, Some(10))]);
        three.members.get_mut(&2).expect("a member").took_back = true;
        let expected = "that would leave 2 voters of which 2 are needed to decide anything, and node 2 (node2:7401) lacks \
                        entries that it had acknowledged: have it taken in anew (`keeper forget --config FILE` on its \
                        machine) first, or remove it first";
        assert_eq!(refused(&three, &[1, 2]), expected);
        three.members.get_mut(&3).expect("a member").heard_ago = None;
        let expected = "the cluster has no majority, and nothing can be changed without one, nobody removed either: \
                        node 2 (node2:7401) lacks entries that it had acknowledged, and node 3 (node3:7401) does not \
                        answer; bring it back, and set no data aside until then";
        assert_eq!(refused(&three, &[1, 3]), expected);
        three.members.get_mut(&3).expect("a member").took_back = true;
        let expected = "nodes 2 (node2:7401) and 3 (node3:7401) lack entries that they had acknowledged; the leader is \
                        sending what is lacked again: set no data aside meanwhile";
        assert!(refused(&three, &[1, 3]).ends_with(expected));
    }
}
