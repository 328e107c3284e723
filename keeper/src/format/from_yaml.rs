//! YAML 1.2, by serde-saphyr, with the core schema read strictly.
//!
//! Only `true` and `false` are booleans; `0755` and `1_000` are strings, because readers of YAML disagree on them.
//! Anchors, aliases and merge keys (`<<`) are expanded under a budget that counts what they expand to, so that no text
//! of a megabyte becomes more. Tags outside the core schema are refused: nothing here could honour them.
//!
//! The library reads an integer beyond 64 bits as the nearest float, silently. Documents with a float of that size,
//! which are rare, are read a second time for the places of such floats; the text there tells what was written.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{
    Location, MessageFormatter, NonFiniteFloatPolicy, Options, Spanned, UserMessageFormatter, alias_limits, budget,
    options,
};

use super::error::SyntaxError;
use super::limits::{ALIASES_MAX, DEPTH_MAX, EXPANDED_BYTES_MAX, NODES_MAX};
use super::typed::unknown_key;
use super::value::Value;
use super::visitor::{Builder, duplicate, too_deep, too_many, too_wide};

/// From here on a float may have been written as an integer beyond 64 bits.
const WIDE: f64 = 9_223_372_036_854_775_808.0;

/// What the scanner says when flow collections are nested too deep: it reads ahead of the budget's own count.
const SCANNER_TOO_DEEP: &str = "recursion limit exceeded";

pub(super) fn parse(text: &str) -> Result<Value, SyntaxError> {
    let nodes = Cell::new(0);
    let value =
        serde_saphyr::with_deserializer_from_str_with_options(text, rules(), |d| Builder::new(&nodes).deserialize(d))
            .map_err(|error| explain(&error))?;
    if has_wide_float(&value) {
        let places: WideFloats = serde_saphyr::from_str_with_options(text, rules()).map_err(|error| explain(&error))?;
        check_integers(text, &places)?;
    }
    Ok(value)
}

/// Reads what is known to be a document.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, SyntaxError> {
    serde_saphyr::from_str_with_options(text, rules()).map_err(|error| explain(&error))
}

fn rules() -> Options {
    options! {
        budget: budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 4 * NODES_MAX,
            max_documents: 1,
            max_anchors: ALIASES_MAX,
            max_aliases: ALIASES_MAX,
            max_merge_keys: ALIASES_MAX,
            max_recorded_anchor_events: NODES_MAX,
            max_recorded_anchor_bytes: EXPANDED_BYTES_MAX,
            max_total_scalar_bytes: EXPANDED_BYTES_MAX,
            // The limits above bound what aliases cost; how many use one anchor does not matter beside them.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: alias_limits! { max_total_replayed_events: NODES_MAX, max_replay_stack_depth: DEPTH_MAX },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an open enum of the library, with words of its own")]
fn explain(error: &serde_saphyr::Error) -> SyntaxError {
    let message = match cause(error) {
        serde_saphyr::Error::Budget { breach, .. } => over_budget(breach),
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => duplicate(key),
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected, None),
        serde_saphyr::Error::UnknownAnchor { .. } => "the alias names an anchor that is not defined before it".into(),
        error => match UserMessageFormatter.format_message(error).as_ref() {
            SCANNER_TOO_DEEP => too_deep(),
            message => message.to_owned(),
        },
    };
    let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
    SyntaxError::at(to_usize(line), to_usize(column), message)
}

/// An error inside what an alias repeats is told at the alias, in the words of the error.
fn cause(mut error: &serde_saphyr::Error) -> &serde_saphyr::Error {
    while let serde_saphyr::Error::AliasError { error: inner, .. } = error.without_snippet() {
        error = inner;
    }
    error.without_snippet()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an open enum of the library; the rest are budgets of expansion")]
fn over_budget(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Nodes { .. } => too_many(),
        BudgetBreach::Documents { .. } => "the text holds more than one document".into(),
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } | BudgetBreach::MergeKeys { .. } => {
            format!("the document has more than {ALIASES_MAX} anchors, aliases or merge keys")
        }
        _ => format!(
            "the document is too large once its aliases are expanded: beyond {EXPANDED_BYTES_MAX} bytes or {NODES_MAX} \
             values; use fewer of them"
        ),
    }
}

fn to_usize(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

fn has_wide_float(value: &Value) -> bool {
    match value {
        Value::Float(float) => float.abs() >= WIDE,
        Value::Array(items) => items.iter().any(has_wide_float),
        Value::Object(entries) => entries.values().any(has_wide_float),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::String(_) => false,
    }
}

fn check_integers(text: &str, places: &WideFloats) -> Result<(), SyntaxError> {
    for place in &places.0 {
        let Some(start) = place.span().byte_offset().map(to_usize) else { continue };
        let rest = text.get(start..).unwrap_or_default();
        let written =
            &rest[..rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len())];
        if !written.contains(['.', 'e', 'E']) {
            return Err(SyntaxError::at_byte(text, start, too_wide(written)));
        }
    }
    Ok(())
}

/// Where a document has floats of at least [`WIDE`].
#[derive(Default)]
struct WideFloats(Vec<Location>);

impl WideFloats {
    /// A float at this node itself says so with a place that is not known yet; the node around it knows.
    fn found() -> Self {
        Self(vec![Location::UNKNOWN])
    }

    fn add(&mut self, node: Spanned<Self>) {
        let place = |inner: Location| if inner == Location::UNKNOWN { node.defined } else { inner };
        self.0.extend(node.value.0.into_iter().map(place));
    }
}

impl<'de> serde::Deserialize<'de> for WideFloats {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(WideFloatsVisitor)
    }
}

struct WideFloatsVisitor;

impl<'de> Visitor<'de> for WideFloatsVisitor {
    type Value = WideFloats;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<WideFloats, E> {
        Ok(WideFloats::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<WideFloats, E> {
        Ok(WideFloats::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<WideFloats, E> {
        Ok(WideFloats::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<WideFloats, E> {
        Ok(WideFloats::default())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<WideFloats, E> {
        Ok(if value.abs() >= WIDE { WideFloats::found() } else { WideFloats::default() })
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<WideFloats, E> {
        Ok(WideFloats::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<WideFloats, A::Error> {
        let mut places = WideFloats::default();
        while let Some(node) = source.next_element()? {
            places.add(node);
        }
        Ok(places)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<WideFloats, A::Error> {
        let mut places = WideFloats::default();
        while let Some((IgnoredAny, node)) = source.next_entry()? {
            places.add(node);
        }
        Ok(places)
    }
}
