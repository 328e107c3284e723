//! `presence`.

use serde_json::{Value, json};

use super::Story;
use crate::workload::Workload;

fn registered() -> Story {
    let register = |story: Story, id: u64, revision: u64| {
        let answer = json!({ "epoch": [revision, 0], "displaced": null });
        story.ok("register", "ann", json!({ "id": id }), answer)
    };
    register(register(Story::default(), 1, 10), 2, 20)
}

fn fact(change: &str, revision: u64, id: u64, from: Option<u64>) -> Value {
    let from = from.map(|revision| [revision, 0]);
    json!({ "user": "ann", "change": change, "epoch": [revision, 0], "revision": revision, "id": id, "from": from })
}

fn told(story: Story, who: &str, revision: u64, facts: &[Value]) -> Story {
    let answer = json!({ "revision": revision, "reset": false, "facts": facts });
    story.ok("follow", who, Value::Null, answer)
}

fn whole(story: Story, who: &str) -> Story {
    let facts = [fact("online", 10, 1, None), fact("moved", 20, 2, Some(10))];
    told(told(story, who, 5, &[]), who, 30, &facts)
}

fn found(story: &Story) -> Vec<&'static str> {
    story.found(Workload::Presence)
}

#[test]
fn a_sound_story_passes() {
    let story = whole(whole(registered(), "one"), "two");
    let looked = json!({ "revision": 25, "epoch": [20, 0] });
    assert_eq!(found(&story.ok("final-lookup", "ann", Value::Null, looked)), [""; 0]);
}

#[test]
fn facts_out_of_order_are_found() {
    let swapped = [fact("moved", 20, 2, Some(10)), fact("online", 10, 1, None)];
    let story = told(told(registered(), "one", 5, &[]), "one", 30, &swapped);
    assert!(found(&story).contains(&"P1"));
    assert_eq!(found(&told(whole(registered(), "one"), "one", 29, &[])), ["P1"]);
}

#[test]
fn a_client_that_has_just_come_does_not_know_what_another_was_promised() {
    let answer = json!({ "revision": 29, "reset": false, "facts": [], "anew": true });
    let story = whole(registered(), "one").ok("follow", "one", Value::Null, answer);
    assert_eq!(found(&story), [""; 0]);
    // The promise holds all the same.
    assert_eq!(found(&told(story, "one", 31, &[fact("moved", 29, 2, Some(20))])), ["P1"]);
}

#[test]
fn a_fact_told_twice_is_found() {
    let again = told(whole(registered(), "one"), "one", 31, &[fact("moved", 30, 2, Some(10))]);
    assert_eq!(found(&again), ["P2"]);
    let online_again = told(whole(registered(), "one"), "one", 31, &[fact("online", 30, 2, None)]);
    assert_eq!(found(&online_again), ["P2"]);
}

#[test]
fn a_fact_never_told_is_found() {
    let gap = told(told(registered(), "one", 5, &[]), "one", 30, &[fact("online", 20, 2, None)]);
    assert_eq!(found(&gap), ["P3"]);
}

#[test]
fn a_fact_about_nobody_is_found() {
    let more = told(whole(registered(), "one"), "one", 40, &[fact("moved", 35, 9, Some(20))]);
    assert_eq!(found(&more), ["P4"]);
}

#[test]
fn subscribers_that_are_told_different_things_are_found() {
    let unknown = || registered().unknown(7, "register", "bob", json!({ "id": 3 }));
    let bob = json!({ "user": "bob", "change": "online", "epoch": [25, 0], "revision": 25, "id": 3, "from": null });
    let facts = [fact("online", 10, 1, None), fact("moved", 20, 2, Some(10)), bob];
    let other = told(told(whole(unknown(), "one"), "two", 5, &[]), "two", 30, &facts);
    assert_eq!(found(&other), ["P5"]);
}

#[test]
fn a_subscriber_that_ends_elsewhere_than_lookups_is_found() {
    let story = whole(registered(), "one");
    let looked = json!({ "revision": 25, "epoch": null });
    assert_eq!(found(&story.ok("final-lookup", "ann", Value::Null, looked)), ["P6"]);
}

#[test]
fn after_a_reset_a_new_story_begins() {
    let reset = json!({ "revision": 50, "reset": true, "facts": [] });
    let story = told(registered(), "one", 5, &[]).ok("follow", "one", Value::Null, reset);
    assert_eq!(found(&told(story, "one", 60, &[fact("offline", 55, 2, None)])), [""; 0]);
}
