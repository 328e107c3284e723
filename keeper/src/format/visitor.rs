//! Builds a [`Value`] from any serde source, and holds it to the rules that no library keeps alike: no key twice,
//! string keys only, finite floats, bounded depth and size.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::limits::{DEPTH_MAX, NODES_MAX};
use super::value::Value;

/// Builds the value at one depth; all depths of a document share one count of nodes.
#[derive(Clone, Copy)]
pub(super) struct Builder<'a> {
    nodes: &'a Cell<usize>,
    depth: usize,
}

impl<'a> Builder<'a> {
    /// Begins a document.
    pub(super) const fn new(nodes: &'a Cell<usize>) -> Self {
        Self { nodes, depth: 0 }
    }

    fn count<E: Error>(self) -> Result<(), E> {
        let nodes = self.nodes.get() + 1;
        self.nodes.set(nodes);
        if nodes > NODES_MAX { Err(E::custom(too_many())) } else { Ok(()) }
    }

    fn enter<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX { Err(E::custom(too_deep())) } else { Ok(Self { depth, ..self }) }
    }
}

/// The sentence for a document that is nested too deep.
pub(super) fn too_deep() -> String {
    format!("objects and arrays are nested more than {DEPTH_MAX} deep: make it flatter")
}

/// The sentence for a document with too many values.
pub(super) fn too_many() -> String {
    format!("the document has more than {NODES_MAX} values: split it into several")
}

/// The sentence for a key that is there twice.
pub(super) fn duplicate(key: &str) -> String {
    format!("the key `{key}` is given twice")
}

/// The sentence for an integer that no format of 64 bits can hold.
pub(super) fn too_wide(integer: &str) -> String {
    format!("the integer {integer} does not fit 64 bits: write it as a string")
}

/// The sentence for NaN and the infinities.
pub(super) fn not_finite(float: &str) -> String {
    format!("{float} is not a finite number")
}

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        self.count()?;
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        Value::integer(value).ok_or_else(|| E::custom(too_wide(&value.to_string())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.is_finite() { Ok(Value::Float(value)) } else { Err(E::custom(not_finite(&value.to_string()))) }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut items = Vec::new();
        while let Some(item) = source.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut entries = BTreeMap::new();
        while let Some(key) = source.next_key_seed(Key)? {
            match entries.entry(key) {
                Entry::Occupied(entry) => return Err(A::Error::custom(duplicate(entry.key()))),
                Entry::Vacant(entry) => entry.insert(source.next_value_seed(inner)?),
            };
        }
        Ok(Value::Object(entries))
    }
}

/// A key. Asked for as "any", because a source asked for a string would hand over `1: x` as `"1"`.
struct Key;

impl Key {
    fn refuse<E: Error>(key: impl fmt::Display) -> Result<String, E> {
        Err(E::custom(format_args!("the key {key} is not a string: quote it")))
    }
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<String, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is a string")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        Ok(key.to_owned())
    }

    fn visit_string<E: Error>(self, key: String) -> Result<String, E> {
        Ok(key)
    }

    fn visit_bool<E: Error>(self, key: bool) -> Result<String, E> {
        Self::refuse(key)
    }

    fn visit_i64<E: Error>(self, key: i64) -> Result<String, E> {
        Self::refuse(key)
    }

    fn visit_u64<E: Error>(self, key: u64) -> Result<String, E> {
        Self::refuse(key)
    }

    fn visit_f64<E: Error>(self, key: f64) -> Result<String, E> {
        Self::refuse(key)
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        Self::refuse("null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(A::Error::custom("an array cannot be a key"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(A::Error::custom("an object cannot be a key"))
    }
}
