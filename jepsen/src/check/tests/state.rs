//! `register` and `cas`.

use serde_json::{Value, json};

use super::Story;
use crate::workload::Workload;

fn register(story: Story, id: u64, epoch: [u64; 2], displaced: Option<u64>) -> Story {
    story.ok("register", "ann", json!({ "id": id }), json!({ "epoch": epoch, "displaced": displaced }))
}

fn first() -> Story {
    register(Story::default(), 1, [5, 0], None)
}

fn lookup(story: Story, found: Value) -> Vec<&'static str> {
    story.ok("lookup", "ann", Value::Null, found).found(Workload::Register)
}

fn session(id: u64, epoch: [u64; 2]) -> Value {
    json!({ "id": id, "epoch": epoch })
}

#[test]
fn a_sound_register_passes() {
    let moved = register(first(), 2, [6, 0], Some(1));
    assert_eq!(lookup(moved.clone(), session(2, [6, 0])), [""; 0]);
    let left = moved.ok("unregister", "ann", session(2, [6, 0]), Value::Null);
    assert_eq!(lookup(left.clone(), Value::Null), [""; 0]);
    let unknown = left.unknown(7, "register", "ann", json!({ "id": 3 }));
    assert_eq!(lookup(unknown.clone(), session(3, [8, 0])), [""; 0]);
    assert_eq!(lookup(unknown, Value::Null), [""; 0]);
}

#[test]
fn an_epoch_given_twice_or_backwards_is_found() {
    assert_eq!(register(first(), 2, [5, 0], Some(1)).found(Workload::Register), ["R1", "R2"]);
    assert_eq!(register(first(), 2, [4, 9], Some(1)).found(Workload::Register), ["R2"]);
}

#[test]
fn a_lost_or_invented_registration_is_found() {
    assert_eq!(lookup(first(), Value::Null), ["R3"]);
    assert_eq!(lookup(first(), session(9, [9, 0])), ["R3"]);
    // Displaced nobody, although somebody was there.
    assert_eq!(register(first(), 2, [6, 0], None).found(Workload::Register), ["R3"]);
    // The one that was displaced is found again.
    assert_eq!(lookup(register(first(), 2, [6, 0], Some(1)), session(1, [5, 0])), ["R3"]);
}

#[test]
fn an_unregistration_that_came_too_late_and_took_the_newer_session_is_found() {
    let moved = register(first(), 2, [6, 0], Some(1));
    let late = moved.ok("unregister", "ann", session(1, [5, 0]), Value::Null);
    assert_eq!(late.found(Workload::Register), ["R3"]);
}

#[test]
fn an_operation_that_failed_did_not_happen() {
    let failed = first().begin(0, "register", "ann", json!({ "id": 2 })).add(
        0,
        crate::history::Kind::Fail,
        "register",
        "ann",
        json!("full"),
    );
    assert_eq!(lookup(failed.clone(), session(1, [5, 0])), [""; 0]);
    assert_eq!(lookup(failed, session(2, [6, 0])), ["R3"]);
}

#[test]
fn a_state_older_than_asked_or_unlike_the_log_is_found() {
    let state = |f: &'static str, asked: u64, revision: u64, found: Value| {
        let answer = json!({ "revision": revision, "found": found });
        first().ok(f, "ann", json!(asked), answer).found(Workload::Register)
    };
    assert_eq!(state("local", 0, 4, Value::Null), [""; 0]);
    assert_eq!(state("at-least", 5, 5, session(1, [5, 0])), [""; 0]);
    assert_eq!(state("at-least", 5, 4, Value::Null), ["R4"]);
    assert_eq!(state("local", 0, 5, Value::Null), ["R5"]);
    assert_eq!(state("local", 0, 4, session(1, [5, 0])), ["R5"]);
}

fn write(story: Story, number: u64, revision: u64) -> Story {
    story.ok("write", "doc", json!({ "number": number }), json!({ "revision": revision }))
}

fn cas(story: Story, expected: u64, from: Option<u64>, number: u64, revision: u64) -> Story {
    let asked = json!({ "expected": expected, "from": from, "number": number });
    story.ok("cas", "doc", asked, json!({ "revision": revision }))
}

fn read(story: Story, revision: u64, number: Option<u64>) -> Vec<&'static str> {
    let answer = json!({ "revision": revision, "number": number });
    story.ok("read", "doc", Value::Null, answer).found(Workload::Cas)
}

#[test]
fn a_sound_document_passes() {
    let story = cas(write(Story::default(), 1, 4), 4, Some(1), 2, 6);
    assert_eq!(read(story.clone(), 6, Some(2)), [""; 0]);
    let unknown = story.unknown(7, "cas", "doc", json!({ "expected": 6, "from": 2, "number": 3 }));
    assert_eq!(read(unknown.clone(), 8, Some(3)), [""; 0]);
    assert_eq!(read(unknown, 6, Some(2)), [""; 0]);
}

#[test]
fn a_broken_chain_of_replacements_is_found() {
    let first = || cas(Story::default(), 0, None, 1, 4);
    assert_eq!(cas(first(), 0, None, 2, 5).found(Workload::Cas), ["C1", "C5"]);
    assert_eq!(cas(first(), 4, Some(1), 2, 4).found(Workload::Cas), ["C2"]);
    assert_eq!(read(first(), 0, None), ["C3", "C5"]);
    assert_eq!(read(first(), 5, Some(9)), ["C4", "C5"]);
    // A replacement of what was overwritten before.
    assert_eq!(cas(write(first(), 2, 5), 4, Some(1), 3, 6).found(Workload::Cas), ["C5"]);
}

#[test]
fn a_write_that_was_lost_by_the_way_is_found_although_revisions_grow() {
    let story = write(cas(Story::default(), 0, None, 1, 4), 2, 5);
    let forgotten = cas(story, 6, Some(1), 3, 7);
    assert_eq!(forgotten.found(Workload::Cas), ["C5"]);
}
