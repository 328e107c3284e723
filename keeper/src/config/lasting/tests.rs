//! What comes back is sealed, and nothing else is.

use super::*;
use crate::format::{self, Format};

fn json(text: &str) -> Value {
    format::parse(Format::Json, &text.replace('#', "keeper-secret:v1:k:")).expect("it is JSON")
}

/// The fields that are to be sealed, versions being told oldest first.
fn sealed(versions: &[&str], given: &str) -> String {
    let mut lasting = Lasting::default();
    versions.iter().for_each(|version| lasting.add(&json(version)));
    let former = versions.last().map_or(Value::Null, |version| json(version));
    let secrets = BTreeSet::from([canonical(&json(r#""secret""#))]);
    lasting.fields(&former, &secrets, &json(given)).iter().map(Field::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_field_that_was_left_out_is_sealed_when_it_comes_back() {
    assert_eq!(sealed(&[r##"{"pw":"#1"}"##, r#"{"x":1}"#], r#"{"pw":"new","x":1}"#), "pw");
    assert_eq!(sealed(&[r##"{"pw":"#1"}"##, "null"], r#"{"pw":5}"#), "pw", "and one whose document was deleted");
    assert_eq!(sealed(&[r##"{"a":{"pw":"#1"}}"##], r#"{"a":{"pw":{"x":1,"y":[2]}},"pw":1}"#), "a.pw.x a.pw.y[0]");
    assert_eq!(sealed(&[], r#"{"pw":"new"}"#), "");
}

#[test]
fn what_is_sealed_of_an_entry_is_sealed_of_all() {
    let users = r##"[{"n":"a","pw":"#1"},{"n":"b","pw":"#2"}]"##;
    assert_eq!(sealed(&[users], r#"[{"n":"c","pw":"3"},{"n":"a","pw":"1"},{"n":"b"}]"#), "[0].pw [1].pw");
    assert_eq!(sealed(&[users, "[]"], r#"[{"n":"c","pw":"3"}]"#), "[0].pw");
}

#[test]
fn what_was_open_in_a_list_stays_open() {
    assert_eq!(sealed(&[r##"["x","#1"]"##], r#"["x","x"]"#), "[1]", "it was sealed there");
    let arguments = r##"["--token","#1","--port","80"]"##;
    assert_eq!(sealed(&[arguments], r#"["--token","1","--port","80"]"#), "[1]");
    assert_eq!(sealed(&[arguments], r#"["--token","1","--port","81"]"#), "[1]", "the list is as long as it was");
    assert_eq!(sealed(&[arguments], r#"["secret","--token","--port","81"]"#), "[0] [1]", "it is a secret anywhere");
    assert_eq!(sealed(&[r##"[{"v":"open"},{"v":"#1"}]"##], r#"[{"v":"secret"},{"v":"open"}]"#), "[0].v [1].v");
    assert_eq!(sealed(&[arguments], r#"["-v","--token","1","--port","80"]"#), "[0] [2]", "or it is not certain");
}
