//! A group that works.

use keeper::raft::{InitializeRefused, Offload, ProposeError, RaftOptions};

use crate::cluster::{Cluster, document};

#[tokio::test]
async fn what_is_proposed_is_on_every_node() {
    let cluster = Cluster::three().await;
    let proposed = cluster.propose("limits", "1").await;
    assert!(proposed.replies.iter().all(Result::is_ok), "{:?}", proposed.replies);
    for node in cluster.nodes.values() {
        let read = node.read().await;
        assert!(read >= proposed.revision);
        assert_eq!(node.text("limits").as_deref(), Some(&b"1"[..]));
    }
}

#[tokio::test]
async fn a_group_of_one_works() {
    let cluster = Cluster::of(1, RaftOptions::default(), Offload::Threads).await;
    let proposed = cluster.propose("limits", "1").await;
    let node = &cluster.nodes[&1];
    assert!(node.read().await >= proposed.revision);
    assert_eq!(node.handle.confirm_leadership().await.expect("a leader").term, node.handle.status().term);
}

#[tokio::test]
async fn a_node_that_starts_again_never_says_that_it_has_no_data() {
    let mut cluster = Cluster::three().await;
    cluster.propose("limits", "1").await;
    let follower = cluster.follower().await;
    for round in 0..8 {
        cluster.kill(follower);
        cluster.start(follower);
        let status = cluster.nodes[&follower].handle.status();
        assert!(status.last_log.is_some() && !status.members.is_empty(), "round {round}: {status:?}");
    }
}

#[tokio::test]
async fn a_follower_names_the_leader() {
    let cluster = Cluster::three().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let member = cluster.members().remove(&leader);
    let refused = cluster.nodes[&follower].propose("limits", "1").await.map(|proposed| proposed.revision);
    assert_eq!(refused, Err(ProposeError::NotLeader { leader: member }));
}

#[tokio::test]
async fn a_proposal_for_another_term_is_refused() {
    let cluster = Cluster::three().await;
    let leader = &cluster.nodes[&cluster.leader().await];
    let term = leader.handle.status().term;
    let before = leader.handle.propose_in_term(document("limits", "1"), term).await.expect("an answer").revision;
    let refused = leader.handle.propose_in_term(document("limits", "2"), term + 1).await;
    assert!(matches!(refused, Err(ProposeError::NotLeader { .. })), "{refused:?}");
    assert_eq!(leader.read().await, before);
}

#[tokio::test]
async fn a_group_is_founded_once() {
    let cluster = Cluster::three().await;
    for node in cluster.nodes.values() {
        node.reaches("its first entry", |status| status.last_log.is_some()).await;
        let refused = node.handle.initialize(cluster.members()).await;
        assert_eq!(refused, Err(InitializeRefused::AlreadyInitialized));
    }
}

#[tokio::test]
async fn the_leader_knows_how_far_everybody_is() {
    let cluster = Cluster::three().await;
    let proposed = cluster.propose("limits", "1").await;
    let leader = &cluster.nodes[&cluster.leader().await];
    let matched = |status: &keeper::raft::RaftStatus| {
        status.members.values().all(|member| member.matched.is_some_and(|matched| matched >= proposed.revision))
    };
    let status = leader.reaches("followers that match", matched).await;
    assert!(status.members.values().all(|member| member.voter));
    assert_eq!(status.leader, Some(status.id));
}

#[tokio::test]
async fn large_entries_pass() {
    let cluster = Cluster::three().await;
    let text = format!("\"{}\"", "x".repeat(900 << 10));
    let paths: Vec<_> = (0..20).map(|number| format!("large-{number}")).collect();
    let leader = &cluster.nodes[&cluster.leader().await];
    let proposals = paths.iter().map(|path| leader.propose(path, &text));
    for proposed in futures_util::future::join_all(proposals).await {
        assert!(proposed.expect("an answer").replies[0].is_ok());
    }
    let follower = &cluster.nodes[&cluster.follower().await];
    follower.read().await;
    assert!(paths.iter().all(|path| follower.text(path).is_some_and(|found| found.len() == text.len())));
}
