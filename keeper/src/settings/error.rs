//! Why settings were refused.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::format::SyntaxError;

/// Settings that a node cannot start with.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no such file, or it is not text.
    #[error("the settings file {} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// Not TOML, or not the keys and types of the settings.
    #[error("{0}")]
    Syntax(SyntaxError),
    /// Values that cannot be, each with what would be right.
    #[error("{}", Lines(.0))]
    Invalid(Vec<Violation>),
}

/// One setting that cannot be as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which: `raft.heartbeat_ms`.
    pub key: &'static str,
    /// A sentence with the offending value and what would be right.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.message)
    }
}

struct Lines<'a>(&'a [Violation]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{violation}")?;
        }
        Ok(())
    }
}
