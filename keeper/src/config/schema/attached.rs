//! A schema that an admin attaches to paths: a document below `keeper/schemas/`, in any format that can nest.
//!
//! ```json
//! { "paths": ["push/*.toml", "gateway/**"], "schema": { "type": "object" } }
//! ```
//!
//! It binds what is published from then on. What is there already is not judged by it: a schema would have to be
//! published with every document that it is for, or not at all. The next publish that touches a path it is for is
//! refused if the effective documents do not fit.

use super::{Glob, GlobError, Schema, SchemaError};
use crate::config::limits::GLOBS_MAX;
use crate::format::Value;

/// An attached schema.
#[derive(Debug)]
pub struct Attached {
    globs: Vec<Glob>,
    schema: Schema,
}

/// Why a document attaches nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachedError {
    /// Something else than the two fields.
    #[error("an attached schema has the fields `paths` and `schema`; this has {0}")]
    Fields(String),
    /// No paths.
    #[error("`paths` is a list of 1 to {GLOBS_MAX} patterns of paths")]
    Paths,
    /// One of the paths.
    #[error("`paths` has an element that is no pattern")]
    Glob(#[from] GlobError),
    /// The schema.
    #[error("`schema` cannot be used")]
    Schema(#[from] SchemaError),
}

impl Attached {
    /// Reads the value of a document below `keeper/schemas/`.
    ///
    /// # Errors
    /// [`AttachedError`].
    pub fn read(document: &Value) -> Result<Self, AttachedError> {
        let Value::Object(fields) = document else { return Err(AttachedError::Fields("none".to_owned())) };
        let (Some(paths), Some(schema), 2) = (fields.get("paths"), fields.get("schema"), fields.len()) else {
            let names: Vec<_> = fields.keys().map(|name| format!("`{name}`")).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(AttachedError::Fields(names));
        };
        let Value::Array(paths) = paths else { return Err(AttachedError::Paths) };
        if paths.is_empty() || paths.len() > GLOBS_MAX {
            return Err(AttachedError::Paths);
        }
        let glob = |path: &Value| {
            let Value::String(path) = path else { return Err(AttachedError::Paths) };
            Ok(Glob::parse(path)?)
        };
        Ok(Self { globs: paths.iter().map(glob).collect::<Result<_, _>>()?, schema: Schema::of(schema)? })
    }

    /// Whether it is for a path.
    #[must_use]
    pub fn is_for(&self, path: &str) -> bool {
        self.globs.iter().any(|glob| glob.matches(path))
    }

    /// What documents at its paths must be.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }
}
