//! Reads that are confirmed together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use keeper::raft::{Offload, RaftOptions, ReadError};

use crate::cluster::Cluster;

#[tokio::test]
async fn a_read_sees_every_write_acknowledged_before_it_on_every_node() {
    let cluster = Arc::new(Cluster::three().await);
    for number in 0..100 {
        let text = number.to_string();
        cluster.propose("counter", &text).await;
        for node in cluster.nodes.values() {
            node.read().await;
            assert_eq!(node.text("counter").as_deref(), Some(text.as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_crowd_shares_rounds() {
    let cluster = Cluster::three().await;
    for id in [cluster.leader().await, cluster.follower().await] {
        let handle = &cluster.nodes[&id].handle;
        let before = handle.read_rounds();
        let reads = join_all((0..10_000).map(|_| handle.read_index())).await;
        assert!(reads.into_iter().all(|read| read.is_ok()));
        let rounds = handle.read_rounds() - before;
        assert!(rounds <= 20, "{rounds} rounds for 10,000 callers who came at once");
    }
}

#[tokio::test]
async fn reads_and_writes_go_on_together() {
    let cluster = Arc::new(Cluster::three().await);
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = cluster
        .nodes
        .values()
        .map(|node| {
            let (handle, done) = (node.handle.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let (mut last, mut reads) = (0, 0_u32);
                while !done.load(Ordering::Relaxed) {
                    // Nothing confirmed is no failure on a busy machine.
                    let Ok(index) = handle.read_index().await else { continue };
                    assert!(index >= last, "a read went back in time");
                    (last, reads) = (index, reads + 1);
                }
                reads
            })
        })
        .collect();
    for number in 0..300 {
        cluster.propose("counter", &number.to_string()).await;
    }
    done.store(true, Ordering::Relaxed);
    for reads in join_all(readers).await {
        assert!(reads.expect("a reader") > 0);
    }
}

#[tokio::test]
async fn only_the_leader_confirms_leadership() {
    let cluster = Cluster::three().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let confirmed = cluster.nodes[&leader].handle.confirm_leadership().await.expect("a confirmation");
    assert_eq!(confirmed.term, cluster.nodes[&leader].handle.status().term);
    let member = cluster.members().remove(&leader);
    let refused = cluster.nodes[&follower].handle.confirm_leadership().await;
    assert_eq!(refused, Err(ReadError::NotLeader { leader: member }));
}

#[tokio::test]
async fn nobody_reads_before_there_is_a_group() {
    let cluster = Cluster::idle(1, RaftOptions::default(), Offload::Threads);
    assert_eq!(cluster.nodes[&1].handle.read_index().await, Err(ReadError::NoLeader));
}

#[tokio::test]
async fn the_age_of_the_state_is_that_of_its_last_confirmation() {
    let cluster = Cluster::three().await;
    let follower = cluster.follower().await;
    let handle = &cluster.nodes[&follower].handle;
    let asked = tokio::time::Instant::now();
    cluster.nodes[&follower].read().await;
    let known = handle.up_to_date_at().expect("a time");
    assert!(known >= asked && known <= tokio::time::Instant::now());
}

/// Prints what a round costs; asserts only that nothing is wrong by orders of magnitude.
#[tokio::test]
async fn rounds_are_quick() {
    let cluster = Cluster::three().await;
    for id in [cluster.leader().await, cluster.follower().await] {
        let handle = cluster.nodes[&id].handle.clone();
        let reading = tokio::spawn(async move {
            let mut took = Vec::new();
            for _ in 0..2_000 {
                let since = Instant::now();
                let confirmed = handle.read_index().await;
                // Nothing confirmed is no failure on a busy machine, but it counts as slow.
                took.push(confirmed.map_or(Duration::from_secs(1), |_| since.elapsed()));
            }
            took.sort();
            took
        });
        let took = reading.await.expect("reads");
        eprintln!("one caller on node {id}: p50 {:?}, p99 {:?}", took[1_000], took[1_980]);
        assert!(took[1_000] < Duration::from_millis(20));
    }
}
