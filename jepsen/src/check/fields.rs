//! Values of a history, read. What is not there reads as null or zero: the checks then find a contradiction, which is
//! right, because a history that says less than it must proves nothing.

use serde_json::Value;

/// Revision and position: the order of the log.
pub(super) type Epoch = (u64, u64);

pub(super) fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn truth(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `[revision, position]`.
pub(super) fn epoch(value: &Value) -> Epoch {
    let part = |at: usize| value.get(at).and_then(Value::as_u64).unwrap_or_default();
    (part(0), part(1))
}

/// The `epoch` of an answer; none of null.
pub(super) fn epoch_of(value: &Value) -> Option<Epoch> {
    value.get("epoch").map(epoch)
}
