//! `reflush`.

use serde_json::{Value, json};

use super::Story;
use crate::workload::Workload;

fn connect(story: Story, id: u64) -> Story {
    story.ok("connect", "ann", json!({ "id": id }), Value::Null)
}

fn held() -> Story {
    connect(Story::default(), 1)
}

fn look(story: Story, f: &'static str, found: Option<u64>, rebuilding: bool) -> Vec<&'static str> {
    let answer = json!({ "found": found, "rebuilding": rebuilding });
    story.ok(f, "ann", Value::Null, answer).found(Workload::Reflush)
}

fn event(story: Story, id: u64, event: &str) -> Vec<&'static str> {
    story.ok("event", "ann", Value::Null, json!({ "id": id, "event": event })).found(Workload::Reflush)
}

#[test]
fn a_sound_rebuild_passes() {
    assert_eq!(look(held(), "lookup", Some(1), false), [""; 0]);
    assert_eq!(look(held(), "lookup", None, true), [""; 0]);
    assert_eq!(look(connect(held(), 2), "final-lookup", Some(2), true), [""; 0]);
    assert_eq!(event(connect(held(), 2), 1, "displaced"), [""; 0]);
    let given_up = held().begin(3, "connect", "ann", json!({ "id": 2 }));
    assert_eq!(look(given_up, "final-lookup", None, true), [""; 0]);
}

#[test]
fn a_firm_miss_of_somebody_who_is_connected_is_found() {
    assert_eq!(look(held(), "lookup", None, false), ["F1"]);
}

#[test]
fn a_connection_that_is_never_registered_again_is_found() {
    assert_eq!(look(held(), "final-lookup", None, true), ["F2"]);
}

#[test]
fn a_claim_of_earlier_times_that_wins_is_found() {
    assert_eq!(look(connect(held(), 2), "lookup", Some(1), true), ["F3"]);
}

#[test]
fn a_connection_that_nobody_made_is_found() {
    assert_eq!(look(held(), "lookup", Some(9), false), ["F4"]);
}

#[test]
fn a_connection_that_is_taken_away_for_nothing_is_found() {
    assert_eq!(event(held(), 1, "displaced"), ["F5"]);
    assert_eq!(event(connect(held(), 2), 1, "kicked"), ["F5"]);
}
