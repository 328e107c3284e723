//! What is taken, what is refused, what is told, and that nothing takes long.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::clock;
use crate::problem::chain;

fn schema(text: &str) -> Schema {
    Schema::read(text.as_bytes()).unwrap_or_else(|error| panic!("{}: {text}", chain(&error)))
}

fn refused(text: &str) -> String {
    chain(&Schema::read(text.as_bytes()).expect_err("it is to be refused"))
}

fn value(json: &str) -> Value {
    format::parse(Format::Json, json).expect("it is JSON")
}

fn told(schema: &Schema, json: &str) -> Vec<String> {
    let found = schema.violations(&value(json), &[]).expect("it is cheap");
    found.iter().map(Violation::to_string).collect()
}

/// As schemars writes it for nested structures with an optional part, a tagged alternative and a map.
const ROOM: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Room", "type": "object",
  "properties": {
    "push": {"$ref": "#/$defs/Push"},
    "spare": {"anyOf": [{"$ref": "#/$defs/Push"}, {"type": "null"}]},
    "topics": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Topic"}},
    "names": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}}
  },
  "required": ["push"],
  "$defs": {
    "Push": {"type": "object", "additionalProperties": false, "required": ["max_inflight"], "properties": {
      "max_inflight": {"type": "integer", "format": "uint16", "minimum": 0, "maximum": 65535},
      "token": {"type": "string", "maxLength": 8, "x-keeper-secret": true}}},
    "Topic": {"type": "object", "properties": {"mode": {"enum": ["a", "b"]}}}
  }
}"##;

#[test]
fn every_violation_is_told_at_its_field() {
    let room = schema(ROOM);
    assert_eq!(told(&room, r#"{"push":{"max_inflight":1},"spare":null,"topics":{"a.b":{"mode":"a"}}}"#), [""; 0]);
    let found = told(
        &room,
        r#"{"push":{"max_inflight":70000,"max_inflght":1},"spare":{"max_inflight":"1"},
            "topics":{"a.b":{"mode":"c"}},"names":["a","B"]}"#,
    );
    let expected = [
        "names[1]: \"B\" does not match \"^[a-z]+$\"",
        "push.max_inflght: the field is not known",
        "push.max_inflight: 70000 is greater than the maximum of 65535",
        "spare.max_inflight: \"1\" is not of type \"integer\"",
        "topics.\"a.b\".mode: \"c\" is not one of \"a\" or \"b\"",
    ];
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(told(&room, "{}"), ["push: the field is missing"]);
    assert_eq!(told(&room, "[]"), ["the document: [] is not of type \"object\""]);
    let long = format!(r#"{{"push":{{"max_inflight":"{}"}}}}"#, "x".repeat(100));
    assert_eq!(told(&room, &long), ["push.max_inflight: the value is not of type \"integer\""]);
}

#[test]
fn integers_beyond_53_bits_are_exact() {
    let big = schema(r#"{"type": "integer", "maximum": 18446744073709551614}"#);
    assert_eq!(told(&big, "18446744073709551614"), [""; 0]);
    assert_eq!(
        told(&big, "18446744073709551615"),
        ["the document: 18446744073709551615 is greater than the maximum of 18446744073709551614"]
    );
}

#[test]
fn a_secret_is_found_and_never_shown() {
    let room = schema(ROOM);
    let document = value(r#"{"push":{"max_inflight":1,"token":"hunter2-hunter2"},"spare":{"token":"x"}}"#);
    let secrets = room.secrets(&document).expect("it is cheap");
    assert_eq!(secrets.iter().map(Field::to_string).collect::<Vec<_>>(), ["push.token", "spare.token"]);
    let found = room.violations(&document, &secrets).expect("it is cheap");
    let found: Vec<_> = found.iter().map(Violation::to_string).collect();
    assert_eq!(
        found,
        ["push.token: the secret is longer than 8 characters", "spare.max_inflight: the field is missing"]
    );
    let around = schema(r#"{"properties": {"push": {"type": "string"}}}"#);
    let found = around.violations(&document, &secrets).expect("it is cheap");
    assert_eq!(found[0].to_string(), "push: the secret is not of type \"string\"");
    assert!(
        room.violations(&document, &[]).expect("it is cheap")[0].message.contains("hunter2"),
        "or it proves nothing"
    );
}

#[test]
fn what_is_not_taken_is_refused_in_words() {
    assert_eq!(refused("{"), "the schema is not JSON: line 1, column 1: EOF while parsing an object");
    assert_eq!(
        refused(&format!("\"{}\"", "x".repeat(SCHEMA_BYTES_MAX))),
        "the schema has 65538 bytes; the limit is 65536"
    );
    assert_eq!(
        refused(r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#),
        "`$schema` is \"http://json-schema.org/draft-04/schema#\"; known are the drafts 6, 7, 2019-09 and 2020-12"
    );
    for (keyword, target) in [
        ("$ref", "https://example.com/a.json"),
        ("$ref", "file:///etc/passwd"),
        ("$ref", "other.json#/a"),
        ("$ref", "#anchor"),
        ("$dynamicRef", "#a"),
        ("$recursiveRef", "#"),
        ("$id", "https://example.com/b"),
    ] {
        assert_eq!(
            refused(&format!(r#"{{"properties": {{"a": {{"{keyword}": "{target}"}}}}}}"#)),
            format!("`{keyword}` is \"{target}\"; a schema is self-contained: a reference is `#` or begins with `#/`")
        );
    }
    assert_eq!(refused(r#"{"type": "integr"}"#).split_once(": ").map(|(field, _)| field), Some("type"));
    for wrong in [r##"{"$ref": "#/$defs/none"}"##, r#"{"pattern": "(?=a)"}"#, r#"{"pattern": "(a)\\1"}"#, "7"] {
        assert!(!refused(wrong).is_empty(), "{wrong}");
    }
    let nested = schema(r#"{"$id": "https://example.com/a", "properties": {"$ref": {"type": "integer"}, "$id": {}}}"#);
    assert_eq!(told(&nested, r#"{"$ref": "x", "$id": 1}"#), ["\"$ref\": \"x\" is not of type \"integer\""]);
}

/// A chain of definitions, each of which holds `count` references to the next.
fn chained(length: usize, count: usize, applied: impl Fn(&str) -> String) -> String {
    let definitions: Vec<_> = (0..length)
        .map(|at| {
            let reference = format!(r##"{{"$ref":"#/$defs/{}"}}"##, at + 1);
            format!(r#""{at}":{{"allOf":[{}]}}"#, vec![applied(&reference); count].join(","))
        })
        .collect();
    let last = format!(r#""{length}":{{"type":"integer"}}"#);
    format!(r##"{{"$ref":"#/$defs/0","$defs":{{{},{last}}}}}"##, definitions.join(","))
}

#[test]
fn bombs_are_refused_fast() {
    let bombs = [
        ("doubled in place", chained(60, 2, str::to_owned), "1".to_owned(), Excess::Steps),
        (
            "doubled at every level",
            r##"{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}"##.to_owned(),
            format!("{}1{}", "{\"a\":".repeat(60), "}".repeat(60)),
            Excess::Steps,
        ),
        ("a long chain", chained(1_000, 1, str::to_owned), "1".to_owned(), Excess::Depth),
        (
            "a loop",
            r##"{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"$ref":"#"}}}"##.to_owned(),
            "1".to_owned(),
            Excess::Depth,
        ),
        (
            "many alternatives for many items",
            format!(r#"{{"items":{{"enum":[{}]}}}}"#, (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",")),
            format!("[{}0]", "0,".repeat(100_000)),
            Excess::Steps,
        ),
    ];
    for (name, text, document, expected) in bombs {
        let start = clock::now();
        let schema = schema(&text);
        let read = start.elapsed();
        let found = schema.violations(&value(&document), &[]);
        let took = start.elapsed();
        println!("{name}: read in {read:?}, refused in {took:?}");
        assert_eq!(found, Err(expected), "{name}");
        assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 }), "{name} took {took:?}");
    }
    let pattern = schema(r#"{"pattern": "^(a+)+$"}"#);
    let start = clock::now();
    assert_eq!(told(&pattern, &format!("\"{}b\"", "a".repeat(100_000))).len(), 1);
    assert!(start.elapsed() < Duration::from_secs(5), "patterns are linear");
    assert!(!refused(r#"{"pattern": "((a{1,100}){1,100}){1,100}"}"#).is_empty(), "patterns are bounded");
}

/// On a stack of two megabytes, as a task has it.
#[test]
fn the_longest_chain_of_references_is_read() {
    let length = SCHEMA_BYTES_MAX / 45;
    let properties = |reference: &str| format!(r#"{{"properties":{{"a":{reference}}}}}"#);
    for text in [chained(length, 1, str::to_owned), chained(length * 2 / 3, 1, properties)] {
        assert!(text.len() > SCHEMA_BYTES_MAX * 9 / 10 && text.len() <= SCHEMA_BYTES_MAX, "{}", text.len());
        let chain = schema(&text);
        assert_eq!(chain.violations(&value("[]"), &[]).is_ok(), text.contains("properties"));
    }
}

#[test]
fn the_deepest_recursion_is_held_against_the_deepest_document() {
    let tree = schema(
        r##"{"$ref":"#/$defs/t","$defs":{"t":{"anyOf":[{"type":"object","additionalProperties":{"$ref":"#/$defs/t"}},{"type":"integer"}]}}}"##,
    );
    let deep = |leaf: &str| format!("{}{leaf}{}", "{\"a\":".repeat(64), "}".repeat(64));
    assert_eq!(told(&tree, &deep("1")), [""; 0]);
    assert_eq!(told(&tree, &deep("\"x\"")).len(), 1);
}

#[test]
fn a_violation_in_each_of_very_many_items_is_bounded() {
    let items = schema(r#"{"items": {"type": "string"}}"#);
    assert_eq!(told(&items, &format!("[{}0]", "0,".repeat(200_000))).len(), VIOLATIONS_FOUND_MAX);
}

#[test]
fn an_attached_schema_says_for_which_paths() {
    let read = |json: &str| Attached::read(&value(json)).map_err(|error| chain(&error));
    let attached = read(r#"{"paths": ["push/*.toml", "a"], "schema": {"type": "object"}}"#).expect("it is one");
    assert!(attached.is_for("push/room.toml") && attached.is_for("a") && !attached.is_for("push/room.yaml"));
    assert_eq!(told(attached.schema(), "1").len(), 1);
    let wrong = [
        ("[]", "an attached schema has the fields `paths` and `schema`; this has none"),
        (
            r#"{"path": [], "schema": {}}"#,
            "an attached schema has the fields `paths` and `schema`; this has `path`, `schema`",
        ),
        (r#"{"paths": [], "schema": {}}"#, "`paths` is a list of 1 to 64 patterns of paths"),
        (r#"{"paths": [1], "schema": {}}"#, "`paths` is a list of 1 to 64 patterns of paths"),
        (
            r#"{"paths": ["/a"], "schema": {}}"#,
            "`paths` has an element that is no pattern: `/a` matches no path: a pattern is parts of [A-Za-z0-9._-] and \
             `*` behind slashes, or `**` as a whole part",
        ),
        (
            r#"{"paths": ["a"], "schema": {"$ref": "b"}}"#,
            "`schema` cannot be used: `$ref` is \"b\"; a schema is self-contained: a reference is `#` or begins with `#/`",
        ),
    ];
    for (json, expected) in wrong {
        assert_eq!(read(json).err().as_deref(), Some(expected), "{json}");
    }
}

#[test]
fn a_schema_is_read_once() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let compiled = Compiled::default();
    is_shared(&compiled);
    let text = Bytes::from_static(br#"{"type": "object"}"#);
    let (first, second) = (compiled.announced(&text), compiled.announced(&text));
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    assert!(compiled.announced(&Bytes::from_static(b"{")).is_err());
    assert!(compiled.attached(&text).is_err(), "the same text attached is no attached schema");
}

#[test]
fn strings_of_ini_are_what_the_schema_asks_for() {
    let room = schema(
        r##"{"allOf":[{"$ref":"#/$defs/Room"}],"additionalProperties":{"type":"boolean"},"$defs":{"Room":{"properties":{
            "name":{"type":"string"},"any":{},"ratio":{"type":"number"},"push":{"anyOf":[{"type":"object","properties":{
            "max":{"type":["integer","null"]},"spare":{"type":["integer","null"]},"port":{"type":["integer","string"]}}},
            {"type":"null"}]}}}}}"##,
    );
    let text =
        "name = 1\nany = 1\nratio = 2.50\non = true\noff = no\n[push]\nmax = 18446744073709551615\nspare =\nport = 1\n";
    let read = format::parse(Format::Ini, text).expect("it is INI");
    let fields = ["name", "any", "ratio", "on", "off", "push.max", "push.spare", "push.port"];
    let fields = fields.map(|field| Field::parse(field).expect("it is a field"));
    assert_eq!(
        format::canonical(&room.typed(&read, &fields)),
        r#"{"any":"1","name":"1","off":"no","on":true,"push":{"max":18446744073709551615,"port":"1","spare":null},"ratio":2.5}"#
    );
    assert_eq!(room.typed(&read, &[]), read);
}
