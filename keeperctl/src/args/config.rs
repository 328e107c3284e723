//! What was typed about configs.

use clap::{Args, Subcommand, ValueEnum};
use keeper_client_sdk::Format;

use crate::{
    args::{
        ApplyConfig, ConvertConfig, EffectiveConfig, ExportConfig, ImportConfig, LintConfig, RolloutVerb, Share,
        StatusConfig, SyncConfig,
    },
    limits,
};

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
    /// Write a file in another format; comments do not survive it
    Convert(ConvertConfig),
    /// Publish a past version anew
    Rollback(RollbackConfig),
    /// Show what an instance runs with, and which layer gave each field
    Effective(EffectiveConfig),
    /// Show which kinds of processes read a document, and by which schema
    Consumers {
        /// Which document
        path: String,

        /// Print the schemas as well
        #[arg(long)]
        schema: bool,
    },
    /// Show who runs with what of a document
    Status(StatusConfig),
    /// Remove a document; its history stays
    Delete(DeleteConfig),
    /// Write documents to a folder, a file each
    Export(ExportConfig),
    /// Make the documents what a folder says: one publish, against what was seen
    Apply(ApplyConfig),
    /// Keep files what documents say, for processes that cannot ask by themselves
    Sync(SyncConfig),
    /// Changes that a few instances get first
    Rollout {
        #[command(subcommand)]
        verb: RolloutVerb,
    },
    /// Fields that nobody but their readers sees
    Secrets {
        #[command(subcommand)]
        verb: SecretsVerb,
    },
    /// Take documents over from etcd, Nacos, Apollo or a plain folder
    Import(ImportConfig),
}

#[derive(Debug, Args)]
pub(crate) struct Reason {
    /// Why, as history shows it
    #[arg(long, short, value_name = "TEXT", default_value = "")]
    pub(crate) message: String,
}

/// Why a change is forced: an empty reason, as an unset variable of a shell leaves it, would force nothing.
pub(super) fn forced(typed: &str) -> Result<String, String> {
    if typed.trim().is_empty() { Err("the reason is empty".to_owned()) } else { Ok(typed.to_owned()) }
}

/// What is said to whoever speaks against a change.
#[derive(Debug, Default, Args)]
pub(crate) struct Insistence {
    /// Publish although schemas or processes speak against it; the reason is kept in the history
    #[arg(long, value_name = "REASON", value_parser = forced)]
    pub(crate) force: Option<String>,

    /// Show what would change, for whom, and what speaks against it
    #[arg(long)]
    pub(crate) dry_run: bool,
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

    /// Seal this field, such as push.token: only processes that read the document see it; may be repeated
    #[arg(long = "secret", value_name = "FIELD")]
    pub(crate) secrets: Vec<String>,

    /// Wait, for --timeout at most, until this share of the instances that read it say that they run with it
    #[arg(long, value_name = "SHARE", conflicts_with = "dry_run")]
    pub(crate) wait: Option<Share>,

    #[command(flatten)]
    pub(crate) insistence: Insistence,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackConfig {
    /// Which document
    pub(crate) path: String,

    /// The version to publish anew, as `history` shows it
    pub(crate) revision: u64,

    /// Refuse unless the document stands at this revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) expect: Option<u64>,

    /// Wait, for --timeout at most, until this share of the instances that read it say that they run with it
    #[arg(long, value_name = "SHARE", conflicts_with = "dry_run")]
    pub(crate) wait: Option<Share>,

    #[command(flatten)]
    pub(crate) insistence: Insistence,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

/// What to do about secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsVerb {
    /// List sealed fields, not what they hold
    List {
        /// Only documents whose paths begin with this
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
    },
    /// Seal every secret with the newest key
    Rotate {
        /// Only documents whose paths begin with this
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
    },
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
    #[arg(long, conflicts_with_all = ["revision", "reveal"])]
    pub(crate) local: bool,

    /// With its secrets, if the node is set to show them
    #[arg(long)]
    pub(crate) reveal: bool,
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

    /// Publish although schemas or processes speak against it; the reason is kept in the history
    #[arg(long, value_name = "REASON", value_parser = forced)]
    pub(crate) force: Option<String>,

    /// Publish without asking
    #[arg(long, short)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteConfig {
    /// Which document
    pub(crate) path: String,

    /// Refuse unless the document stands at this revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) expect: Option<u64>,

    #[command(flatten)]
    pub(crate) insistence: Insistence,

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
