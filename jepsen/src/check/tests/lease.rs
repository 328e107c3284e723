//! `lease`. Every lease has a TTL of three seconds; a line takes one.

use serde_json::{Value, json};

use super::{SECOND, Story};
use crate::workload::Workload;

fn open(story: Story, name: &str, incarnation: u64) -> Story {
    story.ok("open", name, json!({ "ttl_ms": 3_000 }), json!({ "incarnation": incarnation }))
}

fn list(story: Story, f: &'static str, incarnations: &[u64]) -> Story {
    let instances: Vec<Value> = incarnations.iter().map(|it| json!({ "incarnation": it })).collect();
    story.ok(f, "all", Value::Null, json!({ "instances": instances }))
}

fn closed(story: Story, incarnation: u64, reason: &str) -> Story {
    let closed = json!([{ "incarnation": incarnation, "reason": reason }]);
    story.ok("changes", "all", Value::Null, json!({ "opened": [], "closed": closed }))
}

fn held(story: Story, incarnation: u64, until_seconds: u64) -> Story {
    let answer = json!({ "until": until_seconds * SECOND });
    story.ok("held", "a", json!({ "incarnation": incarnation }), answer)
}

fn found(story: &Story) -> Vec<&'static str> {
    story.found(Workload::Lease)
}

#[test]
fn a_lease_that_runs_out_in_time_passes() {
    // Opened at second 1, so held until 4; expired at 6.
    assert_eq!(found(&closed(open(Story::default(), "a", 7).at(5), 7, "expired")), [""; 0]);
    let ended = open(Story::default(), "a", 7).ok("close", "a", json!({ "incarnation": 7 }), Value::Null);
    assert_eq!(found(&list(ended, "final-list", &[])), [""; 0]);
}

#[test]
fn a_lease_that_ends_within_its_ttl_of_a_renewal_is_found() {
    assert_eq!(found(&closed(open(Story::default(), "a", 7).at(2), 7, "expired")), ["L1"]);
    let renewed = held(open(Story::default(), "a", 7), 7, 20);
    assert_eq!(found(&closed(renewed.clone(), 7, "expired")), ["L1"]);
    assert_eq!(found(&list(renewed.clone(), "list", &[])), ["L1"]);
    assert_eq!(found(&closed(renewed.at(21), 7, "expired")), [""; 0]);
    // The acknowledgement that came later tells of a renewal that was sent before.
    let late = closed(open(Story::default(), "a", 7).at(6), 7, "expired");
    assert_eq!(found(&held(late, 7, 20)), ["L1"]);
}

#[test]
fn whoever_closes_or_replaces_may_do_so_at_any_time() {
    let renewed = held(open(Story::default(), "a", 7), 7, 60);
    let closing = renewed.clone().begin(3, "close", "a", json!({ "incarnation": 7 }));
    assert_eq!(found(&list(closing.clone(), "list", &[])), [""; 0]);
    // But that is no expiry.
    assert_eq!(found(&closed(closing, 7, "expired")), ["L1"]);
    let replacing = renewed.unknown(3, "open", "a", json!({ "ttl_ms": 3_000 }));
    assert_eq!(found(&closed(replacing, 7, "replaced")), [""; 0]);
}

#[test]
fn an_incarnation_that_is_not_newer_is_found() {
    assert_eq!(found(&open(open(Story::default(), "a", 7), "a", 7)), ["L2"]);
    assert_eq!(found(&open(open(Story::default(), "a", 7), "a", 6)), ["L2"]);
    assert_eq!(found(&open(open(Story::default(), "a", 7), "b", 6)), [""; 0]);
}

#[test]
fn an_incarnation_that_comes_back_is_found() {
    let gone = || closed(open(Story::default(), "a", 7).at(9), 7, "expired");
    assert_eq!(found(&list(gone(), "list", &[7])), ["L3"]);
    assert_eq!(found(&gone().ok("lookup", "a", Value::Null, json!({ "incarnation": 7 }))), ["L3"]);
}

#[test]
fn a_lease_that_nobody_renews_and_that_lives_on_is_found() {
    let left = open(Story::default(), "a", 7).ok("abandon", "a", json!({ "incarnation": 7 }), Value::Null);
    assert_eq!(found(&list(left.at(60), "final-list", &[7])), ["L4"]);
}
