//! Nodes that die.

use std::time::{Duration, Instant};

use keeper::raft::{ProposeError, ReadError};

use crate::cluster::{Cluster, PATIENCE, document};

#[tokio::test]
async fn another_leader_takes_over_and_nothing_is_lost() {
    let mut cluster = Cluster::three().await;
    let mut last = cluster.propose("limits", "0").await.revision;
    for round in 1..=3 {
        let dead = cluster.leader().await;
        cluster.kill(dead);
        let since = Instant::now();
        let text = round.to_string();
        let proposed = cluster.propose("limits", &text).await;
        eprintln!("round {round}: the next write was acknowledged after {:?}", since.elapsed());
        assert!(proposed.revision > last);
        last = proposed.revision;
        cluster.start(dead);
        let returned = &cluster.nodes[&dead];
        returned.sees("a leader", |seen| seen.leader.is_some()).await;
        returned.read().await;
        assert_eq!(returned.text("limits").as_deref(), Some(text.as_bytes()));
    }
}

#[tokio::test]
async fn a_leader_without_a_quorum_confirms_nothing() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.leader().await;
    let others: Vec<_> = cluster.nodes.keys().copied().filter(|id| *id != leader).collect();
    others.iter().for_each(|id| cluster.kill(*id));
    let node = &cluster.nodes[&leader];
    let read = node.handle.read_index().await;
    assert!(matches!(read, Err(ReadError::Unconfirmed(_) | ReadError::NotLeader { .. })), "{read:?}");
    let confirmed = node.handle.confirm_leadership().await;
    assert!(matches!(confirmed, Err(ReadError::Unconfirmed(_) | ReadError::NotLeader { .. })), "{confirmed:?}");
}

#[tokio::test]
async fn what_becomes_of_a_proposal_without_a_quorum_is_known_or_unknown_never_wrong() {
    let mut cluster = Cluster::three().await;
    let old = cluster.leader().await;
    let others: Vec<_> = cluster.nodes.keys().copied().filter(|id| *id != old).collect();
    others.iter().for_each(|id| cluster.kill(*id));
    let handle = cluster.nodes[&old].handle.clone();
    let mut attempts = 0;
    // Within the lease it is appended and waits; after it, it is refused.
    let waiting = handle.submit(document("waiting", "1")).await.expect("a running node");
    let (path, refused) = loop {
        attempts += 1;
        let path = format!("late-{attempts}");
        let answer = tokio::time::timeout(Duration::from_millis(100), handle.propose(document(&path, "1"))).await;
        if let Ok(answer) = answer {
            break (path, answer);
        }
    };
    assert_eq!(refused.map(|proposed| proposed.revision), Err(ProposeError::NotLeader { leader: None }));
    others.iter().for_each(|id| cluster.start(*id));
    let outcome = tokio::time::timeout(PATIENCE, waiting.outcome()).await.expect("an outcome");
    let reader = &cluster.nodes[&cluster.leader().await];
    reader.read().await;
    match outcome {
        Ok(_) => assert!(reader.text("waiting").is_some(), "acknowledged, and lost"),
        Err(ProposeError::Unknown(_)) => {}
        Err(other) => panic!("an appended proposal ended as {other}"),
    }
    assert_eq!(reader.text(&path), None, "refused, and there");
}

#[tokio::test]
async fn a_node_that_stops_answers_everybody() {
    let cluster = Cluster::three().await;
    let leader = &cluster.nodes[&cluster.leader().await];
    leader.handle.shutdown().await;
    assert_eq!(leader.handle.read_index().await, Err(ReadError::Stopped));
    let refused = leader.propose("limits", "1").await.map(|proposed| proposed.revision);
    assert_eq!(refused, Err(ProposeError::Stopped));
}
