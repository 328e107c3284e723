//! What a document says, whatever it was written in.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A value of a document. Objects are sorted by the bytes of their keys: the order of writing has no meaning.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// From `i64::MIN` to `u64::MAX`: what the formats can write in 64 bits.
    Integer(i128),
    /// Finite.
    Float(f64),
    /// Text.
    String(String),
    /// Values in order.
    Array(Vec<Self>),
    /// Values by name.
    Object(BTreeMap<String, Self>),
}

impl Value {
    /// An integer, if it fits 64 bits.
    pub(super) fn integer(value: i128) -> Option<Self> {
        (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(Self::Integer(value))
    }
}

/// The one form of a value that travels, is stored and is compared: JSON with sorted keys and no white space. It
/// follows RFC 8785 except in two ways: keys are sorted by their UTF-8 bytes, and a float keeps its point (`1.0` is not
/// `1`), so that a typed reader sees which of the two was written.
#[must_use]
pub fn canonical(value: &Value) -> Bytes {
    match serde_json::to_vec(value) {
        Ok(json) => json.into(),
        Err(_) => unreachable!("writing to memory succeeds, and every key is a string"),
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i128(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    array.serialize_element(item)?;
                }
                array.end()
            }
            Self::Object(entries) => {
                let mut object = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    object.serialize_entry(key, value)?;
                }
                object.end()
            }
        }
    }
}
