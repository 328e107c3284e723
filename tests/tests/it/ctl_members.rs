//! `keeperctl cluster add`, `promote` and the others, as processes against processes.

use std::process::{Command, Output, Stdio};

use keeper_tests::{Processes, binary, until};
use serde_json::{Value, json};

use crate::ctl::words;

async fn ctl(cluster: &Processes, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("keeperctl"));
    command.args(["--endpoints", &cluster.endpoints().join(","), "--output", "json", "cluster"]);
    command.args(arguments).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("keeperctl runs")).await.expect("it ends")
}

async fn done(cluster: &Processes, arguments: &[&str]) -> Value {
    let output = ctl(cluster, arguments).await;
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", words(&output));
    serde_json::from_slice(&output.stdout).expect("one JSON value")
}

async fn refused(cluster: &Processes, arguments: &[&str]) -> String {
    let output = ctl(cluster, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", words(&output));
    assert!(output.stdout.is_empty(), "what is refused has no data");
    words(&output)
}

/// The role and the vote of a node, as the cluster's status tells them; it fails while something is wrong.
async fn seat(cluster: &Processes, node: u64) -> Option<(String, Value)> {
    let status: Value = serde_json::from_slice(&ctl(cluster, &["status"]).await.stdout).ok()?;
    let found = status["nodes"].as_array()?.iter().find(|it| it["node"] == node)?.clone();
    Some((found["role"].as_str()?.to_owned(), found["voter"].clone()))
}

async fn sits(cluster: &Processes, node: u64, role: &str, voter: Value) {
    let expected = Some((role.to_owned(), voter));
    until(&format!("node {node} is {expected:?}"), async || seat(cluster, node).await == expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_are_promoted_demoted_and_removed_by_command() {
    let mut cluster = Processes::start(3).await;
    let spare = cluster.spare();
    let peer = cluster.listen(spare).peer.to_string();
    let is_up = async |cluster: &Processes| keeper_client_sdk::Keeper::connect([cluster.endpoint(spare)]).await.is_ok();
    until("the spare node answers", async || is_up(&cluster).await).await;
    let changed = |node: u64, changed: bool| json!({ "node": node, "changed": changed });

    // The wrong port of the right node.
    let client = cluster.listen(spare).client.to_string();
    let said = refused(&cluster, &["add", "--learner", &client]).await;
    assert!(said.contains(&format!("{client} is the client port of a node that waits for its number")), "{said}");
    assert!(said.contains(&format!("did you mean: `keeperctl cluster add --learner {peer}`")), "{said}");
    let said = refused(&cluster, &["replace", "2", &cluster.listen(1).peer.to_string()]).await;
    assert!(said.contains("is node 2 itself, and has its data"), "{said}");

    // The process starts itself anew under its number.
    assert_eq!(done(&cluster, &["add", "--learner", &peer]).await, changed(4, true));
    sits(&cluster, 4, "learner", json!(false)).await;
    assert_eq!(done(&cluster, &["add", "--learner", &peer]).await, changed(4, false));
    assert_eq!(done(&cluster, &["promote", "4"]).await, changed(4, true));
    sits(&cluster, 4, "follower", json!(true)).await;
    assert_eq!(done(&cluster, &["promote", "4"]).await, changed(4, false));

    assert_eq!(done(&cluster, &["add", "--learner", &peer]).await, changed(4, false));
    let said = ctl(&cluster, &["add", "--learner", &peer, "-o", "table"]).await.stdout;
    let kept = "node 4 is a voter and stays one: `keeperctl cluster demote 4` takes its vote away\n";
    assert_eq!(String::from_utf8_lossy(&said), kept);

    let handed = done(&cluster, &["transfer-leader", "4"]).await;
    assert_eq!((&handed["node"], &handed["changed"]), (&json!(4), &json!(true)));
    assert!(handed["pause_ms"].is_u64(), "{handed}");
    assert_eq!(done(&cluster, &["transfer-leader", "4"]).await, changed(4, false));

    // A leader hands over before it loses its vote.
    assert_eq!(done(&cluster, &["demote", "4"]).await, changed(4, true));
    sits(&cluster, 4, "learner", json!(false)).await;
    assert_eq!(done(&cluster, &["demote", "4"]).await, changed(4, false));
    assert_eq!(done(&cluster, &["remove", "4"]).await, changed(4, true));
    sits(&cluster, 4, "removed", Value::Null).await;
    assert_eq!(done(&cluster, &["remove", "4"]).await, changed(4, false));
    let log = std::fs::read_to_string(cluster.log(spare)).expect("a log");
    assert_eq!(log.matches("this node was removed").count(), 1, "it says so once");
    let status = ctl(&cluster, &["status"]).await;
    assert_eq!(status.status.code(), Some(0), "nothing is wrong with the cluster: {}", words(&status));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_with_its_reason_and_a_dead_node_is_replaced() {
    let mut cluster = Processes::start(3).await;
    let leader = cluster.leader().await;
    let (dead, healthy) = ((leader + 1) % 3, (leader + 2) % 3);
    let said = refused(&cluster, &["promote", "9"]).await;
    assert!(said.contains("node 9 is no member: the members are 1, 2, 3"), "{said}");
    let silence = ctl(&cluster, &["add", "127.0.0.1:1"]).await;
    assert_eq!(silence.status.code(), Some(2), "nobody has decided anything: {}", words(&silence));
    assert!(words(&silence).contains("no node can be added by 127.0.0.1:1"), "{}", words(&silence));
    cluster.kill(dead);
    let said = refused(&cluster, &["remove", &(healthy + 1).to_string()]).await;
    assert!(said.contains(&format!("node {} ", dead + 1)) && said.contains("does not answer"), "{said}");

    let spare = cluster.spare();
    let peer = cluster.listen(spare).peer.to_string();
    until("the spare node answers", async || {
        keeper_client_sdk::Keeper::connect([cluster.endpoint(spare)]).await.is_ok()
    })
    .await;
    let replaced = done(&cluster, &["replace", &(dead + 1).to_string(), &peer]).await;
    assert_eq!(replaced, json!({ "node": 4, "changed": true }));
    sits(&cluster, 4, "follower", json!(true)).await;
    cluster.launch(dead);
    sits(&cluster, dead as u64 + 1, "removed", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_is_told_apart_from_one_that_refuses() {
    let mut cluster = Processes::start(1).await;
    cluster.kill(0);
    let output = ctl(&cluster, &["remove", "1"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
}
