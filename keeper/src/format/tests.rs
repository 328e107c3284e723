//! The rules, format by format, and what must hold for any text.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::limits::{DEPTH_MAX, TEXT_BYTES_MAX};
use super::{Format, SyntaxError, Value, canonical, format_of_path, parse};
use crate::clock;

const FORMATS: [Format; 4] = [Format::Toml, Format::Yaml, Format::Json, Format::Ini];

fn read(format: Format, text: &str) -> String {
    match parse(format, text) {
        Ok(value) => String::from_utf8_lossy(&canonical(&value)).into_owned(),
        Err(error) => error.to_string(),
    }
}

fn error(format: Format, text: &str) -> SyntaxError {
    match parse(format, text) {
        Ok(value) => panic!("{format:?} accepted {:?} as {value:?}", &text[..text.len().min(200)]),
        Err(error) => error,
    }
}

#[test]
fn each_format_says_the_same() {
    let same = r#"{"big":18446744073709551615,"limits":{"burst":1.0,"rate":-0.25},"names":["a","ü"],"on":true}"#;
    let toml = "big = 18_446_744_073_709_551_615\non = true # yes\nnames = ['a', \"ü\"]\n[limits]\nrate = -0.25\nburst = 1.0\n";
    let yaml = "# yes\non: true\nnames: [a, ü]\nlimits:\n  rate: -0.25\n  burst: 1.0\nbig: 18446744073709551615\n";
    let json = "\u{feff}{\"on\": true, \"names\": [\"a\", \"\\u00fc\"], \"limits\": {\"rate\": -0.25, \"burst\": 1.0},\r\n \"big\": 18446744073709551615}";
    assert_eq!(read(Format::Toml, toml), same);
    assert_eq!(read(Format::Yaml, yaml), same);
    assert_eq!(read(Format::Json, json), same);
}

#[test]
fn ini_values_are_strings() {
    let text = "\u{feff}top = 1\n  ; a comment\n[ room ]\r\n\tport: 8080\nname=\"  quoted ; text \"\n# another\npath = C:\\new\nempty =\nu = a=b:c # kept\n[none]\n";
    let expected = r#"{"none":{},"room":{"empty":"","name":"  quoted ; text ","path":"C:\\new","port":"8080","u":"a=b:c # kept"},"top":"1"}"#;
    assert_eq!(read(Format::Ini, text), expected);
}

#[test]
fn what_is_particular_to_toml_and_yaml() {
    assert_eq!(
        read(Format::Toml, "at = 1979-05-27T07:32:00Z\nhex = 0xff\n"),
        r#"{"at":"1979-05-27T07:32:00Z","hex":255}"#
    );
    assert_eq!(
        read(Format::Yaml, "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\nc: *x\n"),
        r#"{"a":{"k":1,"l":2},"b":{"k":1,"l":3},"c":{"k":1,"l":2}}"#
    );
    assert_eq!(
        read(Format::Yaml, "no: no\nmode: 0755\nhex: 0xff\nnull: ~\n".replace("null:", "nil:").as_str()),
        r#"{"hex":255,"mode":"0755","nil":null,"no":"no"}"#
    );
    assert_eq!(
        read(Format::Yaml, "a: 100000000000000000000.0\nb: '100000000000000000000'\n"),
        r#"{"a":1e+20,"b":"100000000000000000000"}"#
    );
    assert_eq!(read(Format::Json, r#"["100000000000000000000",1e20]"#), r#"["100000000000000000000",1e+20]"#);
}

#[test]
fn the_ending_of_a_path_names_the_format() {
    let of = format_of_path;
    assert_eq!(
        [of("a/b.toml"), of("b.yaml"), of("b.yml")],
        [Some(Format::Toml), Some(Format::Yaml), Some(Format::Yaml)]
    );
    assert_eq!(
        [of("x.y/b.json"), of("b.ini"), of("x.toml/b"), of("toml")],
        [Some(Format::Json), Some(Format::Ini), None, None]
    );
    // A layer has no format of its own, whatever it ends in.
    assert_eq!([of("a/b.toml@zone=eu-1"), of("a/b@zone=x.json")], [Some(Format::Toml), None]);
}

/// Every refusal with its exact place and words, as a table that is read and compared as one text.
#[test]
fn refusals_name_place_and_reason() {
    let cases = [
        (Format::Json, "{\"a\": 1,\n \"a\": 2}"),
        (Format::Json, "{\"a\": 1,\n \"ü\": 100000000000000000000}"),
        (Format::Json, "[1,\n 2"),
        (Format::Json, "{\"a\" 1}"),
        (Format::Json, "[1] 2"),
        (Format::Json, "[1e999]"),
        (Format::Json, "{1: 2}"),
        (Format::Json, "{a: 2}"),
        (Format::Json, ""),
        (Format::Toml, "a = 1\na = 2\n"),
        (Format::Toml, "[a]\n[b]\n[a]\n"),
        (Format::Toml, "a = 1\nb = 99999999999999999999\n"),
        (Format::Toml, "x = nan\n"),
        (Format::Toml, "x = [1, inf]\n"),
        (Format::Toml, "x = 1e999\n"),
        (Format::Toml, "name = \"abc\nnext = 1\n"),
        (Format::Toml, "just words\n"),
        (Format::Toml, "a = {b = 1, b = 2}\n"),
        (Format::Yaml, "a: 1\na: 2\n"),
        (Format::Yaml, "a: 1\n1: 2\n"),
        (Format::Yaml, "true: 2\n"),
        (Format::Yaml, "~: 2\n"),
        (Format::Yaml, "1.5: 2\n"),
        (Format::Yaml, "? [a]\n: 2\n"),
        (Format::Yaml, "x: .nan\n"),
        (Format::Yaml, "x: 1e999\n"),
        (Format::Yaml, "ü: [1e20, 100000000000000000000]\n"),
        (Format::Yaml, "x: -100000000000000000000\n"),
        (Format::Yaml, "a: 1\n---\nb: 2\n"),
        (Format::Yaml, "a: [1, 2\nb: 3\n"),
        (Format::Yaml, "a:\n\t- b\n"),
        (Format::Yaml, "a: *b\n"),
        (Format::Yaml, "a: &a [*a]\n"),
        (Format::Yaml, "a: !secret b\n"),
        (Format::Yaml, "a: !!int b\n"),
        (Format::Ini, "[a]\nx = 1\ny = 2\n x = 3\n"),
        (Format::Ini, "[a]\n[b]\n[a]\n"),
        (Format::Ini, "a = 1\n[a]\n"),
        (Format::Ini, "[a]\nwords\nx = 1\n"),
        (Format::Ini, "[a\n"),
        (Format::Ini, "[]\n"),
        (Format::Ini, " = 1\n"),
        (Format::Ini, "x = \"open\ny = 1\"\n"),
        (Format::Ini, "dir = C:\\data\\\ny = 1\n"),
        (Format::Ini, "a\rb = 1\n"),
    ];
    let told: String =
        cases.iter().map(|(format, text)| format!("{format:?} {text:?}\n    {}\n", error(*format, text))).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/format/refusals.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, &told).expect("refusals.txt is writable");
    }
    let kept = std::fs::read_to_string(file).expect("refusals.txt is there");
    assert!(kept == told, "refusals changed; UPDATE=1 rewrites {file}\n{told}");
}

/// Texts that would cost far more than their size. Each must be refused, and soon.
#[test]
fn a_place_in_json_is_counted_in_characters() {
    let refused = error(Format::Json, "{\n\"ключ\": \"ж\" 7}");
    assert_eq!((refused.line, refused.column), (2, 13));
}

#[test]
fn bombs_are_refused_fast() {
    let deep = TEXT_BYTES_MAX / 2;
    let laughs: String =
        (1..9).map(|i| format!("l{i}: &l{i} [{}]\n", vec![format!("*l{}", i - 1); 10].join(","))).collect();
    let long = "x".repeat(100_000);
    let merges: String = (1..40).map(|i| format!("m{i}: &m{i} {{<<: [*m{0}, *m{0}], k{i}: 1}}\n", i - 1)).collect();
    let bombs = [
        ("json arrays", Format::Json, "[".repeat(deep)),
        ("json closed arrays", Format::Json, format!("{}{}", "[".repeat(deep), "]".repeat(deep))),
        ("json objects", Format::Json, "{\"a\":".repeat(TEXT_BYTES_MAX / 5)),
        ("json fields", Format::Json, format!("[{}0]", "0,".repeat(deep - 2))),
        ("toml arrays", Format::Toml, format!("a = {}", "[".repeat(deep))),
        ("toml tables", Format::Toml, format!("a = {}", "{a=".repeat(TEXT_BYTES_MAX / 4))),
        ("toml dots", Format::Toml, format!("{}a = 1", "a.".repeat(deep - 8))),
        ("toml header", Format::Toml, format!("[{}a]", "a.".repeat(deep - 8))),
        ("toml fields", Format::Toml, format!("a = [{}0]", "0,".repeat(deep - 8))),
        (
            "toml headers",
            Format::Toml,
            (0..15_000).map(|i| format!("[{}t{i}]\n", "a.".repeat(30))).collect::<String>() + "[",
        ),
        ("yaml arrays", Format::Yaml, "[".repeat(deep)),
        ("yaml dashes", Format::Yaml, "- ".repeat(deep)),
        ("yaml maps", Format::Yaml, "{a: ".repeat(TEXT_BYTES_MAX / 5)),
        ("yaml fields", Format::Yaml, format!("[{}0]", "0,".repeat(deep - 2))),
        ("yaml laughs", Format::Yaml, format!("l0: &l0 [a,a,a,a,a,a,a,a,a,a]\n{laughs}")),
        ("yaml long laughs", Format::Yaml, format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 9_000].join(","))),
        ("yaml merges", Format::Yaml, format!("m0: &m0 {{a: 1}}\n{merges}")),
        (
            "yaml wide merges",
            Format::Yaml,
            format!(
                "a: &a {{{}}}\nb: [{}]\n",
                (0..5_000).map(|i| format!("k{i}: 1,")).collect::<String>(),
                "{<<: *a},".repeat(9_000)
            ),
        ),
        ("yaml anchors", Format::Yaml, (0..60_000).map(|i| format!("- &a{i} 1\n")).collect()),
        ("yaml documents", Format::Yaml, "---\n".repeat(TEXT_BYTES_MAX / 4)),
        ("ini fields", Format::Ini, (0..150_000).map(|i| format!("{i:x}=\n")).collect::<String>() + "0=\n"),
        ("too long", Format::Ini, ";".repeat(TEXT_BYTES_MAX + 1)),
    ];
    for (name, format, text) in bombs {
        assert!(name == "too long" || text.len() <= TEXT_BYTES_MAX, "{name} does not test what it should");
        let start = clock::now();
        let refusal = error(format, &text);
        let took = start.elapsed();
        assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 }), "{name} took {took:?}");
        assert!(refusal.message.len() < 200, "{name}: {refusal}");
        println!("{name}: {took:?}: {refusal}");
    }
}

#[test]
fn the_depth_limit_is_the_same_everywhere() {
    for (depth, sound) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false)] {
        let array = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(parse(Format::Json, &array).is_ok(), sound, "json {depth}");
        assert_eq!(parse(Format::Yaml, &array).is_ok(), sound, "yaml {depth}");
        let inner = &array[1..array.len() - 1];
        assert_eq!(parse(Format::Toml, &format!("a = {inner}")).is_ok(), sound, "toml {depth}");
    }
}

/// Values that every typed format can write.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|i| Value::Integer(i.into())),
        any::<u64>().prop_map(|i| Value::Integer(i.into())),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::Float),
        ".{0,12}".prop_map(Value::String),
        "[a-z0-9 :#\\[\\]{}&*!|>'\"%@`,?~-]{0,12}".prop_map(Value::String),
        Just(Value::String("0755".into())),
        Just(Value::String("yes".into())),
    ];
    let nested = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(".{0,6}", inner, 0..6).prop_map(Value::Object),
        ]
    });
    prop::collection::btree_map("[a-zA-Z0-9_. -]{0,8}", nested, 0..8).prop_map(Value::Object)
}

fn as_toml(value: &Value) -> String {
    match value {
        Value::Null => unreachable!("TOML has no null"),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::String(value) => toml::Value::String(value.clone()).to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(as_toml).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => format!("{{{}}}", as_toml_entries(entries).join(", ")),
    }
}

fn as_toml_entries(entries: &BTreeMap<String, Value>) -> Vec<String> {
    let quoted = |key: &String| serde_json::to_string(key).expect("a string").replace('\u{7f}', "\\u007f");
    entries.iter().map(|(key, value)| format!("{} = {}", quoted(key), as_toml(value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_toml_and_yaml_agree(value in values()) {
        let Value::Object(entries) = &value else { unreachable!() };
        let json = canonical(&value);
        let text = std::str::from_utf8(&json).expect("JSON is UTF-8");
        prop_assert_eq!(parse(Format::Json, text).map(|v| canonical(&v)), Ok(json.clone()));
        let toml = as_toml_entries(entries).join("\n");
        prop_assert_eq!(parse(Format::Toml, &toml).map(|v| canonical(&v)), Ok(json.clone()), "{}", toml);
        let yaml = serde_saphyr::to_string(&value).expect("YAML can write it");
        prop_assert_eq!(parse(Format::Yaml, &yaml).map(|v| canonical(&v)), Ok(json), "{}", yaml);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        for format in FORMATS {
            let _ = parse(format, &text);
        }
    }

    #[test]
    fn what_is_read_is_stable(text in "([a-c\"'=:\\[\\]{}&*!<>|~\\\\ \t\n\r,.0-9#;-]|\n- |\n  |\\[a\\]\n|: ){0,60}") {
        for format in FORMATS {
            if let Ok(value) = parse(format, &text) {
                let json = canonical(&value);
                let again = parse(Format::Json, std::str::from_utf8(&json).expect("JSON is UTF-8"));
                prop_assert_eq!(again.map(|v| canonical(&v)), Ok(json));
            }
        }
    }
}
