//! What nodes say of who leads when a majority is gone: to clients, to probes, to whoever scrapes them, to an operator.

use std::time::{Duration, Instant};

use keeper_client_sdk::{NodeStatus, Role};
use keeper_tests::{InProcess, until};
use serde_json::Value;

use crate::ctl::{Ctl, words};
use crate::replicas::page;

/// Longer than the leader falls silent and speaks up again in turns, so that others may elect one whom more hear.
const PROBED: Duration = Duration::from_secs(4);

fn gauge(cluster: &InProcess, at: usize, name: &str) -> Option<u64> {
    let page = page(cluster, at, "/metrics");
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    value?.parse().ok()
}

async fn gauges_are(cluster: &InProcess, at: usize, is_leader: u64, has_leader: u64) {
    until(&format!("gauges of node {} are {is_leader} and {has_leader}", at + 1), async || {
        gauge(cluster, at, "keeper_raft_is_leader") == Some(is_leader)
            && gauge(cluster, at, "keeper_raft_has_leader") == Some(has_leader)
    })
    .await;
}

async fn becomes(cluster: &InProcess, at: usize, role: Role, leader: Option<u64>) -> NodeStatus {
    until(&format!("node {} is {role:?} under {leader:?}", at + 1), async || {
        let status = cluster.status(at).await;
        status.role == role && status.leader_id == leader
    })
    .await;
    cluster.status(at).await
}

/// What an operator is told, and in which words: the same as text and as JSON.
async fn told(cluster: &InProcess) -> (String, Value) {
    let ctl = Ctl::of(cluster);
    let text = ctl.run(&["cluster", "status"]).await;
    assert_eq!(text.status.code(), Some(1), "{}", words(&text));
    let json = ctl.run(&["-o", "json", "cluster", "status"]).await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let worst = words(&text).lines().find_map(|line| line.strip_prefix("error: ").map(str::to_owned));
    assert_eq!(json["problems"][0].as_str().map(str::to_owned), worst, "{json}");
    (worst.unwrap(), json)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_lost_its_majority_says_so_until_it_is_back() {
    let mut cluster = InProcess::start(3).await;
    let leader = cluster.leader().await;
    let others: Vec<_> = (0..3).filter(|at| *at != leader).collect();
    gauges_are(&cluster, leader, 1, 1).await;
    for at in &others {
        cluster.crash(*at);
    }
    let status = becomes(&cluster, leader, Role::NoQuorum, None).await;
    let silent: Vec<_> = status.members.iter().filter(|it| it.is_silent).map(|it| it.node_id).collect();
    assert_eq!(silent, others.iter().map(|at| *at as u64 + 1).collect::<Vec<_>>());
    gauges_are(&cluster, leader, 0, 0).await;
    let ready = page(&cluster, leader, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("no majority of the voters answers it; silent: node "), "{ready}");
    let (worst, json) = told(&cluster).await;
    let named =
        others.iter().map(|at| format!("node {} ({})", at + 1, cluster.endpoint(*at).trim_start_matches("http://")));
    let named = named.collect::<Vec<_>>().join(", ");
    let expected =
        format!("no node leads: node {} was elected, and 2 of 3 voters do not answer it: {named}", leader + 1);
    assert_eq!(worst, expected);
    assert_eq!((&json["leader"], &json["nodes"][leader]["role"]), (&Value::Null, &"no-quorum".into()));

    cluster.restart(others[0]).await;
    let again = cluster.leader().await;
    let expected = Some(cluster.id(again));
    becomes(&cluster, again, Role::Leader, expected).await;
    for at in [leader, others[0]] {
        until("both know the leader", async || cluster.status(at).await.leader_id == expected).await;
        until("both are ready", async || page(&cluster, at, "/readyz").starts_with("HTTP/1.1 200")).await;
        gauges_are(&cluster, at, u64::from(at == again), 1).await;
    }
    // One is still missing, which is a problem, and not that nobody leads.
    let (worst, _) = told(&cluster).await;
    assert!(worst.starts_with(&format!("node {} (", others[1] + 1)) && worst.contains("does not answer"), "{worst}");
    cluster.restart(others[1]).await;
    until("nothing is wrong", async || Ctl::of(&cluster).run(&["cluster", "status"]).await.status.success()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_whose_leader_died_says_so_without_a_majority() {
    let mut cluster = InProcess::start(3).await;
    let leader = cluster.leader().await;
    let (left, other) = ((leader + 1) % 3, (leader + 2) % 3);
    gauges_are(&cluster, left, 0, 1).await;
    cluster.crash(other);
    cluster.crash(leader);
    becomes(&cluster, left, Role::Follower, None).await;
    gauges_are(&cluster, left, 0, 0).await;
    let ready = page(&cluster, left, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("no leader is heard"), "{ready}");
    let (worst, _) = told(&cluster).await;
    assert!(worst.starts_with("no node leads: 2 of 3 voters do not answer: node "), "{worst}");
    cluster.restart(leader).await;
    cluster.leader().await;
    until("it is ready", async || page(&cluster, left, "/readyz").starts_with("HTTP/1.1 200")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_a_leader_without_a_majority_says_that_nobody_leads_and_goes_on_saying_so() {
    let mut cluster = InProcess::start(5).await;
    let leader = cluster.leader().await;
    let left = (leader + 1) % 5;
    for at in (0..5).filter(|at| ![leader, left].contains(at)) {
        cluster.crash(at);
    }
    becomes(&cluster, leader, Role::NoQuorum, None).await;
    becomes(&cluster, left, Role::Follower, None).await;
    let begun = Instant::now();
    until("the leader has fallen silent and spoken up in turns", async || {
        let seen = [cluster.status(leader).await, cluster.status(left).await];
        assert_eq!(seen.map(|it| it.leader_id), [None, None]);
        begun.elapsed() >= PROBED
    })
    .await;
}

/// The bound is six seconds here, so that a machine that stands still for a second or two fails nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cluster_goes_on_saying_who_leads() {
    let cluster = InProcess::start_with(3, |settings| settings.raft.election_max_ms = 3_000).await;
    let leader = cluster.leader().await;
    let expected = Some(cluster.id(leader));
    for at in 0..3 {
        until("everybody knows the leader", async || cluster.status(at).await.leader_id == expected).await;
    }
    let term = cluster.status(leader).await.term;
    let begun = Instant::now();
    until("it has been idle for longer than the bound", async || {
        for at in 0..3 {
            let status = cluster.status(at).await;
            assert_eq!((status.leader_id, status.term), (expected, term), "node {}", at + 1);
        }
        begun.elapsed() >= Duration::from_secs(8)
    })
    .await;
}

/// Nothing of it can be committed, and nothing says so: whoever asked is not kept waiting for longer than they said.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_asked_of_a_leader_that_is_cut_off_ends_in_time_and_may_have_happened() {
    let mut cluster = InProcess::start(3).await;
    let leader = cluster.leader().await;
    let spare = cluster.spare().await;
    for at in (0..3).filter(|at| *at != leader) {
        cluster.crash(at);
    }
    let begun = Instant::now();
    let endpoint = cluster.peer_endpoint(spare);
    let asked = Ctl::of(&cluster).run(&["--timeout", "2s", "cluster", "add", "--learner", &endpoint]).await;
    // The answer is explained by what the nodes say, which takes one try of each at most.
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
    let said = words(&asked);
    assert_eq!(asked.status.code(), Some(2), "{said}");
    assert!(said.contains("it may have happened all the same: look with `keeperctl cluster status`"), "{said}");
}
