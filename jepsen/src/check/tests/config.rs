//! `config`.

use serde_json::{Value, json};

use super::Story;
use crate::workload::Workload;

const PAIR: &str = "jepsen/room";

fn published() -> Story {
    let publish = |story: Story, number: u64, revision: u64| {
        story.ok("publish", PAIR, json!({ "number": number }), json!({ "revision": revision }))
    };
    publish(publish(Story::default(), 1, 10), 2, 20)
}

fn takes(story: Story, room: &str, a: u64, b: u64) -> Story {
    let part = |number: u64| json!({ "number": number });
    story.ok("take", room, Value::Null, json!({ "a": part(a), "b": part(b), "refusing": false }))
}

/// Rollout 30 of number 7; `room-2` lives for long, and has refused it.
fn refused() -> Story {
    let story = published().ok("live", "room-2", Value::Null, json!({ "incarnation": 5 })).at(30);
    let story = story.ok("rollout", PAIR, json!({ "number": 7 }), json!({ "rollout": 30 }));
    story.ok("refuse", "room-2", Value::Null, json!({ "number": 7 }))
}

fn look(story: Story, state: &str, open: u64) -> Story {
    let answer = json!({ "state": state, "open": open, "by": null });
    story.ok("look", PAIR, json!({ "rollout": 30 }), answer)
}

fn found(story: &Story) -> Vec<&'static str> {
    story.found(Workload::Config)
}

#[test]
fn a_sound_history_passes() {
    let story = look(look(takes(takes(refused(), "room-2", 1, 1), "room-3", 2, 2).at(50), "running", 1), "stopped", 1);
    let last = story.ok("final-publish", PAIR, json!({ "number": 9 }), json!({ "revision": 90 }));
    assert_eq!(found(&takes(takes(last, "room-2", 9, 9), "room-3", 9, 9)), [""; 0]);
}

#[test]
fn documents_of_two_publishes_are_found() {
    assert_eq!(found(&takes(published(), "room-2", 1, 2)), ["C1"]);
    let one = json!({ "a": { "number": 1 }, "b": null, "refusing": false });
    assert_eq!(found(&published().ok("take", "room-2", Value::Null, one)), [""; 0]);
    let emptied = json!({ "a": { "number": 1 }, "b": { "number": null }, "refusing": false });
    assert_eq!(found(&published().ok("take", "room-2", Value::Null, emptied)), ["C1"]);
}

#[test]
fn what_nobody_gave_is_found() {
    assert_eq!(found(&takes(published(), "room-2", 3, 3)), ["C2"]);
    let second = look(takes(refused(), "room-3", 7, 7), "stopped", 1);
    assert_eq!(found(&second), ["C2"]);
    let first = look(takes(refused(), "room-4", 7, 7), "stopped", 1);
    assert_eq!(found(&first), [""; 0]);
}

#[test]
fn a_room_that_goes_back_is_found() {
    assert_eq!(found(&takes(takes(published(), "room-2", 2, 2), "room-2", 1, 1)), ["C3"]);
}

#[test]
fn a_rollout_that_goes_on_after_a_refusal_is_found() {
    assert_eq!(found(&look(look(refused().at(40), "running", 1), "running", 2)), ["C4"]);
    assert_eq!(found(&look(look(refused().at(40), "running", 1), "promoted", 1)), ["C4"]);
    // Nobody waits for one that is gone.
    let gone = refused().ok("lost", "room-2", Value::Null, Value::Null);
    assert_eq!(found(&look(look(gone.at(40), "running", 1), "running", 2)), [""; 0]);
}

#[test]
fn an_acknowledgement_of_what_never_was_is_found() {
    let rooms = json!([{ "room": "room-2", "wanted": 20, "applied": true }]);
    let status = |story: Story| story.ok("status", "jepsen/room/a.json", Value::Null, json!({ "rooms": rooms }));
    assert_eq!(found(&status(takes(published(), "room-2", 1, 1))), ["C5"]);
    assert_eq!(found(&status(takes(published(), "room-2", 2, 2))), [""; 0]);
}

#[test]
fn a_room_that_does_not_end_with_the_last_is_found() {
    let last = takes(published(), "room-2", 2, 2);
    let last = last.ok("final-publish", PAIR, json!({ "number": 9 }), json!({ "revision": 90 }));
    assert_eq!(found(&last), ["C6"]);
}
