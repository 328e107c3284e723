//! Snapshots: taken, sent, installed, refused.

use std::fs;

use keeper::raft::{Offload, RaftOptions};
use keeper_registry::Revision;

use crate::cluster::Cluster;

/// Where a node is killed, its snapshots are written in place: a thread would outlive it, as it could not outlive a
/// process.
fn eager() -> RaftOptions {
    RaftOptions { snapshot_log_entries: Some(20), log_keep_entries: 5, ..RaftOptions::default() }
}

async fn write(cluster: &Cluster, from: u64, to: u64) -> u64 {
    let mut last = 0;
    for number in from..to {
        last = cluster.propose(&format!("path-{number}"), &number.to_string()).await.revision;
    }
    last
}

fn has_all(cluster: &Cluster, id: u64, count: u64) -> bool {
    let node = &cluster.nodes[&id];
    (0..count).all(|number| node.text(&format!("path-{number}")).as_deref() == Some(number.to_string().as_bytes()))
}

fn hash(cluster: &Cluster, id: u64) -> (Revision, u64) {
    cluster.nodes[&id].replica.read(|state| (state.revision(), state.hash()))
}

#[tokio::test]
async fn a_follower_that_missed_purged_log_gets_a_snapshot() {
    let mut cluster = Cluster::of(3, eager(), Offload::Inline).await;
    let late = cluster.follower().await;
    cluster.kill(late);
    let last = write(&cluster, 0, 200).await;
    let leader = cluster.leader().await;
    cluster.nodes[&leader].reaches("a purged log", |status| status.purged.is_some_and(|upto| upto > 50)).await;
    cluster.start(late);
    let behind = &cluster.nodes[&late];
    let status = behind.reaches("the end", |status| status.applied >= Some(last)).await;
    assert!(status.snapshot.is_some_and(|index| index > 50), "{status:?}");
    assert!(has_all(&cluster, late, 200));
    assert_eq!(hash(&cluster, late), hash(&cluster, leader));
}

#[tokio::test]
async fn a_node_starts_from_its_snapshot_and_the_log_behind_it() {
    let mut cluster = Cluster::of(3, eager(), Offload::Inline).await;
    write(&cluster, 0, 50).await;
    let restarted = cluster.follower().await;
    cluster.nodes[&restarted].reaches("a snapshot", |status| status.purged.is_some()).await;
    cluster.kill(restarted);
    cluster.start(restarted);
    let node = &cluster.nodes[&restarted];
    node.sees("a leader", |seen| seen.leader.is_some()).await;
    node.read().await;
    assert!(has_all(&cluster, restarted, 50));
    let leader = cluster.leader().await;
    assert_eq!(hash(&cluster, restarted), hash(&cluster, leader));
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_by_name_and_place() {
    let mut cluster = Cluster::of(1, eager(), Offload::Inline).await;
    write(&cluster, 0, 50).await;
    cluster.nodes[&1].reaches("a snapshot", |status| status.purged.is_some()).await;
    cluster.kill(1);
    let file = fs::read_dir(cluster.snapshots(1)).expect("a directory").next().expect("a file").expect("a file").path();
    let mut bytes = fs::read(&file).expect("a snapshot");
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    fs::write(&file, bytes).expect("a snapshot");
    let refused = cluster.try_start(1).map_err(|error| format!("{:#}", anyhow::Error::from(error)));
    let sentence = refused.expect_err("a refusal");
    assert!(sentence.contains(&file.display().to_string()) && sentence.contains("damaged at byte"), "{sentence}");
}

#[tokio::test]
async fn one_snapshot_is_kept() {
    let cluster = Cluster::of(1, eager(), Offload::Threads).await;
    write(&cluster, 0, 150).await;
    let node = &cluster.nodes[&1];
    node.reaches("a late snapshot", |status| status.snapshot.is_some_and(|index| index > 120)).await;
    // Gives up what is being written, and so leaves no file half done.
    node.handle.shutdown().await;
    assert_eq!(fs::read_dir(cluster.snapshots(1)).expect("a directory").count(), 1);
}
