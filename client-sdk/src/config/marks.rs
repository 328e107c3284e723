//! Marks that a schema puts on fields.
//!
//! A place in a value may lie below several schemas at once: alternatives, references, parts that all hold. A mark in
//! any of them counts: which alternative a value meant is not found out here. Patterns of property names are not run
//! either, each may be meant.

use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::config::diff::field;

/// Schemas at one place. More than enough for anything written by hand; what references could multiply ends here.
const PARTS_MAX: usize = 256;

/// The fields below a mark that differ between two values.
pub(super) fn changed(root: &Value, mark: &str, old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(&Place::outermost(root), mark, String::new(), [Some(old), Some(new)], &mut found);
    found
}

/// Whether a place in a value, or one around it, is marked.
pub(super) fn is_marked(root: &Value, mark: &str, path: &Path) -> bool {
    let mut place = Place::outermost(root);
    for segment in path.iter() {
        if place.has(mark) {
            return true;
        }
        place = match segment {
            Segment::Seq { index } => place.element(*index),
            Segment::Map { key } => place.property(key),
            Segment::Enum { variant } => place.property(variant),
            Segment::Unknown => return false,
        };
    }
    place.has(mark)
}

fn compare(place: &Place<'_>, mark: &str, path: String, values: [Option<&Value>; 2], found: &mut Vec<String>) {
    let [old, new] = values;
    if old == new || place.parts.is_empty() {
        return;
    }
    if place.has(mark) {
        return found.push(path);
    }
    let mut names: Vec<&String> =
        values.iter().flatten().filter_map(|it| it.as_object()).flat_map(|it| it.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let within = values.map(|value| value.and_then(|it| it.get(name)));
        compare(&place.property(name), mark, field(&path, name), within, found);
    }
    let length = values.iter().flatten().filter_map(|it| it.as_array()).map(Vec::len).max().unwrap_or(0);
    for index in 0..length {
        let within = values.map(|value| value.and_then(|it| it.get(index)));
        compare(&place.element(index), mark, format!("{path}[{index}]"), within, found);
    }
}

/// Every schema that may hold at one place of a value.
struct Place<'a> {
    root: &'a Value,
    parts: Vec<&'a Value>,
}

impl<'a> Place<'a> {
    fn outermost(root: &'a Value) -> Self {
        Self::of(root, [root])
    }

    fn of(root: &'a Value, schemas: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut place = Self { root, parts: Vec::new() };
        let mut open: Vec<&Value> = schemas.into_iter().collect();
        while let Some(schema) = open.pop() {
            let is_known = place.parts.iter().any(|part| std::ptr::eq(*part, schema));
            if is_known || place.parts.len() >= PARTS_MAX {
                continue;
            }
            place.parts.push(schema);
            open.extend(schema.get("$ref").and_then(Value::as_str).and_then(|it| root.pointer(it.strip_prefix('#')?)));
            for keyword in ["allOf", "anyOf", "oneOf"] {
                open.extend(schema.get(keyword).and_then(Value::as_array).into_iter().flatten());
            }
        }
        place
    }

    fn has(&self, mark: &str) -> bool {
        self.parts.iter().any(|part| part.get(mark).and_then(Value::as_bool) == Some(true))
    }

    fn property(&self, name: &str) -> Self {
        Self::of(self.root, self.parts.iter().flat_map(|part| property(part, name)))
    }

    fn element(&self, index: usize) -> Self {
        let element = |part: &&'a Value| {
            let prefix = part.get("prefixItems").and_then(|items| items.get(index));
            prefix.or_else(|| part.get("items"))
        };
        Self::of(self.root, self.parts.iter().filter_map(element))
    }
}

fn property<'a>(part: &'a Value, name: &str) -> Vec<&'a Value> {
    if let Some(named) = part.get("properties").and_then(|it| it.get(name)) {
        return vec![named];
    }
    let patterns = part.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(|it| it.values());
    patterns.chain(part.get("additionalProperties")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::schema::{RESTART, SECRET};

    fn schema() -> Value {
        json!({
            "properties": {
                "port": {"type": "integer", "x-keeper-restart": true},
                "push": {"$ref": "#/$defs/Push"},
                "tls": {"$ref": "#/$defs/Push", "x-keeper-restart": true},
                "more": {"anyOf": [{"$ref": "#/$defs/Push"}, {"type": "null"}]},
                "rooms": {"items": {"$ref": "#/$defs/Push"}},
                "zones": {"additionalProperties": {"$ref": "#/$defs/Push"}},
                "tree": {"$ref": "#/$defs/Tree"},
            },
            "$defs": {
                "Push": {"properties": {
                    "inflight": {"type": "integer"},
                    "threads": {"type": "integer", "x-keeper-restart": true},
                }},
                "Tree": {"properties": {
                    "left": {"$ref": "#/$defs/Tree"},
                    "seed": {"x-keeper-restart": true},
                }, "allOf": [{"$ref": "#/$defs/Tree"}]},
            },
        })
    }

    fn restarts(old: Value, new: Value) -> Vec<String> {
        changed(&schema(), RESTART, &old, &new)
    }

    #[test]
    fn a_change_below_a_mark_is_found_wherever_the_mark_is() {
        assert_eq!(restarts(json!({"port": 1}), json!({"port": 2})), ["port"]);
        assert_eq!(restarts(json!({}), json!({"port": 2})), ["port"]);
        assert_eq!(restarts(json!({"push": {"inflight": 1}}), json!({"push": {"inflight": 2}})), [""; 0]);
        assert_eq!(restarts(json!({"push": {"inflight": 1}}), json!({"push": {"threads": 2}})), ["push.threads"]);
        assert_eq!(restarts(json!({}), json!({"push": {"threads": 2}})), ["push.threads"], "with what it lies in");
        assert_eq!(restarts(json!({"tls": {"inflight": 1}}), json!({"tls": {"inflight": 2}})), ["tls"]);
        assert_eq!(restarts(json!({"more": null}), json!({"more": {"threads": 2}})), ["more.threads"]);
        let rooms = |second: u32| json!({"rooms": [{"threads": 1}, {"threads": second}]});
        assert_eq!(restarts(rooms(1), rooms(2)), ["rooms[1].threads"]);
        assert_eq!(
            restarts(json!({"zones": {}}), json!({"zones": {"a.b": {"threads": 1}}})),
            ["zones.\"a.b\".threads"]
        );
        assert_eq!(restarts(json!({"tree": {"left": {"seed": 1}}}), json!({"tree": {}})), ["tree.left.seed"]);
        assert_eq!(restarts(json!({"unknown": 1}), json!({"unknown": 2})), [""; 0]);
    }

    #[test]
    fn a_secret_is_known_by_the_place_of_an_error() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only what does not fit counts")]
        struct Login {
            keys: Vec<u8>,
            name: String,
        }
        let schema = json!({"properties": {"keys": {"items": {"x-keeper-secret": true}}}});
        let misfit = |value: Value| {
            let error = serde_path_to_error::deserialize::<_, Login>(value).unwrap_err();
            is_marked(&schema, SECRET, error.path())
        };
        assert!(misfit(json!({"keys": [1, "hunter2"], "name": "ann"})));
        assert!(!misfit(json!({"keys": [1], "name": 7})));
    }
}
