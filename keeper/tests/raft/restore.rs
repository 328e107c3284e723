//! A group that goes on from the state of another one.

use std::fs;
use std::path::PathBuf;

use keeper::raft::{InitializeRefused, Offload, RESTORE_REVISIONS, RaftOptions, Role, Standing};
use keeper::store::SnapshotFile;
use keeper_registry::StateId;

use crate::cluster::{Cluster, Place};

const NEW: StateId = StateId(0xBEEF);

/// A snapshot of a follower that has ten documents, which outlives its group.
async fn snapshot(folder: &tempfile::TempDir) -> SnapshotFile {
    let cluster = Cluster::three().await;
    let mut last = 0;
    for number in 0..10 {
        last = cluster.propose(&format!("path-{number}"), &number.to_string()).await.revision;
    }
    let id = cluster.follower().await;
    let follower = &cluster.nodes[&id];
    follower.read().await;
    let revision = follower.replica.applied();
    assert!(revision.0 >= last);
    let taken = follower.handle.snapshot_of(revision).await.expect("a snapshot");
    let (header, _) = taken.header().await.expect("a state");
    assert_eq!((header.revision, header.state), (revision, Some(StateId(7))));
    let again = follower.handle.snapshot_of(revision).await.expect("the same one");
    assert_eq!(again.size_bytes(), taken.size_bytes());

    let mut bytes = Vec::new();
    loop {
        let piece = taken.read(bytes.len() as u64, 100).await.expect("its bytes");
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    let path: PathBuf = folder.path().join("taken");
    fs::write(&path, bytes).expect("a write");
    SnapshotFile::open(&path).expect("a snapshot")
}

fn documents(cluster: &Cluster, id: u64) -> usize {
    let node = &cluster.nodes[&id];
    (0..10).filter(|number| node.text(&format!("path-{number}")) == Some(number.to_string().into())).count()
}

#[tokio::test]
async fn a_restored_node_leads_alone_and_is_founded_with_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = snapshot(&folder).await;
    let mut cluster = Cluster::restored(3, &from, NEW);
    let first = &cluster.nodes[&1];
    first.sees("that it leads", |seen| seen.ready).await;
    assert_eq!(first.handle.standing().await, Ok(Standing::Restored));
    assert_eq!(documents(&cluster, 1), 10);
    let (state, revision) = first.replica.read(|state| (state.state_id(), state.revision()));
    assert_eq!(state, Some(NEW));
    assert!(revision.0 > from.index() + RESTORE_REVISIONS, "{revision:?}");
    let status = first.handle.status();
    assert_eq!((status.role, status.members.len()), (Role::Leader, 1), "{status:?}");

    first.handle.initialize(cluster.members()).await.expect("a group");
    let voters = |status: &keeper::raft::RaftStatus| status.members.values().filter(|it| it.voter).count() == 3;
    for node in cluster.nodes.values() {
        node.reaches("three voters", |status| voters(status) && !status.changing).await;
        assert_eq!(node.handle.standing().await, Ok(Standing::Member));
        assert_eq!(node.handle.initialize(cluster.members()).await, Err(InitializeRefused::AlreadyInitialized));
    }
    let last = cluster.propose("path-10", "10").await.revision;
    for (id, node) in &cluster.nodes {
        node.reaches("the newest document", |status| status.applied >= Some(last)).await;
        assert_eq!(documents(&cluster, *id), 10);
    }

    // Any two of them go on without the first.
    cluster.kill(1);
    cluster.propose("path-11", "11").await;
    cluster.start(1);
    let first = &cluster.nodes[&1];
    first.sees("a leader", |seen| seen.leader.is_some()).await;
    first.read().await;
    assert_eq!(first.text("path-11").as_deref(), Some(&b"11"[..]));
}

#[tokio::test]
async fn a_node_that_restarts_before_it_was_founded_is_founded_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = snapshot(&folder).await;
    let mut cluster = Cluster::restored(2, &from, NEW);
    cluster.nodes[&1].sees("that it leads", |seen| seen.ready).await;
    cluster.kill(1);
    cluster.start(1);
    cluster.nodes[&1].handle.initialize(cluster.members()).await.expect("a group");
    cluster.nodes[&2].reaches("its vote", |status| status.members.values().all(|it| it.voter)).await;
    assert_eq!(documents(&cluster, 2), 10);
}

/// Founds a group of two, and is cut off as soon as the second is a member.
async fn begin_to_found(cluster: &Cluster) {
    let first = &cluster.nodes[&1];
    let begun = first.reaches("a second member", |status| status.members.len() == 2);
    tokio::select! {
        biased;
        _ = begun => {}
        founded = first.handle.initialize(cluster.members()) => panic!("it was not cut off: {founded:?}"),
    }
}

#[tokio::test]
async fn a_founding_that_was_cut_off_is_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = snapshot(&folder).await;
    let cluster = Cluster::restored(2, &from, NEW);
    begin_to_found(&cluster).await;
    let first = &cluster.nodes[&1];
    assert_eq!(first.handle.standing().await, Ok(Standing::Restored));
    first.handle.initialize(cluster.members()).await.expect("a group");
    cluster.nodes[&2].reaches("its vote", |status| status.members.values().all(|it| it.voter)).await;
}

#[tokio::test]
async fn a_member_that_was_replaced_while_a_founding_was_cut_off_is_taken_as_it_is_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = snapshot(&folder).await;
    let mut cluster = Cluster::restored(2, &from, NEW);
    begin_to_found(&cluster).await;
    cluster.replace(2);
    let first = &cluster.nodes[&1];
    first.handle.initialize(cluster.members()).await.expect("a group");
    cluster.nodes[&2].reaches("its vote", |status| status.members.values().all(|it| it.voter)).await;
    assert_eq!(documents(&cluster, 2), 10);
}

#[tokio::test]
async fn a_restored_node_may_be_founded_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = snapshot(&folder).await;
    let cluster = Cluster::restored(1, &from, NEW);
    let first = &cluster.nodes[&1];
    first.handle.initialize(cluster.members()).await.expect("a group");
    assert_eq!(first.handle.standing().await, Ok(Standing::Member));
    cluster.propose("path-10", "10").await;
}

#[tokio::test]
async fn a_member_of_a_group_is_not_taken_into_a_restored_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = snapshot(&folder).await;
    let other = Cluster::of(1, RaftOptions::default(), Offload::Threads).await;
    let cluster = Cluster::restored(1, &from, NEW);
    let mut members = cluster.members();
    // The second is node 1 of the other group, by a wrong address.
    members.insert(2, other.members().remove(&1).expect("its member"));
    let refused = cluster.nodes[&1].handle.initialize(members).await;
    assert!(matches!(refused, Err(InitializeRefused::MemberUnreachable { node: 2, .. })), "{refused:?}");
    let second = Cluster::restored(2, &from, NEW);
    second.nodes[&1].handle.initialize(second.members()).await.expect("a group");
    let refused = second.nodes[&1].handle.initialize(second.members()).await;
    assert_eq!(refused, Err(InitializeRefused::AlreadyInitialized));
}

#[tokio::test]
async fn a_damaged_state_is_not_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = snapshot(&folder).await;
    let mut bytes = fs::read(from.path()).expect("its bytes");
    let place = bytes.len() - 60;
    bytes[place] ^= 1;
    fs::write(from.path(), bytes).expect("a write");
    let refused = Place::new().restore(&from, NEW).expect_err("it is damaged");
    assert!(keeper::problem::chain(&refused).contains("damaged at byte"), "{refused}");
}
