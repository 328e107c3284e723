//! What a process reads a document by: the JSON Schema of its type, as it is announced.
//!
//! What only explains (titles, descriptions, defaults, examples) is left out, so that a word in a comment makes no new
//! schema; and numbers get the bounds of their types, which serde keeps and a derived schema does not always say.

use bytes::Bytes;
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Number, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::{Error, limits};

/// Marks a field that only counts after a restart.
pub(super) const RESTART: &str = "x-keeper-restart";

/// Marks a field that nobody but its readers sees.
pub(super) const SECRET: &str = "x-keeper-secret";

/// Says of a whole schema that who reads by it takes the lack of a document for an empty one.
const OR_EMPTY: &str = "x-keeper-or-empty";

const EXPLAINING: [&str; 6] = ["title", "description", "default", "examples", "deprecated", "$comment"];

/// A schema in canonical form.
#[derive(Debug, PartialEq)]
pub(crate) struct Announced {
    pub(crate) root: Value,
    /// JSON, keys sorted, no white space.
    pub(crate) text: Bytes,
    /// 128 bits of xxh3 of the text, big-endian.
    pub(crate) hash: Bytes,
}

impl Announced {
    /// Of a type that describes itself.
    pub(crate) fn of<T: JsonSchema>() -> Result<Self, Error> {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let settings = settings.with_transform(RecursiveTransform(explain_nothing));
        let settings = settings.with_transform(RecursiveTransform(bound_numbers));
        Self::new(settings.into_generator().into_root_schema_for::<T>().to_value())
    }

    /// The same, of a process that can do without the document: deleting it is judged as if `{}` were published.
    pub(crate) fn or_empty(self) -> Result<Self, Error> {
        let mut root = match self.root.as_bool() {
            Some(true) => json!({}),
            Some(false) => json!({ "not": {} }),
            None => self.root,
        };
        if let Value::Object(entries) = &mut root {
            entries.insert(OR_EMPTY.to_owned(), Value::Bool(true));
        }
        Self::new(root)
    }

    /// As the application wrote it.
    pub(crate) fn new(mut root: Value) -> Result<Self, Error> {
        // Another crate of the application may have asked for maps in the order of insertion.
        root.sort_all_objects();
        let text = Bytes::from(root.to_string());
        if text.len() > limits::SCHEMA_BYTES_MAX {
            let message = format!("it has {} bytes; the limit is {}", text.len(), limits::SCHEMA_BYTES_MAX);
            return Err(Error::invalid("schema", message));
        }
        let hash = Bytes::copy_from_slice(&xxh3_128(&text).to_be_bytes());
        Ok(Self { root, text, hash })
    }
}

fn explain_nothing(schema: &mut Schema) {
    for keyword in EXPLAINING {
        schema.remove(keyword);
    }
}

fn bound_numbers(schema: &mut Schema) {
    let (min, max): (Option<Number>, Number) = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => (None, u32::MAX.into()),
        Some("uint64") => (None, u64::MAX.into()),
        Some("uint") => (None, usize::MAX.into()),
        Some("int32") => (Some(i32::MIN.into()), i32::MAX.into()),
        Some("int64") => (Some(i64::MIN.into()), i64::MAX.into()),
        Some("int") => (Some(isize::MIN.into()), isize::MAX.into()),
        _ => return,
    };
    let mut bound = |keyword: &str, number: Number| {
        if schema.get(keyword).is_none() {
            schema.insert(keyword.to_owned(), Value::Number(number));
        }
    };
    if let Some(min) = min {
        bound("minimum", min);
    }
    bound("maximum", max);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    /// Said to nobody.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Room {
        /// Nor this.
        #[schemars(extend("x-keeper-restart" = true))]
        port: u16,
        inflight: u32,
        #[serde(default)]
        offset: Option<i64>,
        #[serde(default)]
        description: BTreeMap<String, u64>,
    }

    #[test]
    fn a_type_is_announced_by_what_it_takes() {
        let announced = Announced::of::<Room>().unwrap();
        let expected = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["port", "inflight"],
            "properties": {
                "port": {
                    "type": "integer", "format": "uint16", "minimum": 0, "maximum": 65_535, "x-keeper-restart": true
                },
                "inflight": {"type": "integer", "format": "uint32", "minimum": 0, "maximum": 4_294_967_295_u32},
                "offset": {
                    "type": ["integer", "null"], "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX
                },
                "description": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "integer", "format": "uint64", "minimum": 0, "maximum": u64::MAX
                    },
                },
            },
        });
        assert_eq!(announced.root, expected);
    }

    /// The hash of these bytes is what the state keeps schemas by.
    #[test]
    fn the_hash_is_that_of_the_text() {
        let announced = Announced::new(json!({"type": "integer", "maximum": 9})).unwrap();
        assert_eq!(announced.text, r#"{"maximum":9,"type":"integer"}"#);
        assert_eq!(hex(&announced.hash), "4729d12f1fc23a4364a8f4262fa48a6a");
        assert_eq!(Announced::new(json!({"maximum": 9, "type": "integer"})).unwrap(), announced);
    }

    #[test]
    fn who_can_do_without_the_document_says_so_whatever_the_schema() {
        let said = |root| Announced::new(root).unwrap().or_empty().unwrap().text;
        assert_eq!(said(json!({"type": "object"})), r#"{"type":"object","x-keeper-or-empty":true}"#);
        assert_eq!(said(json!(true)), r#"{"x-keeper-or-empty":true}"#);
        assert_eq!(said(json!(false)), r#"{"not":{},"x-keeper-or-empty":true}"#);
    }

    #[test]
    fn a_schema_over_its_limit_is_refused() {
        let error = Announced::new(json!({"const": "x".repeat(limits::SCHEMA_BYTES_MAX)})).unwrap_err();
        assert!(error.to_string().contains("the limit is 65536"), "{error}");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
