use proptest::prelude::*;
use serde_json::json;

use super::*;

fn paths(old: &Value, new: &Value) -> Vec<String> {
    diff(old, new).into_iter().map(|it| it.path).collect()
}

#[test]
fn names_the_fields_that_differ() {
    let old = json!({"push": {"max_inflight": 8, "zone": "a"}, "rooms": [1, 2], "gone": true});
    let new = json!({"push": {"max_inflight": 9, "zone": "a"}, "rooms": [1, 3, 4], "a.b": null});
    assert_eq!(paths(&old, &new), ["gone", "push.max_inflight", "rooms[1]", "rooms[2]", "\"a.b\""]);
}

#[test]
fn says_old_and_new() {
    let changes = diff(&json!({"a": 1, "b": 2}), &json!({"a": "1", "c": 3}));
    let expected = [("a", Some(json!(1)), Some(json!("1"))), ("b", Some(json!(2)), None), ("c", None, Some(json!(3)))];
    let told: Vec<_> = changes.iter().map(|it| (it.path.as_str(), it.old.clone(), it.new.clone())).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_value_of_another_kind_is_one_change() {
    assert_eq!(paths(&json!({"a": {"b": 1}}), &json!({"a": [1]})), ["a"]);
    assert_eq!(paths(&json!([1]), &json!({})), [""]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..4_i64).prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab.]{0,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The steps a path is made of.
fn steps(mut path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('[') {
            let (index, rest) = rest.split_once(']').expect("a closed index");
            steps.push(Step::Index(index.parse().expect("a number")));
            path = rest;
            continue;
        }
        path = path.strip_prefix('.').unwrap_or(path);
        let length = match path.strip_prefix('"') {
            Some(quoted) => quoted.find('"').expect("a closed key") + 2,
            None => path.find(['.', '[']).unwrap_or(path.len()),
        };
        let (key, rest) = path.split_at(length);
        steps.push(Step::Key(key.trim_matches('"').to_owned()));
        path = rest;
    }
    steps
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// Does to `value` what `change` says, after checking that it says the truth about what was there.
fn patch(value: &mut Value, change: &FieldChange) {
    let steps = steps(&change.path);
    let Some((last, parents)) = steps.split_last() else {
        assert_eq!(Some(&*value), change.old.as_ref());
        *value = change.new.clone().expect("the whole value is always there");
        return;
    };
    let parent = parents.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    });
    let old = match (last, parent) {
        (Step::Key(key), Value::Object(map)) => match &change.new {
            Some(new) => map.insert(key.clone(), new.clone()),
            None => map.remove(key),
        },
        (Step::Index(index), Value::Array(array)) => match &change.new {
            Some(new) if *index == array.len() => {
                array.push(new.clone());
                None
            }
            Some(new) => Some(std::mem::replace(&mut array[*index], new.clone())),
            // Elements go from the end, so the first one to go takes those behind it along.
            None => array.get(*index).cloned().inspect(|_| array.truncate(*index)).or_else(|| change.old.clone()),
        },
        (step, parent) => panic!("{step:?} into {parent}"),
    };
    assert_eq!(old, change.old);
}

proptest! {
    #[test]
    fn what_differs_makes_the_new_from_the_old(old in value(), new in value()) {
        let mut patched = old.clone();
        for change in diff(&old, &new) {
            patch(&mut patched, &change);
        }
        prop_assert_eq!(patched, new);
    }

    #[test]
    fn equal_values_do_not_differ(value in value()) {
        prop_assert!(diff(&value, &value).is_empty());
    }
}
