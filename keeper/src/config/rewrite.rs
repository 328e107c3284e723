//! One value of a text is replaced where it stands, and everything else stays as it was written.
//!
//! No library of the four formats changes a text and keeps it. So the place is found by trying: what the value may be
//! written as is looked for, near its name first, and a try counts only if the text then says exactly what it is to
//! say. What is not found so (an escape that nobody would write, a block of lines) is `None`, and so is what would take
//! too many tries: the caller then writes the document anew, without its comments.

#[cfg(test)]
mod tests;

use super::limits::{REWRITE_BYTES_MAX, REWRITES_MAX};
use super::{Field, Step};
use crate::format::{self, Format, Value, canonical};

/// How much may still be tried for one document.
#[derive(Debug)]
pub struct Patience(usize);

impl Default for Patience {
    fn default() -> Self {
        Self(REWRITE_BYTES_MAX)
    }
}

impl Patience {
    /// Takes one try.
    fn tries(&mut self, text: &str) -> bool {
        let left = self.0.checked_sub(text.len());
        self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

/// The text with another value at a field; `value` is what the text says.
#[must_use]
pub fn rewrite(
    format: Format,
    text: &str,
    value: &Value,
    field: &Field,
    to: &Value,
    patience: &mut Patience,
) -> Option<String> {
    let from = field.of(value)?;
    let mut expected = value.clone();
    *field.of_mut(&mut expected)? = to.clone();
    let candidates = spellings(from, to);
    let candidates = candidates.iter().flat_map(|(written, instead)| {
        let places = places(text, written, field);
        places.into_iter().map(move |at| (at, written.as_str(), instead.as_str()))
    });
    candidates.take(REWRITES_MAX).take_while(|_| patience.tries(text)).find_map(|(at, written, instead)| {
        let mut changed = String::with_capacity(text.len() + instead.len());
        changed.push_str(text.get(..at)?);
        changed.push_str(instead);
        changed.push_str(text.get(at + written.len()..)?);
        (format::parse(format, &changed).ok()? == expected).then_some(changed)
    })
}

/// What a value may be written as, and what is to stand in its place.
fn spellings(from: &Value, to: &Value) -> Vec<(String, String)> {
    let quoted = |value: &Value| String::from_utf8_lossy(&canonical(value)).into_owned();
    let (from_quoted, to_quoted) = (quoted(from), quoted(to));
    let mut spellings = vec![(from_quoted.clone(), to_quoted.clone())];
    if let (Value::String(from), Value::String(to)) = (from, to) {
        let inner = |quoted: &str| quoted[1..quoted.len() - 1].to_owned();
        spellings.push((from.clone(), to.clone()));
        spellings.push((inner(&from_quoted), inner(&to_quoted)));
        spellings.push((from.clone(), inner(&to_quoted)));
    }
    if let Value::String(from) = from {
        spellings.push((format!("'{}'", from.replace('\'', "''")), to_quoted.clone()));
        spellings.push((format!("'{from}'"), to_quoted.clone()));
        spellings.push((from.clone(), to_quoted));
    }
    spellings.retain(|(written, _)| !written.is_empty());
    spellings
}

/// Where something is written, near the field's name first.
fn places(text: &str, written: &str, field: &Field) -> Vec<usize> {
    let name = field.steps().iter().rev().find_map(|step| match step {
        Step::Name(name) => Some(name.as_str()),
        Step::Place(_) => None,
    });
    let is_near = |at: usize| {
        let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
        name.is_some_and(|name| text[line..at].contains(name))
    };
    let found = text.match_indices(written).map(|(at, _)| at).take(REWRITES_MAX * 4);
    let (mut near, far): (Vec<_>, Vec<_>) = found.partition(|at| is_near(*at));
    near.extend(far);
    near
}
