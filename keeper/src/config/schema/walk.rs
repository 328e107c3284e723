//! Which parts of a schema meet which parts of a value, before they do.
//!
//! Holding a value against a schema visits pairs of them, and a pair as often as references lead to it. Here every pair
//! is visited once: what it costs is the sum of what its parts cost, however often each is reached. So the steps of a
//! judgement that would take a year are counted within the time that the pairs take, and those are counted, too.
//!
//! Counted with it is what the errors may take that the judgement finds (`telling.rs`), and where secrets stand.
//!
//! Where a keyword applies depends on others (a pattern, an evaluated field), it is taken to apply: the count is an
//! upper bound.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use super::telling::{Sizes, Telling};
use super::{Field, SECRET_KEYWORD};
use crate::config::limits::{MARKED_BYTES_MAX, SCHEMA_DEPTH_MAX, SCHEMA_STEPS_MAX};

/// Why a value is not held against a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// It would take too long.
    #[error("holding the document against the schema takes more than {SCHEMA_STEPS_MAX} steps")]
    Steps,
    /// It would go too deep, or round in circles.
    #[error("the schema's parts refer to each other more than {SCHEMA_DEPTH_MAX} deep for this document")]
    Depth,
    /// It marks too much.
    #[error("the fields that the schema marks as secrets have names of more than {MARKED_BYTES_MAX} bytes in all")]
    Marked,
}

/// Schemas that apply where the schema itself does.
const IN_PLACE_ONE: [&str; 3] = ["if", "then", "else"];
const IN_PLACE_ALL: &str = "allOf";
const IN_PLACE_ANY: [&str; 2] = ["anyOf", "oneOf"];
const IN_PLACE_BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Schemas for every item, and for every field.
const OF_ITEMS: [&str; 4] = ["items", "additionalItems", "unevaluatedItems", "contains"];
const OF_FIELDS: [&str; 2] = ["unevaluatedProperties", "propertyNames"];
/// What names fields, each of which is looked for.
const OF_NAMES: [&str; 4] = ["properties", "required", "dependentRequired", "dependencies"];

/// How much of a text, or of a list of alternatives, is looked at in one step.
const TEXT_STEP_BYTES: usize = 32;
const ALTERNATIVES_STEP: usize = 8;

/// A place in a list, as it is written in a way.
const PLACE_BYTES: usize = 8;

/// One walk.
pub(super) struct Walk<'a> {
    root: &'a Json,
    /// By the addresses of schema and value; none: it is being counted.
    costs: HashMap<(usize, usize), Option<Cost>>,
    sizes: Sizes,
    /// What judging takes, of the whole.
    pub(super) telling: Telling,
    marked_bytes: usize,
    /// Where the values stand that are marked as secrets.
    pub(super) secrets: Vec<Field>,
}

/// What it costs that a schema meets a value.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    steps: u32,
    telling: Telling,
}

/// The way to the value at hand.
#[derive(Clone, Copy)]
struct Trail<'t> {
    before: Option<&'t Self>,
    step: Step<'t>,
    depth: usize,
    /// Of the way, as it is written.
    bytes: usize,
}

#[derive(Clone, Copy)]
enum Step<'t> {
    Here,
    Name(&'t str),
    Place(usize),
}

impl<'t> Trail<'t> {
    const START: Self = Self { before: None, step: Step::Here, depth: 0, bytes: 0 };

    const fn then(&'t self, step: Step<'t>) -> Self {
        let bytes = match step {
            Step::Here => 0,
            Step::Name(name) => name.len() + 1,
            Step::Place(_) => PLACE_BYTES,
        };
        Self { before: Some(self), step, depth: self.depth + 1, bytes: self.bytes + bytes }
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
        let mut walk = Self {
            root: schema,
            costs: HashMap::new(),
            sizes: Sizes::of(value),
            telling: Telling::default(),
            marked_bytes: 0,
            secrets: Vec::new(),
        };
        walk.telling = walk.meet(schema, value, &Trail::START)?.telling;
        Ok(walk)
    }

    fn meet(&mut self, schema: &'a Json, value: &'a Json, trail: &Trail<'_>) -> Result<Cost, Excess> {
        let steps = |steps: u32| Cost { steps, telling: Telling::default() };
        let Json::Object(keywords) = schema else {
            return Ok(Cost { telling: Telling::of_refusal(self.sizes.of_value(value), trail.bytes), ..steps(1) });
        };
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
            self.mark(trail)?;
        }
        let mut cost = steps(1 + own_cost(keywords, value));
        cost.telling = self.sizes.own(schema, keywords, value, trail.bytes);
        self.in_place(keywords, value, trail, &mut cost)?;
        match value {
            Json::Object(fields) => self.fields(keywords, fields, trail, &mut cost)?,
            Json::Array(items) => self.items(keywords, items, trail, &mut cost)?,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
        self.costs.insert(pair, Some(cost));
        Ok(cost)
    }

    fn mark(&mut self, trail: &Trail<'_>) -> Result<(), Excess> {
        self.marked_bytes += size_of::<Field>() + trail.bytes + trail.depth * size_of::<crate::config::Step>();
        if self.marked_bytes > MARKED_BYTES_MAX {
            return Err(Excess::Marked);
        }
        self.secrets.push(trail.field());
        Ok(())
    }

    fn add(&mut self, cost: &mut Cost, schema: &'a Json, value: &'a Json, trail: &Trail<'_>) -> Result<(), Excess> {
        let telling = self.steps(cost, schema, value, trail)?;
        cost.telling.add(telling);
        Ok(())
    }

    /// Adds the steps alone.
    fn steps(
        &mut self,
        cost: &mut Cost,
        schema: &'a Json,
        value: &'a Json,
        trail: &Trail<'_>,
    ) -> Result<Telling, Excess> {
        let inside = self.meet(schema, value, trail)?;
        cost.steps = cost.steps.saturating_add(inside.steps);
        let is_within = cost.steps <= SCHEMA_STEPS_MAX && self.costs.len() <= SCHEMA_STEPS_MAX as usize;
        if is_within { Ok(inside.telling) } else { Err(Excess::Steps) }
    }

    fn in_place(
        &mut self,
        keywords: &'a Map<String, Json>,
        value: &'a Json,
        trail: &Trail<'_>,
        cost: &mut Cost,
    ) -> Result<(), Excess> {
        let here = trail.then(Step::Here);
        for schema in parts_in_place(self.root, keywords).chain(keywords.get("not")) {
            self.add(cost, schema, value, &here)?;
        }
        for keyword in IN_PLACE_ANY {
            let alternatives = list(keywords, keyword).iter().map(|schema| self.steps(cost, schema, value, &here));
            let alternatives = alternatives.collect::<Result<Vec<_>, _>>()?;
            cost.telling.add(Telling::of_alternatives(alternatives.into_iter()));
        }
        Ok(())
    }

    fn fields(
        &mut self,
        keywords: &'a Map<String, Json>,
        fields: &'a Map<String, Json>,
        trail: &Trail<'_>,
        cost: &mut Cost,
    ) -> Result<(), Excess> {
        let known = keywords.get("properties").and_then(Json::as_object);
        let others = keywords.get("additionalProperties");
        let patterns = keywords.get("patternProperties").and_then(Json::as_object);
        let of_all: Vec<_> = OF_FIELDS.iter().filter_map(|keyword| keywords.get(*keyword)).collect();
        if known.is_none() && others.is_none() && patterns.is_none() && of_all.is_empty() {
            return Ok(());
        }
        for (name, value) in fields {
            let inside = trail.then(Step::Name(name));
            let by_name = known.and_then(|known| known.get(name));
            let by_pattern = patterns.into_iter().flat_map(Map::values);
            for schema in by_name.or(others).into_iter().chain(by_pattern).chain(of_all.iter().copied()) {
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
        cost: &mut Cost,
    ) -> Result<(), Excess> {
        let (prefix, positional) = (list(keywords, "prefixItems"), list(keywords, "items"));
        let of_all: Vec<_> = OF_ITEMS.iter().filter_map(|keyword| keywords.get(*keyword)).collect();
        // Nothing is looked at in vain: there may be thousands of alternatives for hundreds of thousands of items.
        let looked_at = if of_all.is_empty() { prefix.len().max(positional.len()) } else { items.len() };
        for (place, value) in items.iter().enumerate().take(looked_at) {
            let inside = trail.then(Step::Place(place));
            let by_place = [prefix.get(place), positional.get(place)].into_iter().flatten();
            for schema in by_place.chain(of_all.iter().copied()) {
                self.add(cost, schema, value, &inside)?;
            }
        }
        Ok(())
    }
}

/// The parts of a schema that apply where it does, but for what it forbids.
pub(super) fn applied_in_place<'a>(root: &'a Json, keywords: &'a Map<String, Json>) -> impl Iterator<Item = &'a Json> {
    let alternatives = IN_PLACE_ANY.iter().flat_map(|keyword| list(keywords, keyword));
    parts_in_place(root, keywords).chain(alternatives)
}

/// Those of them that are no alternatives.
fn parts_in_place<'a>(root: &'a Json, keywords: &'a Map<String, Json>) -> impl Iterator<Item = &'a Json> {
    let one = IN_PLACE_ONE.iter().filter_map(|keyword| keywords.get(*keyword));
    let named = IN_PLACE_BY_NAME.iter().filter_map(|keyword| keywords.get(*keyword)?.as_object());
    let target = keywords.get("$ref").and_then(Json::as_str).and_then(|target| resolve(root, target));
    one.chain(list(keywords, IN_PLACE_ALL)).chain(named.flat_map(Map::values)).chain(target)
}

fn list<'a>(keywords: &'a Map<String, Json>, keyword: &str) -> &'a [Json] {
    keywords.get(keyword).and_then(Json::as_array).map_or(&[][..], Vec::as_slice)
}

/// What a schema costs beside its parts.
fn own_cost(keywords: &Map<String, Json>, value: &Json) -> u32 {
    let count = |keyword: &str| match keywords.get(keyword) {
        Some(Json::Array(items)) => items.len(),
        Some(Json::Object(fields)) => fields.len(),
        _ => 0,
    };
    let size = match value {
        Json::String(text) => text.len() / TEXT_STEP_BYTES,
        Json::Array(items) if keywords.contains_key("uniqueItems") => items.len(),
        Json::Object(fields) => {
            let names = OF_NAMES.iter().map(|keyword| count(keyword)).sum::<usize>();
            let looked_up = if names > 0 { fields.len() + names } else { 0 };
            fields.len() * count("patternProperties") + looked_up / ALTERNATIVES_STEP
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => 0,
    };
    let alternatives = (count("enum") + keywords.len()) / ALTERNATIVES_STEP;
    u32::try_from(alternatives + size).unwrap_or(u32::MAX - 1)
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
