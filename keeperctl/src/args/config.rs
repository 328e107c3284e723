//! What was typed about configs.

use clap::{Args, Subcommand, ValueEnum};
use keeper_client_sdk::Format;

use crate::limits;

/// What to do about configs.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Publish a file as a document
    Put(PutConfig),
    /// Print a document as it was written, comments and all
    Get(GetConfig),
    /// List documents
    List {
        /// Only paths that begin with this
        prefix: Option<String>,
    },
    /// Show what a document was, newest first
    History {
        /// Which document
        path: String,

        /// At most this many versions
        #[arg(long, value_name = "N", default_value_t = limits::HISTORY_SHOWN)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::HISTORY_SHOWN_MAX)))]
        limit: u32,
    },
    /// Show what differs between two versions, field by field
    ///
    /// Without --from and --to: what the last publish changed. With --from alone: what changed since. With --to alone:
    /// what that version changed.
    Diff(DiffConfig),
    /// Print each change as it lands, field by field
    Watch(WatchConfigs),
    /// Edit a document in $VISUAL or $EDITOR and publish it, unless somebody else changed it meanwhile
    Edit(EditConfig),
    /// Check a file without publishing it
    Lint(LintConfig),
    /// Remove a document; its history stays
    Delete(DeleteConfig),
}

#[derive(Debug, Args)]
pub(crate) struct Reason {
    /// Why, as history shows it
    #[arg(long, short, value_name = "TEXT", default_value = "")]
    pub(crate) message: String,
}

#[derive(Debug, Args)]
pub(crate) struct PutConfig {
    /// The document, such as push/room.toml
    pub(crate) path: String,

    /// The file, or - for standard input
    pub(crate) file: String,

    /// Refuse unless the document stands at this revision; 0: unless it does not exist
    #[arg(long, value_name = "REVISION")]
    pub(crate) expect: Option<u64>,

    /// How it is written; by the path's ending unless given
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatName>,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, Args)]
pub(crate) struct GetConfig {
    /// Which document
    pub(crate) path: String,

    /// As it was at this revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) revision: Option<u64>,

    /// The structure it was read as, in JSON, instead of the text
    #[arg(long)]
    pub(crate) value: bool,

    /// As one node has it, without a majority to confirm it; says how old that is
    #[arg(long, conflicts_with = "revision")]
    pub(crate) local: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffConfig {
    /// Which document
    pub(crate) path: String,

    /// The older version
    #[arg(long, value_name = "REVISION")]
    pub(crate) from: Option<u64>,

    /// The newer version
    #[arg(long, value_name = "REVISION")]
    pub(crate) to: Option<u64>,

    /// Compare with a file instead of a newer version; - for standard input
    #[arg(long, conflicts_with = "to")]
    pub(crate) file: Option<String>,

    /// Compare the texts line by line instead of the structures
    #[arg(long)]
    pub(crate) text: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchConfigs {
    /// Documents, or prefixes that end in "/"; everything by default
    #[arg(value_name = "PREFIX")]
    pub(crate) selectors: Vec<String>,

    /// Stop after the first change
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EditConfig {
    /// Which document
    pub(crate) path: String,

    /// Begin a document that does not exist yet
    #[arg(long)]
    pub(crate) create: bool,

    /// How the new document is written; by the path's ending unless given
    #[arg(long, value_enum, requires = "create")]
    pub(crate) format: Option<FormatName>,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, Args)]
pub(crate) struct LintConfig {
    /// The file, or - for standard input
    pub(crate) file: String,

    /// How it is written; by the file's ending unless given
    #[arg(long, value_enum, required_if_eq("file", "-"))]
    pub(crate) format: Option<FormatName>,

    /// Print the structure it is read as
    #[arg(long)]
    pub(crate) value: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteConfig {
    /// Which document
    pub(crate) path: String,

    /// Refuse unless the document stands at this revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) expect: Option<u64>,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    Toml,
    Yaml,
    Json,
    Ini,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Toml => Self::Toml,
            FormatName::Yaml => Self::Yaml,
            FormatName::Json => Self::Json,
            FormatName::Ini => Self::Ini,
        }
    }
}
