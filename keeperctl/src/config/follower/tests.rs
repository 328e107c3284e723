//! Frames of a watch, and what is told of them.

use keeper_client_sdk::Document;

use super::*;
use crate::config::changes::tests::document;

fn frame(revision: u64, documents: Vec<Document>) -> DocumentsChanged {
    DocumentsChanged { revision, state_id: 1, reset: false, documents }
}

fn full(revision: u64, documents: Vec<Document>) -> DocumentsChanged {
    DocumentsChanged { reset: true, ..frame(revision, documents) }
}

fn follower() -> Follower {
    let documents = vec![document("a.toml", 3, r#"{"x":1}"#), document("b.toml", 4, r#"{"y":1}"#)];
    Follower::begin(full(5, documents)).expect("sound")
}

fn told(follower: &mut Follower, frame: DocumentsChanged) -> String {
    follower.take(frame).expect("sound").iter().map(Report::table).collect()
}

#[test]
fn what_is_there_at_first_is_no_change() {
    assert_eq!(follower().documents(), 2);
    assert_eq!(
        told(&mut follower(), full(5, vec![document("a.toml", 3, r#"{"x":1}"#), document("b.toml", 4, r#"{"y":1}"#)])),
        ""
    );
}

#[test]
fn changes_are_told_field_by_field() {
    let changed = document("a.toml", 7, r#"{"x":2,"z":[1]}"#);
    let created = Document { message: String::new(), ..document("c.toml", 7, r#"{"n":"\u001b"}"#) };
    let expected = "\
2026-11-22T15:36:02Z a.toml changed at revision 7 by ann@desk: raise limits
  ~ x: 1 -> 2
  + z: [1]
2026-11-22T15:36:02Z c.toml created at revision 7 by ann@desk
  + n: \"\\u001b\"
";
    assert_eq!(told(&mut follower(), frame(7, vec![created, changed])), expected);
}

#[test]
fn each_change_is_told_once() {
    let mut follower = follower();
    let changed = || frame(7, vec![document("a.toml", 7, r#"{"x":2}"#)]);
    assert_ne!(told(&mut follower, changed()), "");
    assert_eq!(told(&mut follower, changed()), "");
}

#[test]
fn a_change_of_comments_says_so() {
    let comment = Document { text: "# other\n".into(), ..document("a.toml", 7, r#"{"x":1}"#) };
    let expected = "\
2026-11-22T15:36:02Z a.toml changed at revision 7 by ann@desk: raise limits
  only the text: comments or layout
";
    assert_eq!(told(&mut follower(), frame(7, vec![comment])), expected);
}

#[test]
fn deletions_are_told_and_forgotten() {
    let mut follower = follower();
    let deleted = || Document { deleted: true, text: String::new(), ..document("a.toml", 7, "") };
    let expected = "\
2026-11-22T15:36:02Z a.toml deleted at revision 7 by ann@desk: raise limits
  - x: 1
";
    assert_eq!(told(&mut follower, frame(7, vec![deleted()])), expected);
    assert_eq!(told(&mut follower, frame(7, vec![deleted()])), "");
    assert_eq!(follower.documents(), 1);
}

#[test]
fn a_full_set_in_between_tells_what_was_missed() {
    let mut follower = follower();
    let expected = "\
2026-11-22T15:36:02Z a.toml changed at revision 8 by ann@desk: raise limits
  ~ x: 1 -> 5
b.toml deleted at revision 9
  - y: 1
";
    assert_eq!(told(&mut follower, full(9, vec![document("a.toml", 8, r#"{"x":5}"#)])), expected);
}

#[test]
fn changes_as_json() {
    let landed = follower().take(frame(7, vec![document("a.toml", 7, r#"{"x":2}"#)])).expect("sound");
    let expected = concat!(
        r#"{"path":"a.toml","change":"changed","revision":7,"author":"ann@desk","message":"raise limits","#,
        r#""published_at":"2026-11-22T15:36:02.345Z","fields":[{"path":"x","old":1,"new":2}]}"#,
        "\n"
    );
    assert_eq!(render::json_line(&landed[0]), Ok(expected.to_owned()));
}
