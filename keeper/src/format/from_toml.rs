//! TOML 1, by the toml crate: its tree with places, walked by the rules.
//!
//! The crate refuses duplicate keys and nesting beyond 80 by itself. A date or time becomes the string it was written
//! as, in the form of RFC 3339. An integer up to 64 bits unsigned is accepted, as in the other formats.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::SyntaxError;
use super::limits::{DEPTH_MAX, NODES_MAX};
use super::typed::in_terms_of_keys;
use super::value::Value;
use super::visitor::{duplicate, not_finite, too_deep, too_many, too_wide};

pub(super) fn parse(text: &str) -> Result<Value, SyntaxError> {
    let table = DeTable::parse(text).map_err(|error| explain(text, &error))?;
    Walk { text, nodes: 1 }.table(table.get_ref(), 1)
}

fn explain(text: &str, error: &toml::de::Error) -> SyntaxError {
    let span = error.span().unwrap_or_default();
    let message = match error.message() {
        "duplicate key" => duplicate(text.get(span.clone()).unwrap_or_default()),
        "recursion limit" | "cannot recurse further; max recursion depth met" => too_deep(),
        message => message.to_owned(),
    };
    SyntaxError::at_byte(text, span.start, message)
}

/// Reads what is known to be a document.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, SyntaxError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        SyntaxError::at_byte(text, at, in_terms_of_keys(error.message(), table_at(text, at)))
    })
}

/// The header of the table that the byte `at` stands in.
fn table_at(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?.rfind('\n').map_or("", |newline| &text[..newline]);
    before.lines().rev().map(str::trim).find(|line| line.starts_with('[')).map(|line| match line.find(']') {
        Some(end) => &line[..=end],
        None => line,
    })
}

struct Walk<'a> {
    text: &'a str,
    nodes: usize,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Result<Value, SyntaxError> {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            entries.insert(key.get_ref().clone().into_owned(), self.value(value, depth)?);
        }
        Ok(Value::Object(entries))
    }

    /// `depth` counts the objects and arrays around the value.
    fn value(&mut self, spanned: &Spanned<DeValue<'_>>, depth: usize) -> Result<Value, SyntaxError> {
        let refuse = |message: String| SyntaxError::at_byte(self.text, spanned.span().start, message);
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(refuse(too_many()));
        }
        match spanned.get_ref() {
            DeValue::String(value) => Ok(Value::String(value.clone().into_owned())),
            DeValue::Boolean(value) => Ok(Value::Bool(*value)),
            DeValue::Datetime(value) => Ok(Value::String(value.to_string())),
            DeValue::Integer(value) => i128::from_str_radix(value.as_str(), value.radix())
                .ok()
                .and_then(Value::integer)
                .ok_or_else(|| refuse(too_wide(&value.to_string()))),
            DeValue::Float(value) => match value.as_str().parse::<f64>() {
                Ok(float) if float.is_finite() => Ok(Value::Float(float)),
                _ => Err(refuse(not_finite(value.as_str()))),
            },
            DeValue::Array(_) | DeValue::Table(_) if depth >= DEPTH_MAX => Err(refuse(too_deep())),
            DeValue::Array(items) => {
                let items: Result<_, _> = items.iter().map(|item| self.value(item, depth + 1)).collect();
                Ok(Value::Array(items?))
            }
            DeValue::Table(table) => self.table(table, depth + 1),
        }
    }
}
