//! What was a secret once stays one: the fields of a value that are to be sealed because versions before it had them
//! sealed.
//!
//! A field is what it is by its name, so one that was left out for a while, or whose document was deleted, is sealed
//! when it comes back. How far back that goes is a matter of who asks, and of what is kept.
//!
//! In a list the place is no name: entries are added in front, and what was at the first place is at the second. So
//! what is sealed of one entry is sealed of all, but for what was open before: the same value somewhere in the list, or
//! anything at a place of a list that is as long as it was. What is a published secret is never open, wherever in the
//! list it stands. Where a secret was there may be a table or a list by now: each value in it is sealed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::secret::{is_box, sealed_fields};
use super::{Field, Step};
use crate::format::{Value, canonical};

/// Fields that were sealed, entries of a list being all alike.
#[derive(Debug, Default)]
pub struct Lasting {
    is_sealed: bool,
    names: BTreeMap<String, Self>,
    entries: Option<Box<Self>>,
}

impl Lasting {
    /// Takes those of one version, with its boxes.
    pub fn add(&mut self, version: &Value) {
        for field in sealed_fields(version) {
            let end = field.steps().iter().fold(&mut *self, |at, step| match step {
                Step::Name(name) => at.names.entry(name.clone()).or_default(),
                Step::Place(_) => at.entries.get_or_insert_default(),
            });
            end.is_sealed = true;
        }
    }

    /// The fields of a value that are to be sealed. `former` is what it takes the place of, with its boxes; `secrets`
    /// are the canonical values of what those hold.
    #[must_use]
    pub fn fields(&self, former: &Value, secrets: &BTreeSet<Bytes>, given: &Value) -> Vec<Field> {
        let mut open: BTreeMap<Field, BTreeSet<Bytes>> = BTreeMap::new();
        self.walk(former, &Field::default(), &mut |field, value| {
            if !is_box(value) {
                open.entry(of_any_place(field)).or_default().insert(canonical(value));
            }
        });
        let mut found = Vec::new();
        self.walk(given, &Field::default(), &mut |field, value| {
            let was_open = || open.get(&of_any_place(field)).is_some_and(|open| open.contains(&canonical(value)));
            let is_open = field.is_in_list()
                && !secrets.contains(&canonical(value))
                && match formerly(field, former, given) {
                    Some(former) => !is_box(former),
                    None => was_open(),
                };
            if !is_open {
                found.push(field.clone());
            }
        });
        found
    }

    /// Every single value of those fields.
    fn walk(&self, value: &Value, at: &Field, visit: &mut impl FnMut(&Field, &Value)) {
        match value {
            // In a list others may be tables, and always were.
            Value::Object(_) | Value::Array(_) if self.is_sealed && !at.is_in_list() => leaves(value, at, visit),
            Value::Object(fields) => {
                for (name, inside) in &self.names {
                    if let Some(value) = fields.get(name) {
                        inside.walk(value, &at.name(name), visit);
                    }
                }
            }
            Value::Array(items) => {
                let Some(inside) = &self.entries else { return };
                for (place, item) in items.iter().enumerate() {
                    inside.walk(item, &at.place(place), visit);
                }
            }
            Value::Null => {}
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => {
                if self.is_sealed {
                    visit(at, value);
                }
            }
        }
    }
}

/// Every single value within one.
fn leaves(value: &Value, at: &Field, visit: &mut impl FnMut(&Field, &Value)) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| leaves(value, &at.name(name), visit)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| leaves(item, &at.place(place), visit));
        }
        Value::Null => {}
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => visit(at, value),
    }
}

fn of_any_place(field: &Field) -> Field {
    field.steps().iter().fold(Field::default(), |before, step| match step {
        Step::Name(name) => before.name(name),
        Step::Place(_) => before.place(0),
    })
}

/// What stood at that very place, in lists as long as these.
fn formerly<'a>(field: &Field, former: &'a Value, given: &Value) -> Option<&'a Value> {
    let (mut former, mut given) = (former, given);
    for step in field.steps() {
        if let (Value::Array(before), Value::Array(now)) = (former, given)
            && before.len() != now.len()
        {
            return None;
        }
        (former, given) = (step.of(former)?, step.of(given)?);
    }
    (*former != Value::Null).then_some(former)
}
