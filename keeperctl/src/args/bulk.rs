//! What was typed about many documents at once: folders, and what other keepers of config hold.

use clap::{Args, ValueEnum};

use crate::args::{FormatName, Reason, config::forced};

#[derive(Debug, Args)]
pub(crate) struct ExportConfig {
    /// Which folder; it is made if it is not there
    pub(crate) folder: String,

    /// Only the documents of this folder, or this document
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,

    /// Remove files of documents that are there no more
    #[arg(long)]
    pub(crate) prune: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyConfig {
    /// Which folder, as `export` writes one
    pub(crate) folder: String,

    /// Only files and documents of this folder, or this document
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,

    /// Show what would change, for whom, and what speaks against it
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Remove documents that the folder does not hold; those below keeper/ only if --prefix says so
    #[arg(long)]
    pub(crate) prune: bool,

    /// Prune even if the folder holds no document, which removes all of them
    #[arg(long, requires = "prune")]
    pub(crate) prune_all: bool,

    /// Make several publishes of more changes than one can hold; each is whole or not at all
    #[arg(long)]
    pub(crate) in_batches: bool,

    /// Publish although schemas or processes speak against it; the reason is kept in the history
    #[arg(long, value_name = "REASON", value_parser = forced)]
    pub(crate) force: Option<String>,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

/// What holds documents beside a cluster of Keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportSource {
    /// What `etcdctl get --prefix P -w json` printed
    Etcd,
    /// The zip that the console of Nacos exports
    Nacos,
    /// A namespace that the portal of Apollo exports, or a folder of them
    Apollo,
    /// A folder of files
    Folder,
}

#[derive(Debug, Args)]
pub(crate) struct ImportConfig {
    /// What it comes from
    #[arg(value_enum)]
    pub(crate) from: ImportSource,

    /// The file or folder, or - for standard input
    pub(crate) source: String,

    /// Take this off the beginning of names
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) strip: String,

    /// Put all of them into this folder
    #[arg(long, value_name = "FOLDER", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,

    /// The path of what has this name in the source; may be repeated
    #[arg(long = "rename", value_name = "NAME=PATH", value_parser = rename)]
    pub(crate) renames: Vec<(String, String)>,

    /// How that is written of which neither its ending nor the source says it
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatName>,

    /// Replace documents that exist
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Leave behind what cannot be taken, and take the others
    #[arg(long)]
    pub(crate) skip: bool,

    /// Show what would be published
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) reason: Reason,
}

/// The path has no `=`, which names may have.
fn rename(typed: &str) -> Result<(String, String), String> {
    let parts = typed.rsplit_once('=').filter(|(name, path)| !name.is_empty() && !path.is_empty());
    let (name, path) = parts.ok_or("type the name in the source, `=`, and the path: NAME=PATH")?;
    Ok((name.to_owned(), path.to_owned()))
}
