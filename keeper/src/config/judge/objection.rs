//! What speaks against a publish.

use std::fmt;
use std::sync::Arc;

use crate::config::Field;
use crate::config::limits::VIOLATIONS_TOLD_MAX;

/// One thing that speaks against a publish. Its [`Display`](fmt::Display) is a sentence:
/// `37 instances of room 1.4.2 cannot read push.max_inflight: 70000 is greater than the maximum of 65535`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// The path of the document.
    pub path: Arc<str>,
    /// The first of the effective documents it is about: the layers beside the base, behind commas.
    pub layers: String,
    /// Who objects.
    pub by: Objector,
    /// To what.
    pub what: Objected,
}

/// Who objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Objector {
    /// Processes that read the document.
    Consumers {
        /// How many of them are concerned.
        count: usize,
        /// Their service.
        service: Arc<str>,
        /// Of their program.
        version: Arc<str>,
    },
    /// A schema that an admin attached, by its key.
    Schema(Arc<str>),
}

/// What is objected to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Objected {
    /// A field.
    Field {
        /// Which.
        field: Field,
        /// What is wrong with it.
        message: String,
    },
    /// That nothing is left to read.
    Deleted,
    /// The schema itself cannot be used, or not on this document: a sentence.
    Unusable(String),
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.by, &self.what) {
            (by @ Objector::Consumers { .. }, Objected::Field { field, message }) => {
                write!(f, "{by} cannot read {field}: {message}")
            }
            (by @ Objector::Consumers { .. }, Objected::Deleted) => write!(f, "{by} would have nothing to read"),
            (by @ Objector::Consumers { .. }, Objected::Unusable(why)) => {
                write!(f, "{by} read it by a schema that cannot be used: {why}")
            }
            (by @ Objector::Schema(_), Objected::Field { field, message }) => {
                write!(f, "{field} does not fit {by}: {message}")
            }
            (by @ Objector::Schema(_), Objected::Deleted) => write!(f, "{by} asks for a document"),
            (by @ Objector::Schema(_), Objected::Unusable(why)) => write!(f, "{by} cannot be used: {why}"),
        }
    }
}

impl fmt::Display for Objector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumers { count, service, version } => {
                let instances = if *count == 1 { "instance" } else { "instances" };
                write!(f, "{count} {instances} of {service}")?;
                if version.is_empty() { Ok(()) } else { write!(f, " {version}") }
            }
            Self::Schema(key) => f.write_str(key),
        }
    }
}

/// Everything that speaks against a publish: the first so many, and how many more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objections {
    /// At most [`VIOLATIONS_TOLD_MAX`].
    pub told: Vec<Objection>,
    /// Those that are not told.
    pub more: usize,
}

impl Objections {
    /// Whether nothing does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Cuts what is told to what can be read.
    pub(super) fn of(mut all: Vec<Objection>, untold: usize) -> Self {
        let more = all.len().saturating_sub(VIOLATIONS_TOLD_MAX) + untold;
        all.truncate(VIOLATIONS_TOLD_MAX);
        Self { told: all, more }
    }
}

/// One line for each, below the document it is about.
impl fmt::Display for Objections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, objection) in self.told.iter().enumerate() {
            let end = if at == 0 { "" } else { "; " };
            let with = if objection.layers.is_empty() { "" } else { " with " };
            write!(f, "{end}{}{with}{}: {objection}", objection.path, objection.layers)?;
        }
        if self.more > 0 { write!(f, "; and {} more", self.more) } else { Ok(()) }
    }
}
