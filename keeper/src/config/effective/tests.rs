//! The rule against the RFC's own examples, and against its own words on any values.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::config::Step;
use crate::format::{Format, canonical, limits::DEPTH_MAX, parse};

fn value(json: &str) -> Value {
    parse(Format::Json, json).expect("it is JSON")
}

fn zone(name: &str) -> Layer {
    Layer::parse(&format!("zone={name}")).expect("it is a layer")
}

fn merged(layers: &[(Layer, Value)]) -> Effective {
    effective(layers.iter().map(|(layer, value)| (layer, value))).expect("there are layers")
}

#[test]
fn the_examples_of_rfc_7396() {
    let examples = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];
    for (original, patch, result) in examples {
        let found = merged(&[(Layer::Base, value(original)), (zone("z"), value(patch))]);
        assert_eq!(canonical(&found.value), result, "{original} and {patch}");
    }
}

#[test]
fn each_field_knows_its_layer() {
    let layers = [
        (Layer::Base, value(r#"{"push":{"max":1,"tags":["a"],"gone":{"x":1}},"name":"r","none":null}"#)),
        (zone("eu"), value(r#"{"push":{"max":2,"gone":{"x":null}},"new":{"a":{},"b":null}}"#)),
        (Layer::parse("service=room").expect("it is a layer"), value(r#"{"push":{"tags":["b","c"]},"name":null}"#)),
    ];
    let found = merged(&layers);
    assert_eq!(canonical(&found.value), r#"{"new":{"a":{}},"none":null,"push":{"gone":{},"max":2,"tags":["b","c"]}}"#);
    let told: Vec<_> = found.provenance.iter().map(|(field, layer)| format!("{field} {layer}")).collect();
    assert_eq!(told, ["new.a zone=eu", "none ", "push.gone ", "push.max zone=eu", "push.tags service=room"]);
    let inside = Field::default().name("push").name("tags").place(1);
    assert_eq!(found.provenance.of(&inside), Layer::parse("service=room").as_ref().ok());
    assert_eq!(found.provenance.of(&Field::default().name("push")), None, "an object has many");
}

#[test]
fn without_layers_there_is_nothing_and_without_a_base_nulls_remove_nothing() {
    assert_eq!(effective([]), None);
    assert_eq!(canonical(&merged(&[(zone("a"), value(r#"{"a":null,"b":{"c":null}}"#))]).value), r#"{"b":{}}"#);
}

#[test]
fn the_deepest_documents_merge() {
    let deep = |leaf: &str| value(&format!("{}{leaf}{}", "{\"a\":".repeat(DEPTH_MAX), "}".repeat(DEPTH_MAX)));
    let found = merged(&[(Layer::Base, deep("1")), (zone("a"), deep("2")), (zone("b"), deep("null"))]);
    let expected = "{\"a\":".repeat(DEPTH_MAX - 1) + "{}" + &"}".repeat(DEPTH_MAX - 1);
    assert_eq!(canonical(&found.value), expected);
}

/// The RFC's pseudo-code, word for word.
fn model(target: Json, patch: &Json) -> Json {
    let Json::Object(patch) = patch else { return patch.clone() };
    let mut target = if let Json::Object(target) = target { target } else { serde_json::Map::new() };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            let former = target.get(name).cloned().unwrap_or(Json::Null);
            target.insert(name.clone(), model(former, value));
        }
    }
    Json::Object(target)
}

/// Few names, so that layers meet.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        3 => (0..9_i128).prop_map(Value::Integer),
        1 => "[a-c.]{0,2}".prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            4 => prop::collection::btree_map("[a-c.]{1,2}", inner, 0..4).prop_map(Value::Object),
        ]
    })
}

fn leaves(value: &Value, field: &Field, found: &mut Vec<Field>) {
    if let Value::Object(entries) = value
        && !entries.is_empty()
    {
        entries.iter().for_each(|(name, value)| leaves(value, &field.name(name), found));
    } else {
        found.push(field.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_the_rfc(base in prop::option::of(values()), patches in prop::collection::vec(values(), 0..5)) {
        let zones = patches.into_iter().enumerate().map(|(at, value)| (zone(&format!("z{at}")), value));
        let layers: Vec<_> = base.into_iter().map(|value| (Layer::Base, value)).chain(zones).collect();
        prop_assume!(!layers.is_empty());
        let json = |value: &Value| serde_json::to_value(value).expect("a value is JSON");
        let expected = layers.iter().fold(Json::Null, |below, (layer, value)| match layer {
            Layer::Base => json(value),
            Layer::Zone(_) | Layer::Service(_) | Layer::Labels(_) => model(below, &json(value)),
        });
        let found = merged(&layers);
        prop_assert_eq!(json(&found.value), expected);

        let mut fields = Vec::new();
        leaves(&found.value, &Field::default(), &mut fields);
        fields.sort();
        prop_assert!(found.provenance.iter().map(|(field, _)| field).eq(&fields), "{:?}", found);
        for (field, layer) in found.provenance.iter() {
            let (_, given) = layers.iter().find(|(known, _)| known == layer).expect("a layer that was given");
            let (given, present) = (field.of(given), field.of(&found.value));
            let is_object = matches!(present, Some(Value::Object(_)));
            prop_assert!(given == present || is_object, "{} is not of {}", field, layer);
            prop_assert!(field.steps().iter().all(|step| matches!(step, Step::Name(_))));
        }
    }
}
