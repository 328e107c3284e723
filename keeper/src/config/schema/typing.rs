//! INI has no types: what its strings are is for the reader's schema to say.
//!
//! A string becomes what the schema asks for at its place, if it asks for something else than a string and the text is
//! one: `true`, `8080`, `0.5`, or nothing at all for null. Otherwise it stays a string, and the schema will say what is
//! wrong with it. Where several schemas apply, each may allow a type. Lists are not made out of strings.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value as Json};

use super::walk::{address, applied_in_place};
use crate::config::limits::SCHEMA_STEPS_MAX;
use crate::config::{Field, Step};
use crate::format::Value;

/// What a schema says of places, whatever stands there.
pub(super) struct Typing<'a> {
    root: &'a Json,
    /// The schemas of objects and arrays that were asked about.
    outer: BTreeMap<Field, Vec<&'a Json>>,
    steps: u64,
}

impl<'a> Typing<'a> {
    pub(super) fn by(root: &'a Json) -> Self {
        Self { root, outer: BTreeMap::new(), steps: 0 }
    }

    /// What a text at a place is; none: it stays what it is.
    pub(super) fn typed(&mut self, field: &Field, text: &str) -> Option<Value> {
        let schemas = self.schemas(field);
        let types = schemas.iter().filter_map(|schema| schema.get("type"));
        let names: HashSet<_> = types
            .flat_map(|it| it.as_array().map_or_else(|| std::slice::from_ref(it), Vec::as_slice))
            .filter_map(Json::as_str)
            .collect();
        if names.contains("string") {
            return None;
        }
        let integer = || {
            let integer =
                text.parse::<i128>().ok().filter(|_| names.contains("integer") || names.contains("number"))?;
            (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer).then_some(Value::Integer(integer))
        };
        let float = || {
            let float = text.parse::<f64>().ok().filter(|float| float.is_finite() && names.contains("number"))?;
            Some(Value::Float(float))
        };
        let boolean = || text.parse().ok().filter(|_| names.contains("boolean")).map(Value::Bool);
        let null = || (text.is_empty() && names.contains("null")).then_some(Value::Null);
        integer().or_else(float).or_else(boolean).or_else(null)
    }

    fn schemas(&mut self, field: &Field) -> Vec<&'a Json> {
        let Some((outer, step)) = field.split_last() else { return self.closed(vec![self.root]) };
        if !self.outer.contains_key(&outer) {
            let schemas = self.schemas(&outer);
            self.outer.insert(outer.clone(), schemas);
        }
        let outer = self.outer.get(&outer).map_or(&[][..], Vec::as_slice);
        let inner = outer.iter().filter_map(|schema| schema.as_object()).flat_map(|keywords| inside(keywords, &step));
        self.closed(inner.collect())
    }

    /// With all that apply where these do.
    fn closed(&mut self, mut open: Vec<&'a Json>) -> Vec<&'a Json> {
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        while let Some(schema) = open.pop() {
            self.steps += 1;
            if self.steps > SCHEMA_STEPS_MAX.into() {
                return Vec::new();
            }
            if seen.insert(address(schema)) {
                found.push(schema);
                open.extend(schema.as_object().into_iter().flat_map(|keywords| applied_in_place(self.root, keywords)));
            }
        }
        found
    }
}

/// What a schema says of what lies in the value, one step on.
fn inside<'a>(keywords: &'a Map<String, Json>, step: &Step) -> Vec<&'a Json> {
    let object = |keyword: &str| keywords.get(keyword).and_then(Json::as_object);
    match step {
        Step::Name(name) => match object("properties").and_then(|known| known.get(name)) {
            Some(schema) => vec![schema],
            None => {
                let patterns = object("patternProperties").into_iter().flat_map(Map::values);
                patterns.chain(keywords.get("additionalProperties")).collect()
            }
        },
        Step::Place(_) => keywords.get("items").into_iter().collect(),
    }
}
