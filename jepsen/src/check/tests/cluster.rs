//! The nodes, and runs in which nothing happened.

use serde_json::{Value, json};

use super::Story;
use crate::{
    check::vacuous,
    history::{Kind, NEMESIS},
    nemesis::Fault,
    workload::Workload,
};

fn status(story: Story, node: &str, role: &str, term: u64, applied: u64, hash: &str) -> Story {
    let value = json!({ "role": role, "term": term, "cluster": "c", "state": "s", "applied": applied, "hash": hash });
    story.nodes("status", node, value)
}

fn found(story: &Story) -> Vec<&'static str> {
    story.found(Workload::Cas)
}

#[test]
fn replicas_that_differ_are_found() {
    let one = status(Story::default(), "node-1", "leader", 1, 7, "aa");
    assert_eq!(found(&status(one.clone(), "node-2", "follower", 1, 7, "aa")), [""; 0]);
    assert_eq!(found(&status(one.clone(), "node-2", "follower", 1, 8, "bb")), [""; 0]);
    assert_eq!(found(&status(one, "node-2", "follower", 1, 7, "bb")), ["K1"]);
}

#[test]
fn a_cluster_that_does_not_heal_is_found() {
    let healed = |converged: bool| Story::default().nodes("healed", "all", json!({ "converged": converged }));
    assert_eq!(found(&healed(true)), [""; 0]);
    assert_eq!(found(&healed(false)), ["K2"]);
    assert_eq!(found(&Story::default().nodes("served", "all", json!({ "served": false }))), ["K2"]);
    assert_eq!(found(&Story::default().nodes("enlisted", "all", json!({ "enlisted": false }))), ["K6"]);
}

#[test]
fn a_node_that_dies_of_nothing_is_found() {
    let value = json!({ "status": "exit status: 101" });
    assert_eq!(found(&Story::default().nodes("died", "node-1", value.clone())), ["K3"]);
    assert_eq!(found(&Story::default().nodes("stopped", "node-1", value)), [""; 0]);
}

#[test]
fn a_node_that_goes_on_after_a_failed_sync_is_found() {
    let failed = |how: &str, ended: bool| {
        let value = json!({ "how": how, "hits": 1, "ended": ended });
        found(&Story::default().add(NEMESIS, Kind::Info, "disk", "node-1", value))
    };
    assert_eq!(failed("sync error", true), [""; 0]);
    assert_eq!(failed("slow", false), [""; 0]);
    assert_eq!(failed("sync error", false), ["K4"]);
}

#[test]
fn a_run_in_which_nothing_happened_proves_nothing() {
    let mut story = Story::default();
    for number in 0..100 {
        story = story.ok("write", "doc", json!({ "number": number }), json!({ "revision": number }));
    }
    let missing = |story: &Story| vacuous(Workload::Cas, &[Fault::Kill], &story.events);
    assert_eq!(missing(&story), ["no `read` was acknowledged", "no `cas` was acknowledged", "no `kill` was made"]);
    let story = story
        .ok("read", "doc", Value::Null, json!({ "revision": 0, "number": null }))
        .ok("cas", "doc", json!({ "number": 1_000 }), json!({ "revision": 1 }))
        .add(NEMESIS, Kind::Info, "kill", "one", json!([1]));
    assert_eq!(missing(&story), [""; 0]);
    assert!(!missing(&Story::default()).is_empty());
}

#[test]
fn a_node_that_votes_after_its_log_was_lost_is_found() {
    let role = |story: Story, id: u64, role: &str| {
        let value = json!({ "id": id, "role": role, "state": "s", "applied": id, "hash": "aa" });
        story.nodes("status", "node-1", value)
    };
    let before = role(Story::default(), 1, "follower");
    let retired = |said: &str| before.clone().add(NEMESIS, Kind::Info, "retired", "node-1", json!(said));
    let lost = retired("keeper: log lost: record 7 was synced, but the log ends at 3");
    assert_eq!(found(&role(lost.clone(), 1, "follower")), ["K5"]);
    assert_eq!(found(&role(lost.clone(), 4, "follower")), [""; 0]);
    assert_eq!(found(&role(lost.clone(), 1, "uninitialized")), [""; 0]);
    assert_eq!(found(&role(lost.add(NEMESIS, Kind::Info, "lose", "all", Value::Null), 1, "leader")), [""; 0]);
    assert_eq!(found(&role(retired("a block is damaged"), 1, "follower")), [""; 0]);
}
