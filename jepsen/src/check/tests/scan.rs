//! `scan`.

use serde_json::{Value, json};

use super::Story;
use crate::workload::Workload;

fn register(story: Story, key: &str, revision: u64) -> Story {
    let answer = json!({ "epoch": [revision, 0], "displaced": null });
    story.ok("register", key, json!({ "id": revision }), answer)
}

fn stays() -> Story {
    register(register(Story::default(), "ann", 10), "bob", 11)
}

fn walk(story: Story, f: &'static str, since: u64, at: u64, found: &[(&str, u64)]) -> Vec<&'static str> {
    let session = |(key, revision): &(&str, u64)| json!({ "key": key, "epoch": [revision, 0] });
    let found: Vec<Value> = found.iter().map(session).collect();
    let answer = json!({ "since": since, "at": at, "found": found });
    story.ok(f, "all", Value::Null, answer).found(Workload::Scan)
}

#[test]
fn a_sound_walk_and_its_tail_pass() {
    assert_eq!(walk(stays(), "scan", 0, 20, &[("bob", 11), ("ann", 10)]), [""; 0]);
    assert_eq!(walk(register(stays(), "cid", 25), "tail", 20, 30, &[("cid", 25)]), [""; 0]);
    // Whoever moves meanwhile may come or not.
    let moving = stays().begin(3, "unregister", "bob", json!({ "id": 11, "epoch": [11, 0] }));
    assert_eq!(walk(moving.clone(), "scan", 0, 20, &[("ann", 10)]), [""; 0]);
    assert_eq!(walk(moving, "scan", 0, 20, &[("ann", 10), ("bob", 11)]), [""; 0]);
}

#[test]
fn a_session_that_comes_twice_is_found() {
    assert_eq!(walk(stays(), "scan", 0, 20, &[("ann", 10), ("bob", 11), ("ann", 10)]), ["S1"]);
}

#[test]
fn a_session_that_is_left_out_is_found() {
    assert_eq!(walk(stays(), "scan", 0, 20, &[("ann", 10)]), ["S2"]);
    assert_eq!(walk(register(stays(), "cid", 25), "tail", 20, 30, &[]), ["S2"]);
}

#[test]
fn a_session_of_another_time_is_found() {
    let later = register(stays(), "cid", 25);
    assert_eq!(walk(later.clone(), "scan", 0, 20, &[("ann", 10), ("bob", 11), ("cid", 25)]), ["S3"]);
    assert_eq!(walk(later, "tail", 20, 30, &[("cid", 25), ("ann", 10)]), ["S3"]);
}

#[test]
fn a_session_that_nobody_registered_is_found() {
    assert_eq!(walk(stays(), "scan", 0, 20, &[("ann", 10), ("bob", 11), ("eve", 12)]), ["S4"]);
}

#[test]
fn a_session_that_had_left_is_found() {
    let left = stays().ok("unregister", "bob", json!({ "id": 11, "epoch": [11, 0] }), Value::Null);
    assert_eq!(walk(left.clone(), "scan", 0, 20, &[("ann", 10)]), [""; 0]);
    assert_eq!(walk(left, "scan", 0, 20, &[("ann", 10), ("bob", 11)]), ["S5"]);
}
