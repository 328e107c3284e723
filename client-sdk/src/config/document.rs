//! Documents as everybody sees them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::Value;

use crate::Error;

/// How a document's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// TOML 1.
    Toml,
    /// YAML 1.2.
    Yaml,
    /// JSON (RFC 8259).
    Json,
    /// INI.
    Ini,
}

impl Format {
    /// The name in lower case, which is also the usual ending of a path.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Ini => "ini",
        }
    }
}

/// One document at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub path: String,
    /// How its text is written; none when the server says one this library does not know.
    pub format: Option<Format>,
    /// As written, comments and all; empty in lists and of a deleted document.
    pub text: String,
    /// The canonical value: JSON, keys sorted, no white space; empty where `text` is.
    pub canonical: Bytes,
    /// Of the publish that wrote this.
    pub revision: u64,
    /// 1, 2, 3 ... per path.
    pub version: u64,
    /// Who published it; unverified.
    pub author: String,
    /// Why.
    pub message: String,
    /// Log time, Unix milliseconds.
    pub published_at_ms: u64,
    /// This revision deleted the document.
    pub deleted: bool,
    /// Why it was published against what spoke against it; none: nothing did.
    pub forced: Option<String>,
    /// Fields that are sealed; text and value show them masked unless they are revealed.
    pub secrets: Vec<String>,
    /// The ids of the keys that seal them, in the same order; empty from a node of an earlier release.
    pub secret_keys: Vec<String>,
}

impl Document {
    /// The canonical value as a structure.
    ///
    /// # Errors
    /// [`Error::Broken`] when this document came without a value, as in a list.
    pub fn value(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.canonical)
            .map_err(|error| Error::malformed(format!("{} has no canonical value: {error}", self.path)))
    }

    /// When it was published, by log time.
    #[must_use]
    pub fn published_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.published_at_ms)
    }
}

/// Documents of one answer, and the state that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// The state that answered.
    pub revision: u64,
    /// In the order the call promises.
    pub documents: Vec<Document>,
}
