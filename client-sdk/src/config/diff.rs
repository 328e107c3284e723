//! What differs between two values, field by field.
//!
//! Objects are compared by key and arrays by index: an element put in front of an array changes every element after it.
//! Anything cleverer would guess, and a reader of `[3]` should find the fourth element there.

use serde_json::{Map, Value};

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Where: `push.max_inflight`, `rooms[3].zone`; a key that is not plain is quoted as in JSON; empty: the whole
    /// value.
    pub path: String,
    /// What it was; none when it was not there.
    pub old: Option<Value>,
    /// What it is; none when it is gone.
    pub new: Option<Value>,
}

/// The fields that differ, in the order of their paths within each object. Empty exactly when the values are equal.
///
/// ```
/// use keeper_client_sdk::diff;
/// use serde_json::json;
///
/// let changes = diff(&json!({"push": {"max_inflight": 64}}), &json!({"push": {"max_inflight": 128}}));
/// assert_eq!(changes[0].path, "push.max_inflight");
/// assert_eq!((&changes[0].old, &changes[0].new), (&Some(json!(64)), &Some(json!(128))));
/// ```
#[must_use]
pub fn diff(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare(String::new(), old, new, &mut changes);
    changes
}

fn compare(path: String, old: &Value, new: &Value, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => compare_objects(&path, old, new, changes),
        (Value::Array(old), Value::Array(new)) => compare_arrays(&path, old, new, changes),
        (old, new) if old == new => {}
        (old, new) => changes.push(FieldChange { path, old: Some(old.clone()), new: Some(new.clone()) }),
    }
}

fn compare_objects(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, changes: &mut Vec<FieldChange>) {
    for (key, before) in old {
        match new.get(key) {
            Some(after) => compare(field(path, key), before, after, changes),
            None => changes.push(FieldChange { path: field(path, key), old: Some(before.clone()), new: None }),
        }
    }
    for (key, after) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        changes.push(FieldChange { path: field(path, key), old: None, new: Some(after.clone()) });
    }
}

fn compare_arrays(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<FieldChange>) {
    for index in 0..old.len().max(new.len()) {
        let path = format!("{path}[{index}]");
        match (old.get(index), new.get(index)) {
            (Some(before), Some(after)) => compare(path, before, after, changes),
            (before, after) => changes.push(FieldChange { path, old: before.cloned(), new: after.cloned() }),
        }
    }
}

/// A field of what lies at `path`.
pub(super) fn field(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-');
    let key = if plain { key.to_owned() } else { Value::from(key).to_string() };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests;
