//! What changed between two values, field by field.
//!
//! Objects are compared field by field, and everything else as a whole, arrays too: as layers are merged, so that what
//! is told as changed is what a layer would have to say.

use std::collections::BTreeMap;

use super::Field;
use crate::format::Value;

/// A field that is not what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which.
    pub field: Field,
    /// What it was; none: it was not there.
    pub old: Option<Value>,
    /// What it is; none: it is gone.
    pub new: Option<Value>,
}

/// Every field that differs, sorted by field. Equal values differ in none; `1` and `1.0` differ.
#[must_use]
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(Some(old), Some(new), &Field::default(), &mut changes);
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    changes
}

/// The same where one may not be there: to an object that is new every field of it is, and each is told.
#[must_use]
pub fn between(old: Option<&Value>, new: Option<&Value>) -> Vec<Change> {
    let nothing = Value::Object(BTreeMap::new());
    match (old, new) {
        (None, Some(new @ Value::Object(_))) => diff(&nothing, new),
        (Some(old @ Value::Object(_)), None) => diff(old, &nothing),
        _ => {
            let mut changes = Vec::new();
            compare(old, new, &Field::default(), &mut changes);
            changes.sort_by(|a, b| a.field.cmp(&b.field));
            changes
        }
    }
}

fn compare(old: Option<&Value>, new: Option<&Value>, field: &Field, changes: &mut Vec<Change>) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (name, value) in old {
                compare(Some(value), new.get(name), &field.name(name), changes);
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                compare(None, Some(value), &field.name(name), changes);
            }
        }
        _ if old == new => {}
        _ => changes.push(Change { field: field.clone(), old: old.cloned(), new: new.cloned() }),
    }
}
