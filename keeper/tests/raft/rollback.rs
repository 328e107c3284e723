//! A follower whose directory is put back from an older copy: it has acknowledged what it does not have.

use std::fs;
use std::path::Path;

use keeper::raft::{RaftFailed, RaftOptions, RaftStatus, Role};
use tempfile::TempDir;

use crate::cluster::{Cluster, document};

/// Elections are rare: a new leader would mend the follower without noticing.
fn patient() -> RaftOptions {
    RaftOptions { election_min_ms: 2_000, election_max_ms: 4_000, ..RaftOptions::default() }
}

/// Copies what lies in a directory, and nothing else is left where it goes.
fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).expect("a directory");
    fs::create_dir(to).expect("a directory");
    for file in fs::read_dir(from).expect("a directory") {
        let (source, target) = file.map(|file| (file.path(), to.join(file.file_name()))).expect("a file");
        if source.is_dir() {
            fs::create_dir(&target).expect("a directory");
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("a copy");
        }
    }
}

/// A copy of what a follower keeps, and the follower at work again.
async fn copied(cluster: &mut Cluster, follower: u64) -> TempDir {
    cluster.propose("copied", "1").await;
    cluster.kill(follower);
    let old = TempDir::new().expect("a directory");
    copy(cluster.directory(follower), old.path());
    cluster.start(follower);
    old
}

/// Has a follower acknowledge what is written now, and puts the copy back.
async fn put_back(cluster: &mut Cluster, follower: u64, old: &TempDir) {
    let mut last = 0;
    for number in 0..5 {
        last = cluster.propose(&format!("acknowledged-{number}"), "1").await.revision;
    }
    let leader = cluster.leader().await;
    let has_all = |matched: Option<u64>| matched >= Some(last);
    let node = &cluster.nodes[&leader];
    node.reaches("what it acknowledged", |status| has_all(status.members[&follower].matched)).await;
    cluster.kill(follower);
    copy(old.path(), cluster.directory(follower));
    cluster.start(follower);
}

/// Waits until a leader says of a follower that its word is worth nothing; returns the term.
async fn is_found(cluster: &Cluster, leader: u64, follower: u64) -> u64 {
    let found = cluster.nodes[&leader].reaches("that the follower took back what it said", |status| {
        let member = &status.members[&follower];
        member.silent && member.heard_ago.is_none() && member.matched.is_some()
    });
    found.await.term
}

async fn has_everything(cluster: &Cluster, id: u64) {
    let node = &cluster.nodes[&id];
    node.read().await;
    let numbered = (0..5).map(|number| format!("acknowledged-{number}"));
    for path in numbered.chain(["copied".to_owned(), "after".to_owned()]) {
        assert_eq!(node.text(&path).as_deref(), Some(b"1".as_slice()), "{path} on node {id}");
    }
}

#[tokio::test]
async fn a_directory_put_back_from_an_older_copy_stops_nobody_else() {
    let mut cluster = Cluster::on_files(patient()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let third = 6 - leader - follower;
    let old = copied(&mut cluster, follower).await;
    put_back(&mut cluster, follower, &old).await;
    let term = is_found(&cluster, leader, follower).await;
    cluster.propose("after", "1").await;
    has_everything(&cluster, leader).await;
    has_everything(&cluster, third).await;
    let status = cluster.nodes[&leader].handle.status();
    assert_eq!((status.role, status.term), (Role::Leader, term));
    assert!(status.members[&follower].silent, "it is sent nothing that it could acknowledge");
}

#[tokio::test]
async fn what_a_follower_took_back_is_not_lost_with_the_third_node_down() {
    let mut cluster = Cluster::on_files(patient()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let third = 6 - leader - follower;
    let old = copied(&mut cluster, follower).await;
    cluster.kill(third);
    put_back(&mut cluster, follower, &old).await;
    let term = is_found(&cluster, leader, follower).await;
    let waiting = cluster.nodes[&leader].handle.submit(document("after", "1")).await.expect("a leader");
    cluster.nodes[&follower].sees("the leader", |seen| seen.leader.is_some()).await;
    cluster.start(third);
    waiting.outcome().await.expect("an acknowledgement");
    has_everything(&cluster, leader).await;
    has_everything(&cluster, third).await;
    let status = cluster.nodes[&leader].handle.status();
    assert_eq!((status.role, status.term), (Role::Leader, term));
}

#[tokio::test]
async fn a_majority_that_took_back_what_it_acknowledged_is_sent_it_again() {
    let mut cluster = Cluster::on_files(patient()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let third = 6 - leader - follower;
    let olds = [copied(&mut cluster, follower).await, copied(&mut cluster, third).await];
    for (id, old) in [follower, third].into_iter().zip(&olds) {
        assert!(!cluster.nodes[&leader].handle.send_again(id).await, "it lacks nothing");
        put_back(&mut cluster, id, old).await;
        is_found(&cluster, leader, id).await;
    }
    let node = &cluster.nodes[&leader];
    let term = node.reaches("that it can commit nothing", |status| status.role == Role::NoQuorum).await.term;
    let waiting = node.handle.submit(document("after", "1")).await.expect("a leader");
    for id in [follower, third] {
        assert!(node.handle.send_again(id).await);
    }
    waiting.outcome().await.expect("an acknowledgement");
    let mended = |status: &RaftStatus| status.role == Role::Leader && status.members.values().all(|it| !it.took_back);
    assert_eq!(node.reaches("that all have everything", mended).await.term, term);
    for id in [leader, follower, third] {
        has_everything(&cluster, id).await;
    }
}

#[tokio::test]
async fn who_is_put_back_again_while_it_is_sent_everything_stops_nobody() {
    let mut cluster = Cluster::on_files(patient()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let old = copied(&mut cluster, follower).await;
    for _ in 0..3 {
        put_back(&mut cluster, follower, &old).await;
        let term = is_found(&cluster, leader, follower).await;
        assert!(cluster.nodes[&leader].handle.send_again(follower).await);
        let last = cluster.propose("after", "1").await.revision;
        let node = &cluster.nodes[&leader];
        let has_all = |status: &RaftStatus| {
            let member = &status.members[&follower];
            !member.took_back && member.matched >= Some(last)
        };
        assert_eq!(node.reaches("that it has everything", has_all).await.term, term);
    }
    has_everything(&cluster, follower).await;
}

#[tokio::test]
async fn a_node_whose_committed_entries_were_written_anew_says_so_and_keeps_them() {
    let mut cluster = Cluster::on_files(RaftOptions::default()).await;
    let keeper = cluster.leader().await;
    let others: Vec<_> = cluster.nodes.keys().copied().filter(|id| *id != keeper).collect();
    let mut old = Vec::new();
    for other in &others {
        old.push(copied(&mut cluster, *other).await);
    }
    let mut committed = 0;
    for number in 0..5 {
        committed = cluster.propose(&format!("lost-{number}"), "1").await.revision;
    }
    cluster.nodes[&keeper].reaches("what is committed", |status| status.committed >= Some(committed)).await;
    cluster.kill(keeper);
    for (other, old) in others.iter().zip(&old) {
        cluster.kill(*other);
        copy(old.path(), cluster.directory(*other));
    }
    others.iter().for_each(|other| cluster.start(*other));
    cluster.propose("other", "1").await;
    for _start in 0..2 {
        cluster.start(keeper);
        let failed = cluster.nodes[&keeper].fails().await;
        let RaftFailed::Overwritten(found) = &failed else { panic!("{failed}") };
        assert!(found.committed >= committed && found.index <= committed, "{found:?}");
        assert!(failed.to_string().contains("Keep its data directory"), "{failed}");
        cluster.kill(keeper);
    }
    cluster.propose("after", "1").await;
}
