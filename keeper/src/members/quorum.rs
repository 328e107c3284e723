//! Whether a set of voters could decide anything now.
//!
//! A change that leaves fewer than a majority of the voters answering cannot be committed, nor taken back: the change
//! back would need the same majority. So it is refused before it is proposed, and there is no way to insist: where
//! insisting could work, it is not refused. A majority that is gone for good is a matter for `keeper restore`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::problem::Problem;
use crate::raft::{MemberStatus, RaftStatus};

/// Those of the members that vote.
pub(super) fn voters(status: &RaftStatus) -> BTreeSet<u64> {
    status.members.iter().filter(|(_, member)| member.voter).map(|(id, _)| *id).collect()
}

/// Whether a member was heard of lately; the leader hears itself.
pub(super) fn answers(status: &RaftStatus, id: u64, silence_max: Duration) -> bool {
    let heard = |member: &MemberStatus| member.heard_ago.is_some_and(|ago| ago <= silence_max);
    id == status.id || status.members.get(&id).is_some_and(heard)
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
        "that would leave {} of which {} needed to decide anything, and {}: bring {} back first, or remove {} first",
        counted(target.len(), "voter", "voters"),
        counted(needed, "is", "are"),
        silence(&silent, &status.members),
        if silent.len() == 1 { "it" } else { "them" },
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
    let back = needed - answering;
    let message = format!(
        "the cluster has no majority, and nothing can be changed without one, nobody removed either: {}; bring {} back. \
         If their data is gone for good, begin a cluster with a backup (docs/operations.md, \"Backup and restore\")",
        silence(&silent, &status.members),
        match (silent.len(), back) {
            (1, _) => "it".to_owned(),
            (_, 1) => "one of them".to_owned(),
            (all, back) if all == back => "them".to_owned(),
            (_, back) => format!("{back} of them"),
        },
    );
    Err(Problem::Declined { reason: "no-majority", message })
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// "node 2 (host:7401) does not answer".
fn silence(silent: &[u64], members: &BTreeMap<u64, MemberStatus>) -> String {
    let name = |id: &u64| {
        let at = members.get(id).map(|member| format!(" ({})", member.member.peer_endpoint));
        format!("{id}{}", at.unwrap_or_default())
    };
    let names: Vec<_> = silent.iter().map(name).collect();
    match names.as_slice() {
        [one] => format!("node {one} does not answer"),
        _ => format!("nodes {} do not answer", names.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Member, Role};

    const SILENCE_MAX: Duration = Duration::from_millis(600);

    fn status(heard_ms: &[(u64, Option<u64>)]) -> RaftStatus {
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
}
