//! What is written says the same, and what cannot be said is named.

use proptest::prelude::*;

use super::*;
use crate::format::{canonical, parse};

fn value(json: &str) -> Value {
    parse(Format::Json, json).expect("it is JSON")
}

#[test]
fn one_value_in_every_format() {
    let value = value(r#"{"name":"r","push":{"max":1,"on":true,"rate":1.0}}"#);
    let written = |format| convert(&value, format).expect("it can be said");
    assert_eq!(written(Format::Toml), "name = \"r\"\n\n[push]\nmax = 1\non = true\nrate = 1.0\n");
    assert_eq!(written(Format::Yaml), "name: r\npush:\n  max: 1\n  \"on\": true\n  rate: 1.0\n");
    assert_eq!(
        written(Format::Json),
        "{\n  \"name\": \"r\",\n  \"push\": {\n    \"max\": 1,\n    \"on\": true,\n    \"rate\": 1.0\n  }\n}\n"
    );
    assert_eq!(written(Format::Ini), "name = r\n\n[push]\nmax = 1\non = true\nrate = 1.0\n");
}

#[test]
fn what_cannot_be_said_is_told_by_field() {
    let cases = [
        (
            Format::Toml,
            r#"{"a":null,"b":[1,{"c":null}],"d":18446744073709551615}"#,
            "TOML cannot say this: a is null; b[1].c is null; d is an integer above 63 bits",
        ),
        (Format::Toml, "[1]", "TOML cannot say this: the document is no table"),
        (
            Format::Ini,
            r#"{"a":[1],"b":{"c":{"d":1},"e":null},"f":"x\ny","[g":"1","h]":{},"":"1"}"#,
            "INI cannot say this: \"\" has characters that cannot stand there; \"[g\" has characters that cannot stand \
             there; a is a list; b.c is nested too deep; b.e is null; f has characters that cannot stand there; \"h]\" is \
             no name of a section",
        ),
        (Format::Ini, "1", "INI cannot say this: the document is no set of sections"),
    ];
    for (format, json, expected) in cases {
        let refused = convert(&value(json), format).expect_err("it cannot be said");
        assert_eq!(refused.to_string(), expected);
    }
    let many = format!("[{}null]", "null,".repeat(99));
    let refused = convert(&value(&format!("{{\"a\":{many}}}")), Format::Toml).expect_err("it cannot be said");
    assert_eq!((refused.fields.len(), refused.more), (32, 68));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        2 => any::<bool>().prop_map(Value::Bool),
        2 => any::<i64>().prop_map(|integer| Value::Integer(integer.into())),
        1 => any::<u64>().prop_map(|integer| Value::Integer(integer.into())),
        2 => any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::Float),
        2 => ".{0,12}".prop_map(Value::String),
        3 => "[a-z0-9 :#\\[\\]{}&*!|>'\"%@`,?~\\\\=;\n\t-]{0,8}".prop_map(Value::String),
    ];
    let nested = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            2 => prop::collection::btree_map("[a-z0-9:#\\[\\]'\"=;. -]{0,4}", inner, 0..4).prop_map(Value::Object),
        ]
    });
    prop::collection::btree_map("[a-z0-9:#\\[\\]'\"=;. -]{0,4}", nested, 0..4).prop_map(Value::Object)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_says_the_same(value in values()) {
        for format in [Format::Toml, Format::Yaml, Format::Json, Format::Ini] {
            match convert(&value, format) {
                Ok(text) => {
                    let read = parse(format, &text).map(|read| canonical(&read));
                    let expected = if format == Format::Ini { in_strings(&value) } else { value.clone() };
                    prop_assert_eq!(read, Ok(canonical(&expected)), "{}", text);
                }
                Err(refused) => {
                    let says_less = matches!(format, Format::Toml | Format::Ini);
                    prop_assert!(says_less, "{:?} says everything: {}", format, refused);
                    for (field, why) in &refused.fields {
                        prop_assert!(field.of(&value).is_some(), "{}", field);
                        prop_assert_ne!(*why, "is not the same when it is read again");
                    }
                }
            }
        }
    }
}
