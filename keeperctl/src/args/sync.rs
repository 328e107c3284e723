//! What was typed about files that are kept what documents say.

use std::{fmt, str::FromStr};

use clap::Args;

use crate::args::{FormatName, Whom};

#[derive(Debug, Args)]
pub(crate) struct SyncConfig {
    /// A document and the file that is kept what it says
    #[arg(required = true, value_name = "PATH=FILE")]
    pub(crate) pairs: Vec<Pair>,

    /// Run this when files have changed, once for all that changed together; a shell reads it
    #[arg(long, value_name = "COMMAND")]
    pub(crate) on_change: Option<String>,

    #[command(flatten)]
    pub(crate) whom: Whom,

    /// How the files are written; by their endings unless given
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatName>,

    /// Make the files what the documents say now, and end
    #[arg(long)]
    pub(crate) once: bool,
}

/// A document and a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) path: String,
    pub(crate) file: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        // A path has no `=` unless it has a layer, which the reader decides.
        let parts = typed.split_once('=').filter(|(path, file)| !path.is_empty() && !file.is_empty());
        let (path, file) = parts.ok_or("type a document, `=`, and a file: push/room.toml=/etc/room.toml")?;
        if path.contains('@') {
            return Err(format!("{path:?} names a layer: which ones count follows from --for, --zone and --label"));
        }
        Ok(Self { path: path.to_owned(), file: file.to_owned() })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.path, self.file)
    }
}
