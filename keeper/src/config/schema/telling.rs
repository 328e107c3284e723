//! How much memory it may take to say what is wrong with a value: an upper bound, counted before anything is said.
//!
//! The crate that reads schemas collects every error before it gives the first. An error holds the way to its value,
//! and a part of the schema; within the alternatives of `anyOf` and `oneOf` it also holds a copy of the value, as many
//! as there are alternatives. A document of a megabyte and a schema of a thousand alternatives would take gigabytes.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::walk::address;

/// An error without what it holds, and a value or a field of an object without its text.
const ERROR_BYTES: u64 = 384;
const VALUE_BYTES: u64 = 48;
const FIELD_BYTES: u64 = 96;

/// Bytes of errors: four gigabytes are as good as any more. One is kept for every pair of a walk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Telling {
    /// Of all there may be.
    pub(super) all: u32,
    /// Of the first one.
    pub(super) first: u32,
    /// Of all, were it for an alternative.
    copied: u32,
}

impl Telling {
    fn of(all: u64, first: u64, copied: u64) -> Self {
        let bytes = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { all: bytes(all), first: bytes(first), copied: bytes(copied) }
    }

    /// Of a schema that refuses whatever it meets.
    pub(super) fn of_refusal(size: u64, way_bytes: usize) -> Self {
        let one = ERROR_BYTES + way_bytes as u64;
        Self::of(one, one, one + size)
    }

    /// With those of a part.
    pub(super) fn add(&mut self, part: Self) {
        self.all = self.all.saturating_add(part.all);
        self.copied = self.copied.saturating_add(part.copied);
        self.first = self.first.max(part.first);
    }

    /// What alternatives are together, as a part.
    pub(super) fn of_alternatives(alternatives: impl Iterator<Item = Self>) -> Self {
        let copied = alternatives.fold(0_u32, |copied, one| copied.saturating_add(one.copied));
        Self { all: copied, first: copied, copied }
    }
}

/// How large values are, and what the errors of a schema hold of it: each is counted once.
pub(super) struct Sizes {
    values: HashMap<usize, u64>,
    /// How many errors, and bytes of the schema in all of them.
    schemas: HashMap<usize, (u64, u64)>,
}

impl Sizes {
    pub(super) fn of(value: &Json) -> Self {
        let mut sizes = Self { values: HashMap::new(), schemas: HashMap::new() };
        sizes.measure(value);
        sizes
    }

    fn measure(&mut self, value: &Json) -> u64 {
        let inside: u64 = match value {
            Json::Array(items) => items.iter().map(|item| self.measure(item)).sum(),
            Json::Object(fields) => {
                fields.iter().map(|(name, value)| FIELD_BYTES + name.len() as u64 + self.measure(value)).sum()
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return size_of_one(value),
        };
        self.values.insert(address(value), VALUE_BYTES + inside);
        VALUE_BYTES + inside
    }

    pub(super) fn of_value(&self, value: &Json) -> u64 {
        self.values.get(&address(value)).copied().unwrap_or_else(|| size_of_one(value))
    }

    /// What a schema may have to say of a value by itself, without its parts.
    pub(super) fn own(
        &mut self,
        schema: &Json,
        keywords: &Map<String, Json>,
        value: &Json,
        way_bytes: usize,
    ) -> Telling {
        let (errors, held) = *self.schemas.entry(address(schema)).or_insert_with(|| held(keywords));
        let size = self.of_value(value);
        let lists_names = ["additionalProperties", "unevaluatedProperties"].iter().any(|it| keywords.contains_key(*it));
        let names = if lists_names { size } else { 0 };
        let one = ERROR_BYTES + way_bytes as u64;
        let all = errors.saturating_mul(one).saturating_add(held).saturating_add(names);
        let copied = all.saturating_add(errors.saturating_mul(size));
        Telling::of(all, one.saturating_add(held).saturating_add(names), copied)
    }
}

/// How many errors the keywords of a schema may give, and how much of the schema they hold.
fn held(keywords: &Map<String, Json>) -> (u64, u64) {
    let of = |(keyword, value): (&String, &Json)| match (keyword.as_str(), value) {
        ("required", Json::Array(names)) => (names.len() as u64, names.iter().map(size_of_one).sum()),
        ("dependentRequired" | "dependencies", Json::Object(named)) => {
            let names = || named.values().filter_map(Json::as_array).flatten();
            (names().count() as u64, names().map(size_of_one).sum())
        }
        ("const", value) => (1, Sizes::of(value).of_value(value)),
        (_, Json::String(text)) => (1, text.len() as u64),
        _ => (1, 0),
    };
    keywords.iter().map(of).fold((0, 0), |(errors, held), (more, bytes)| (errors + more, held + bytes))
}

fn size_of_one(value: &Json) -> u64 {
    VALUE_BYTES + value.as_str().map_or(0, str::len) as u64
}
