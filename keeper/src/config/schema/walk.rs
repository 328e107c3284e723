//! Which parts of a schema meet which parts of a value, before they do.
//!
//! Holding a value against a schema visits pairs of them, and a pair as often as references lead to it. Here every pair
//! is visited once: what it costs is the sum of what its parts cost, however often each is reached. So the steps of a
//! judgement that would take a year are counted within the time that the pairs take, and those are counted, too.
//!
//! Where a keyword applies depends on others (a pattern, an evaluated field), it is taken to apply: the count is an
//! upper bound.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use super::{Field, SECRET_KEYWORD};
use crate::config::limits::{SCHEMA_DEPTH_MAX, SCHEMA_STEPS_MAX};

/// Why a value is not held against a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// It would take too long.
    #[error("holding the document against the schema takes more than {SCHEMA_STEPS_MAX} steps")]
    Steps,
    /// It would go too deep, or round in circles.
    #[error("the schema's parts refer to each other more than {SCHEMA_DEPTH_MAX} deep for this document")]
    Depth,
}

/// Schemas that apply where the schema itself does.
const IN_PLACE_ONE: [&str; 3] = ["if", "then", "else"];
const IN_PLACE_LIST: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const IN_PLACE_BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Schemas for every item, and for every field.
const OF_ITEMS: [&str; 4] = ["items", "additionalItems", "unevaluatedItems", "contains"];
const OF_FIELDS: [&str; 2] = ["unevaluatedProperties", "propertyNames"];

/// How much of a text, or of a list of alternatives, is looked at in one step.
const TEXT_STEP_BYTES: usize = 32;
const ALTERNATIVES_STEP: usize = 8;

/// One walk.
pub(super) struct Walk<'a> {
    root: &'a Json,
    /// By the addresses of schema and value; none: it is being counted.
    costs: HashMap<(usize, usize), Option<u64>>,
    /// Where the values stand that are marked as secrets.
    pub(super) secrets: Vec<Field>,
}

/// The way to the value at hand.
#[derive(Clone, Copy)]
struct Trail<'t> {
    before: Option<&'t Self>,
    step: Step<'t>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'t> {
    Here,
    Name(&'t str),
    Place(usize),
}

impl<'t> Trail<'t> {
    const START: Self = Self { before: None, step: Step::Here, depth: 0 };

    const fn then(&'t self, step: Step<'t>) -> Self {
        Self { before: Some(self), step, depth: self.depth + 1 }
    }

    fn field(&self) -> Field {
        let before = self.before.map(Self::field).unwrap_or_default();
        match self.step {
            Step::Here => before,
            Step::Name(name) => before.name(name),
            Step::Place(place) => before.place(place),
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn over(schema: &'a Json, value: &'a Json) -> Result<Self, Excess> {
        let mut walk = Self { root: schema, costs: HashMap::new(), secrets: Vec::new() };
        walk.meet(schema, value, &Trail::START)?;
        Ok(walk)
    }

    fn meet(&mut self, schema: &'a Json, value: &'a Json, trail: &Trail<'_>) -> Result<u64, Excess> {
        let Json::Object(keywords) = schema else { return Ok(1) };
        if trail.depth > SCHEMA_DEPTH_MAX {
            return Err(Excess::Depth);
        }
        let pair = (address(schema), address(value));
        match self.costs.get(&pair) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => return Err(Excess::Depth),
            None => self.costs.insert(pair, None),
        };
        if keywords.get(SECRET_KEYWORD) == Some(&Json::Bool(true)) {
            self.secrets.push(trail.field());
        }
        let mut cost = 1 + own_cost(keywords, value);
        self.in_place(keywords, value, trail, &mut cost)?;
        match value {
            Json::Object(fields) => self.fields(keywords, fields, trail, &mut cost)?,
            Json::Array(items) => self.items(keywords, items, trail, &mut cost)?,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
        self.costs.insert(pair, Some(cost));
        Ok(cost)
    }

    fn add(&mut self, cost: &mut u64, schema: &'a Json, value: &'a Json, trail: &Trail<'_>) -> Result<(), Excess> {
        *cost = cost.saturating_add(self.meet(schema, value, trail)?);
        let is_within = *cost <= SCHEMA_STEPS_MAX && self.costs.len() as u64 <= SCHEMA_STEPS_MAX;
        if is_within { Ok(()) } else { Err(Excess::Steps) }
    }

    fn in_place(
        &mut self,
        keywords: &'a Map<String, Json>,
        value: &'a Json,
        trail: &Trail<'_>,
        cost: &mut u64,
    ) -> Result<(), Excess> {
        let here = trail.then(Step::Here);
        for schema in applied_in_place(self.root, keywords).chain(keywords.get("not")) {
            self.add(cost, schema, value, &here)?;
        }
        Ok(())
    }

    fn fields(
        &mut self,
        keywords: &'a Map<String, Json>,
        fields: &'a Map<String, Json>,
        trail: &Trail<'_>,
        cost: &mut u64,
    ) -> Result<(), Excess> {
        let known = keywords.get("properties").and_then(Json::as_object);
        let others = keywords.get("additionalProperties");
        let patterns = keywords.get("patternProperties").and_then(Json::as_object);
        for (name, value) in fields {
            let inside = trail.then(Step::Name(name));
            let by_name = known.and_then(|known| known.get(name));
            let by_pattern = patterns.into_iter().flat_map(Map::values);
            let of_all = OF_FIELDS.iter().filter_map(|keyword| keywords.get(*keyword));
            for schema in by_name.or(others).into_iter().chain(by_pattern).chain(of_all) {
                self.add(cost, schema, value, &inside)?;
            }
        }
        Ok(())
    }

    fn items(
        &mut self,
        keywords: &'a Map<String, Json>,
        items: &'a [Json],
        trail: &Trail<'_>,
        cost: &mut u64,
    ) -> Result<(), Excess> {
        let list = |keyword: &str| keywords.get(keyword).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let (prefix, positional) = (list("prefixItems"), list("items"));
        for (place, value) in items.iter().enumerate() {
            let inside = trail.then(Step::Place(place));
            let by_place = [prefix.get(place), positional.get(place)].into_iter().flatten();
            let of_all = OF_ITEMS.iter().filter_map(|keyword| keywords.get(*keyword));
            for schema in by_place.chain(of_all) {
                self.add(cost, schema, value, &inside)?;
            }
        }
        Ok(())
    }
}

/// The parts of a schema that apply where it does, but for what it forbids.
pub(super) fn applied_in_place<'a>(root: &'a Json, keywords: &'a Map<String, Json>) -> impl Iterator<Item = &'a Json> {
    let one = IN_PLACE_ONE.iter().filter_map(|keyword| keywords.get(*keyword));
    let lists = IN_PLACE_LIST.iter().filter_map(|keyword| keywords.get(*keyword)?.as_array()).flatten();
    let named = IN_PLACE_BY_NAME.iter().filter_map(|keyword| keywords.get(*keyword)?.as_object());
    let target = keywords.get("$ref").and_then(Json::as_str).and_then(|target| resolve(root, target));
    one.chain(lists).chain(named.flat_map(Map::values)).chain(target)
}

/// What a schema costs beside its parts.
fn own_cost(keywords: &Map<String, Json>, value: &Json) -> u64 {
    let alternatives = keywords.get("enum").and_then(Json::as_array).map_or(0, Vec::len) / ALTERNATIVES_STEP;
    let size = match value {
        Json::String(text) => text.len() / TEXT_STEP_BYTES,
        Json::Array(items) if keywords.contains_key("uniqueItems") => items.len(),
        Json::Object(fields) => {
            fields.len() * keywords.get("patternProperties").and_then(Json::as_object).map_or(0, Map::len)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => 0,
    };
    (alternatives + size) as u64
}

/// Where a reference within a schema leads; nowhere: the crate that reads schemas refuses it.
fn resolve<'a>(root: &'a Json, target: &str) -> Option<&'a Json> {
    let pointer = target.strip_prefix('#')?;
    let pointer: Cow<'_, str> = percent_decode_str(pointer).decode_utf8().ok()?;
    root.pointer(&pointer)
}

pub(super) fn address(value: &Json) -> usize {
    std::ptr::from_ref(value) as usize
}
