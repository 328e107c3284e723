//! `watch`.

use serde_json::{Value, json};

use super::Story;
use crate::workload::Workload;

const A: &str = "jepsen/pair-1/a.toml";
const B: &str = "jepsen/pair-1/b.toml";

fn published() -> Story {
    let publish = |story: Story, number: u64, revision: u64| {
        story.ok("publish", "jepsen/pair-1", json!({ "number": number }), json!({ "revision": revision }))
    };
    publish(publish(Story::default(), 1, 10), 2, 20)
}

fn told(story: Story, revision: u64, documents: &[(&str, u64, u64)]) -> Story {
    let document =
        |(path, revision, number): &(&str, u64, u64)| json!({ "path": path, "revision": revision, "number": number });
    let documents: Vec<Value> = documents.iter().map(document).collect();
    let answer = json!({ "revision": revision, "reset": false, "documents": documents });
    story.ok("watch", "watcher-1", Value::Null, answer)
}

fn both(story: Story, revision: u64, number: u64) -> Story {
    told(story, revision, &[(A, revision, number), (B, revision, number)])
}

fn found(story: &Story) -> Vec<&'static str> {
    story.found(Workload::Watch)
}

#[test]
fn a_sound_watch_passes() {
    assert_eq!(found(&both(both(published(), 10, 1), 20, 2)), [""; 0]);
    // Two publishes told as one.
    let read = |path| json!({ "revision": 20, "number": 2, "path": path });
    assert_eq!(found(&both(published(), 20, 2).ok("read", A, Value::Null, read(A))), [""; 0]);
}

#[test]
fn a_watch_that_goes_back_in_time_is_found() {
    assert_eq!(found(&told(both(published(), 20, 2), 20, &[])), ["W1"]);
    assert_eq!(found(&told(both(published(), 20, 2), 19, &[])), ["W1"]);
}

#[test]
fn a_document_told_twice_is_found() {
    assert_eq!(found(&told(both(published(), 20, 2), 21, &[(A, 20, 2), (B, 20, 2)])), ["W2"]);
}

#[test]
fn a_document_that_nobody_published_is_found() {
    assert_eq!(found(&told(both(published(), 20, 2), 30, &[(A, 30, 3), (B, 30, 3)])), ["W3"]);
    let unknown = published().unknown(7, "publish", "jepsen/pair-1", json!({ "number": 3 }));
    assert_eq!(found(&told(both(unknown, 20, 2), 30, &[(A, 30, 3), (B, 30, 3)])), [""; 0]);
    // Beyond what the frame claims to tell.
    assert_eq!(found(&told(published(), 15, &[(A, 20, 2), (B, 20, 2)])), ["W3"]);
}

#[test]
fn a_gap_is_found() {
    assert_eq!(found(&told(both(published(), 10, 1), 25, &[])), ["W4"]);
    assert_eq!(found(&told(published(), 25, &[])), ["W4"]);
}

#[test]
fn half_of_a_publish_is_found() {
    assert_eq!(found(&told(both(published(), 10, 1), 20, &[(A, 20, 2)])), ["W4", "W5"]);
}

#[test]
fn a_watcher_that_never_catches_up_is_found() {
    let behind = both(published(), 10, 1).ok("read", A, Value::Null, json!({ "revision": 20, "number": 2 }));
    assert_eq!(found(&behind), ["W6"]);
}
