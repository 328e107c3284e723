//! Members whose directories were put back from an older copy: who is left to decide, and what is said of them.

use std::time::Duration;

use keeper::raft::{MemberStatus, Role};
use keeper::settings::Settings;
use keeper_client_sdk::{Edit, Error, Keeper, Rank};
use keeper_tests::{InProcess, until};
use tempfile::TempDir;

use crate::ctl::{Ctl, words};
use crate::replicas::page;
use crate::twins::copy;

/// Elections are rare: a new leader would mend such a member without noticing.
fn patient(settings: &mut Settings) {
    settings.raft.election_min_ms = 2_000;
    settings.raft.election_max_ms = 4_000;
}

/// A copy of what a node keeps, and the node at work again.
async fn copied(cluster: &mut InProcess, at: usize) -> TempDir {
    cluster.stop(at).await;
    let old = tempfile::tempdir().unwrap();
    copy(&cluster.settings(at).data_dir, &old.path().join("data"));
    cluster.restart(at).await;
    old
}

/// Puts the copy back; returns once the leader knows.
async fn put_back(cluster: &mut InProcess, at: usize, old: &TempDir) {
    let leader = cluster.leader().await;
    cluster.stop(at).await;
    cluster.wipe(at).await;
    copy(&old.path().join("data"), &cluster.settings(at).data_dir);
    cluster.restart(at).await;
    until("the leader knows", async || member(cluster, leader, at).took_back).await;
}

fn member(cluster: &InProcess, leader: usize, at: usize) -> MemberStatus {
    cluster.node(leader).raft().status().members[&(at as u64 + 1)].clone()
}

/// Written behind the copies, and acknowledged by every node.
async fn acknowledged(cluster: &InProcess, keeper: &Keeper) {
    for n in 0..4 {
        keeper.configs().publish(Edit::put(format!("acknowledged/{n}.json"), "{}")).await.unwrap();
    }
    cluster.converge().await;
}

/// Waits until the cluster takes something, under the same leader, which has lost nothing.
async fn mends(cluster: &InProcess, leader: usize, keeper: &Keeper, term: u64) {
    until("it is mended", async || keeper.configs().publish(Edit::put("after.json", "{}")).await.is_ok()).await;
    for n in 0..4 {
        let document = keeper.configs().get(format!("acknowledged/{n}.json")).await.unwrap();
        assert!(document.is_some(), "document {n} was acknowledged and is lost");
    }
    until("nothing is lacked", async || {
        let status = cluster.node(leader).raft().status();
        assert_eq!(status.term, term, "nobody else was elected");
        status.role == Role::Leader && status.members.values().all(|member| !member.took_back)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_majority_that_was_put_back_is_sent_again_what_it_acknowledged() {
    let mut cluster = InProcess::start_with(3, patient).await;
    let leader = cluster.leader().await;
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    let keeper = cluster.client(leader).await;
    let term = cluster.node(leader).raft().status().term;
    let olds = [copied(&mut cluster, others[0]).await, copied(&mut cluster, others[1]).await];
    acknowledged(&cluster, &keeper).await;
    put_back(&mut cluster, others[0], &olds[0]).await;
    put_back(&mut cluster, others[1], &olds[1]).await;
    mends(&cluster, leader, &keeper, term).await;
    cluster.converge().await;
    let voters = cluster.node(leader).raft().status().members;
    assert!(voters.values().all(|member| member.voter) && voters.into_keys().eq(1..=3), "nobody was replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_only_follower_was_put_back_says_so_and_waits_for_the_other_one() {
    let mut cluster = InProcess::start_with(3, patient).await;
    let leader = cluster.leader().await;
    let (follower, dead) = ((leader + 1) % 3, (leader + 2) % 3);
    let keeper = cluster.client(leader).await;
    let term = cluster.node(leader).raft().status().term;
    let old = copied(&mut cluster, follower).await;
    acknowledged(&cluster, &keeper).await;
    put_back(&mut cluster, follower, &old).await;
    cluster.crash(dead);
    until("it can commit nothing", async || cluster.node(leader).raft().status().role == Role::NoQuorum).await;
    let ready = page(&cluster, leader, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains(&format!("; lacking: node {} (", follower + 1)), "{ready}");
    let told = words(&Ctl::of(&cluster).run(&["cluster", "status"]).await);
    assert!(told.contains(&format!("node {} was elected, and has no majority that can commit", leader + 1)), "{told}");
    assert!(told.contains("set no data aside until then") && !told.contains("keeper forget"), "{told}");
    let refused = keeper.cluster().remove(follower as u64 + 1).done().await.expect_err("nothing can be decided");
    assert!(matches!(&refused, Error::Refused { reason, .. } if reason == "no-majority"), "{refused}");
    assert!(refused.to_string().contains("lacks entries that it had acknowledged"), "{refused}");
    let backup = old.path().join("last.backup").display().to_string();
    let from = (leader + 1).to_string();
    let saved = Ctl::of(&cluster).run(&["cluster", "backup", &backup, "--local", "--from", &from]).await;
    assert!(saved.status.success(), "a new cluster can be begun with it: {}", words(&saved));
    let configs = keeper.configs();
    let unheard = configs.publish(Edit::put("after.json", "{}"));
    let unheard = tokio::time::timeout(Duration::from_secs(1), unheard).await;
    assert!(!matches!(unheard, Ok(Ok(_))), "the one that is dead may be the last to have more");
    assert!(member(&cluster, leader, follower).took_back, "it was sent nothing");
    cluster.restart(dead).await;
    until("there is a majority", async || keeper.configs().publish(Edit::put("after.json", "{}")).await.is_ok()).await;
    let status = cluster.node(leader).raft().status();
    assert_eq!((status.role, status.term), (Role::Leader, term), "nobody else was elected");
    assert!(member(&cluster, leader, follower).took_back, "it is to be taken in anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_because_a_member_was_put_back_is_refused_with_that_reason() {
    let mut cluster = InProcess::start_with(3, patient).await;
    let leader = cluster.leader().await;
    let (follower, healthy) = ((leader + 1) % 3, (leader + 2) % 3);
    let keeper = cluster.client(leader).await;
    let old = copied(&mut cluster, follower).await;
    acknowledged(&cluster, &keeper).await;
    put_back(&mut cluster, follower, &old).await;
    let (number, endpoint) = (follower as u64 + 1, cluster.peer_endpoint(follower));
    let (ctl, other) = (keeper.cluster(), healthy as u64 + 1);
    let lacks = format!("node {number} ({endpoint}) lacks entries that it had acknowledged");
    for (change, expected) in [
        (ctl.remove(other), "would-lose-quorum"),
        (ctl.demote(other), "would-lose-quorum"),
        (ctl.transfer_leader(Some(number)), "took-back"),
        (ctl.replace(number, endpoint.clone()), "took-back"),
        (ctl.add(endpoint.clone(), Rank::Voter), "took-back"),
    ] {
        let refused = tokio::time::timeout(Duration::from_secs(8), change.done()).await.expect("it is known at once");
        let refused = refused.expect_err("nothing can be built on it");
        assert!(matches!(&refused, Error::Refused { reason, .. } if reason == expected), "{refused}");
        assert!(refused.to_string().contains(&lacks), "{refused}");
        assert!(refused.to_string().contains("`keeper forget --config FILE`"), "{refused}");
    }
    keeper.configs().publish(Edit::put("after.json", "{}")).await.unwrap();
    assert!(member(&cluster, leader, follower).took_back, "a majority is left without it");
}
