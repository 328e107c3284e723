//! JSON Schemas: what a document must be, said by an admin or by the processes that read it.
//!
//! The `jsonschema` crate reads them (drafts 6, 7, 2019-09 and 2020-12) and holds values against them. Anybody who may
//! open an instance may announce a schema, so one is only taken within bounds that the crate does not keep by itself:
//!
//! - It is self-contained: a reference is `#` or leads from `#/` on into its own text. Nothing is ever fetched.
//! - Patterns run on an engine whose time is linear in the text, and are of bounded size; look-around and
//!   back-references, which would need another engine, are refused.
//! - Before a value is held against a schema the steps are counted that this will take (`walk.rs`): references can
//!   double the work at every turn, and 64 KiB of them are enough for a year.
//! - What is wrong is only sought where the errors find room (`telling.rs`): every alternative copies the value. Else
//!   the first error is told, or that there is one; the verdict is the same.
//!
//! Violations are told as `push.max_inflight` and a sentence. Of `anyOf` and `oneOf` the one alternative is told that
//! was meant, where that can be seen: of "a table or null" the table.

mod attached;
mod compiled;
mod glob;
mod telling;
#[cfg(test)]
mod tests;
mod typing;
mod violation;
mod walk;

use keeper_registry::limits::DOCUMENT_BYTES_MAX;
use serde_json::Value as Json;

use super::Field;
use super::limits::{ERRORS_BYTES_MAX, PATTERN_BYTES_MAX, SCHEMA_BYTES_MAX, VIOLATIONS_FOUND_MAX};
use crate::format::{self, Format, SyntaxError, Value};

pub use attached::{Attached, AttachedError};
pub use compiled::{Compiled, Read};
pub use glob::{Glob, GlobError};
pub use violation::Violation;
pub use walk::Excess;

use telling::Telling;
use typing::Typing;
use walk::Walk;

/// What marks a field as a secret.
pub const SECRET_KEYWORD: &str = "x-keeper-secret";

/// What says of a whole schema that the lack of a document is an empty one to who reads by it.
const OR_EMPTY_KEYWORD: &str = "x-keeper-or-empty";

/// Drafts by what `$schema` says, without scheme and end.
const DRAFTS: [&str; 4] = [
    "json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema",
];

/// A schema that values can be held against.
#[derive(Debug)]
pub struct Schema {
    text: Json,
    validator: jsonschema::Validator,
}

/// Why a text is no schema that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is no JSON.
    #[error("the schema is not JSON")]
    Read(#[from] SyntaxError),
    /// It is too long.
    #[error("the schema has {0} bytes; the limit is {SCHEMA_BYTES_MAX}")]
    TooLarge(usize),
    /// It is of a draft that is not known here.
    #[error("`$schema` is {0}; known are the drafts 6, 7, 2019-09 and 2020-12")]
    Draft(String),
    /// It refers to something outside of itself.
    #[error("`{keyword}` is {target}; a schema is self-contained: a reference is `#` or begins with `#/`")]
    Reference {
        /// By which keyword.
        keyword: String,
        /// To what.
        target: String,
    },
    /// The crate that reads schemas does not take it.
    #[error("{field}: {message}")]
    Compile {
        /// Where.
        field: Field,
        /// Why not.
        message: String,
    },
}

impl Schema {
    /// Reads a schema as a process announces it: JSON.
    ///
    /// # Errors
    /// [`SchemaError`].
    pub fn read(text: &[u8]) -> Result<Self, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge(text.len()));
        }
        let text = String::from_utf8_lossy(text);
        Self::of(&format::parse(Format::Json, &text)?)
    }

    /// Makes a schema of a value.
    ///
    /// # Errors
    /// [`SchemaError`].
    pub fn of(value: &Value) -> Result<Self, SchemaError> {
        let bytes = format::canonical(value).len();
        if bytes > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge(bytes));
        }
        let mut text = json(value);
        if let Some(draft) = text.get("$schema") {
            let name = draft.as_str().unwrap_or_default().trim_start_matches("https://").trim_start_matches("http://");
            if !DRAFTS.contains(&name.trim_end_matches('#')) {
                return Err(SchemaError::Draft(draft.to_string()));
            }
        }
        // Its name would only be what others refer to it by.
        if let Json::Object(entries) = &mut text {
            entries.remove("$id");
        }
        check_references(&text)?;
        let patterns =
            jsonschema::PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(DOCUMENT_BYTES_MAX);
        let options = jsonschema::options().offline().with_pattern_options(patterns);
        let validator = options.build(&text).map_err(|error| {
            let field = Field::of_pointer(error.instance_path().as_str(), &text);
            SchemaError::Compile { message: violation::keyword(&error, &field), field }
        })?;
        Ok(Self { text, validator })
    }

    /// What speaks against a value: at most [`VIOLATIONS_FOUND_MAX`] sentences. None of `secrets` is shown in them.
    ///
    /// # Errors
    /// To find out would take too long.
    pub fn violations(&self, value: &Value, secrets: &[Field]) -> Result<Vec<Violation>, Excess> {
        let value = json(value);
        let Telling { all, first, .. } = Walk::over(&self.text, &value)?.telling;
        if self.validator.is_valid(&value) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        if all > ERRORS_BYTES_MAX {
            let error = (first <= ERRORS_BYTES_MAX).then(|| self.validator.validate(&value).err()).flatten();
            match error {
                Some(error) => violation::told(&error, &value, secrets, &mut found),
                None => found.push(Violation::somewhere()),
            }
            return Ok(found);
        }
        for error in self.validator.iter_errors(&value) {
            violation::told(&error, &value, secrets, &mut found);
            if found.len() >= VIOLATIONS_FOUND_MAX {
                break;
            }
        }
        found.truncate(VIOLATIONS_FOUND_MAX);
        Ok(found)
    }

    /// Whether who reads by it takes the lack of a document for an empty one.
    #[must_use]
    pub fn is_for_none(&self) -> bool {
        self.text.get(OR_EMPTY_KEYWORD) == Some(&Json::Bool(true))
    }

    /// A value as whoever reads by this schema takes it, where some of its fields come from a format without types; see
    /// `typing.rs`.
    #[must_use]
    pub fn typed(&self, value: &Value, untyped: &[Field]) -> Value {
        let (mut typed, mut typing) = (value.clone(), Typing::by(&self.text));
        for field in untyped {
            if let Some(place) = field.of_mut(&mut typed)
                && let Value::String(text) = place
                && let Some(value) = typing.typed(field, text)
            {
                *place = value;
            }
        }
        typed
    }

    /// The fields of a value that this schema marks as secrets. One that is marked in any alternative is a secret; and
    /// below `patternProperties` one is under every name.
    ///
    /// # Errors
    /// To find out would take too long.
    pub fn secrets(&self, value: &Value) -> Result<Vec<Field>, Excess> {
        let value = json(value);
        let mut secrets = Walk::over(&self.text, &value)?.secrets;
        secrets.sort_unstable();
        secrets.dedup();
        Ok(secrets)
    }
}

/// The same value, as the crate that reads schemas takes it.
fn json(value: &Value) -> Json {
    match serde_json::to_value(value) {
        Ok(json) => json,
        Err(_) => unreachable!("integers have 64 bits, floats are finite, and keys are strings"),
    }
}

/// A keyword has a text; where it is the name of a property, a schema stands there.
fn check_references(text: &Json) -> Result<(), SchemaError> {
    match text {
        Json::Object(entries) => entries.iter().try_for_each(|(name, value)| {
            let refuse = |target: &str| {
                let (keyword, target) = (name.clone(), format!("{target:?}"));
                Err(SchemaError::Reference { keyword, target })
            };
            match (name.as_str(), value) {
                ("$ref", Json::String(target)) if target != "#" && !target.starts_with("#/") => refuse(target),
                ("$id" | "$dynamicRef" | "$recursiveRef", Json::String(target)) => refuse(target),
                _ => check_references(value),
            }
        }),
        Json::Array(items) => items.iter().try_for_each(check_references),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Ok(()),
    }
}
