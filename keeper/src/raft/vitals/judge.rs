//! What a leader makes of its members' reports, without IO.

use std::collections::{BTreeMap, BTreeSet};

use keeper_registry::Shortage;

use super::message::Report;
use crate::replica::Difference;
use crate::store::{Room, Standing};

/// What is known of a member's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// It says so.
    Known(Room),
    /// It answers, and does not say: there is no disk, or it is of a version before these reports.
    Untold,
    /// It has not answered for so long that nobody knows.
    Silent,
}

/// How sure it is that a replica differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// A majority of the voters agrees, and this one does not.
    Proven(Difference),
    /// It differs from the leader, and who is right is not known.
    Open(Difference),
}

/// Why nothing may grow: the leader is short of space, or so many voters that the others are no quorum. Of several the
/// node with the least room is named. Silent nodes have no room to speak of, and are no reason by themselves.
pub(super) fn shortage(own: u64, voters: &BTreeSet<u64>, disks: &BTreeMap<u64, Disk>) -> Option<Shortage> {
    let short = |node: &u64| match disks.get(node) {
        Some(Disk::Known(room)) if room.standing == Standing::Short => Some((*node, *room)),
        Some(Disk::Known(_) | Disk::Untold | Disk::Silent) | None => None,
    };
    let without_room =
        voters.iter().filter(|node| short(node).is_some() || disks.get(node) == Some(&Disk::Silent)).count();
    let least = voters.iter().filter_map(short).min_by_key(|(_, room)| room.free_bytes);
    let has_quorum = voters.len() - without_room > voters.len() / 2;
    let (node, room) = short(&own).or_else(|| least.filter(|_| !has_quorum))?;
    Some(Shortage { node, free_bytes: room.free_bytes, needed_bytes: room.needed_bytes })
}

/// Which replicas differ, at any entry at which they can be compared with the leader's. `own` is the leader's hash at
/// an entry.
pub(super) fn differences(
    leader: u64,
    voters: &BTreeSet<u64>,
    reports: &BTreeMap<u64, Report>,
    own: impl Fn(u64) -> Option<u64>,
) -> BTreeMap<u64, Finding> {
    let mut by_index: BTreeMap<u64, BTreeMap<u64, u64>> = BTreeMap::new();
    for (node, report) in reports {
        for checkpoint in report.checkpoints.iter().chain([&report.now]) {
            by_index.entry(checkpoint.index).or_default().insert(*node, checkpoint.hash);
        }
    }
    let mut found = BTreeMap::new();
    for (index, mut hashes) in by_index {
        let Some(own) = own(index) else { continue };
        hashes.insert(leader, own);
        if hashes.values().all(|hash| *hash == own) {
            continue;
        }
        for (node, finding) in differences_at(index, own, voters, &hashes) {
            // The first proof counts; a later one may only be better.
            let known = found.entry(node).or_insert(finding);
            if matches!(known, Finding::Open(_)) {
                *known = finding;
            }
        }
    }
    found
}

fn differences_at(index: u64, own: u64, voters: &BTreeSet<u64>, hashes: &BTreeMap<u64, u64>) -> Vec<(u64, Finding)> {
    let agreeing = |hash: u64| hashes.iter().filter(|(node, found)| **found == hash && voters.contains(node)).count();
    let majority = hashes.values().copied().find(|hash| agreeing(*hash) > voters.len() / 2);
    let differs = |expected: u64| hashes.iter().filter(move |(_, found)| **found != expected);
    let difference = |found: &u64, expected| Difference { index, found: *found, expected };
    match majority {
        Some(hash) => differs(hash).map(|(node, found)| (*node, Finding::Proven(difference(found, hash)))).collect(),
        None => differs(own).map(|(node, found)| (*node, Finding::Open(difference(found, own)))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Checkpoint;

    fn voters(count: u64) -> BTreeSet<u64> {
        (1..=count).collect()
    }

    fn disk(free_bytes: u64) -> Disk {
        let standing = if free_bytes < 64 { Standing::Short } else { Standing::Ample };
        Disk::Known(Room { free_bytes, needed_bytes: 64, standing })
    }

    fn named(disks: &[Disk]) -> Option<u64> {
        let disks: BTreeMap<_, _> = (1..).zip(disks.iter().copied()).collect();
        shortage(1, &voters(disks.len() as u64), &disks).map(|shortage| shortage.node)
    }

    #[test]
    fn growth_needs_room_at_the_leader_and_at_a_quorum() {
        assert_eq!(named(&[disk(100), disk(100), disk(100)]), None);
        assert_eq!(named(&[disk(63), disk(100), disk(100)]), Some(1));
        assert_eq!(named(&[disk(100), disk(63), disk(100)]), None, "two of three have room");
        assert_eq!(named(&[disk(100), disk(63), disk(50)]), Some(3), "the one with the least");
        assert_eq!(named(&[disk(100), disk(63), disk(100), disk(63), disk(100)]), None);
        assert_eq!(named(&[disk(63)]), Some(1));
    }

    #[test]
    fn silence_is_no_room_and_no_reason() {
        assert_eq!(named(&[disk(100), Disk::Silent, Disk::Silent]), None);
        assert_eq!(named(&[disk(100), disk(63), Disk::Silent]), Some(2), "the only other one that lives");
        assert_eq!(named(&[disk(100), disk(63), Disk::Untold]), None);
    }

    fn report(now: (u64, u64), before: &[(u64, u64)]) -> Report {
        let checkpoint = |(index, hash): (u64, u64)| Checkpoint { index, hash };
        let checkpoints = before.iter().copied().map(checkpoint).collect();
        Report { room: None, now: checkpoint(now), checkpoints, proven: None }
    }

    /// What a leader finds whose hash at every entry up to 200 is 7.
    fn found(voters_count: u64, reports: Vec<(u64, Report)>) -> Vec<(u64, Finding)> {
        let reports = reports.into_iter().collect();
        let own = |index: u64| (index <= 200).then_some(7);
        differences(1, &voters(voters_count), &reports, own).into_iter().collect()
    }

    fn difference(index: u64, found: u64, expected: u64) -> Difference {
        Difference { index, found, expected }
    }

    #[test]
    fn equal_replicas_differ_at_no_entry() {
        let reports = vec![(2, report((200, 7), &[(64, 7)])), (3, report((190, 7), &[(64, 7), (128, 7)]))];
        assert_eq!(found(3, reports), []);
    }

    #[test]
    fn the_minority_differs() {
        let reports = vec![(2, report((200, 7), &[(64, 7), (128, 7)])), (3, report((199, 9), &[(64, 7), (128, 8)]))];
        assert_eq!(found(3, reports), [(3, Finding::Proven(difference(128, 8, 7)))]);
    }

    #[test]
    fn a_leader_can_be_the_one() {
        let reports = vec![(2, report((200, 8), &[])), (3, report((200, 8), &[]))];
        assert_eq!(found(3, reports), [(1, Finding::Proven(difference(200, 7, 8)))]);
    }

    #[test]
    fn without_a_majority_nobody_is_proven_wrong() {
        assert_eq!(found(3, vec![(2, report((200, 8), &[]))]), [(2, Finding::Open(difference(200, 8, 7)))]);
        let reports = vec![(2, report((200, 8), &[])), (3, report((200, 9), &[]))];
        assert_eq!(found(3, reports).len(), 2);
    }

    #[test]
    fn learners_are_judged_and_do_not_judge() {
        let reports = vec![(2, report((200, 7), &[])), (3, report((200, 7), &[])), (4, report((200, 8), &[]))];
        assert_eq!(found(3, reports), [(4, Finding::Proven(difference(200, 8, 7)))]);
        let reports = vec![(4, report((200, 8), &[])), (5, report((200, 8), &[]))];
        assert!(found(3, reports).iter().all(|(_, finding)| matches!(finding, Finding::Open(_))));
    }

    #[test]
    fn what_the_leader_has_not_seen_is_not_compared() {
        assert_eq!(found(3, vec![(2, report((201, 8), &[]))]), []);
    }
}
