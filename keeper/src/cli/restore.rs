//! `keeper restore`: the data directory of a new cluster, from a backup.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use keeper::backup::{BackupFile, RestoreFailed};
use keeper::node;
use keeper::problem::chain;

use super::{Failure, backup_verify, configured, open_files};

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup, as `keeperctl cluster backup` wrote it
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The settings of the node to begin with; its data directory must be empty, or not exist
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The cluster that the backup is of, if the new one has another name
    #[arg(long, value_name = "NAME")]
    backup_of: Option<String>,
}

impl Restore {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = configured::settings(&self.config)?;
        open_files::raise_limit();
        let backup = BackupFile::open(&self.from).map_err(backup_verify::failure)?;
        let of = self.backup_of.as_deref().unwrap_or(&settings.cluster);
        let restored = node::restore(&backup, &settings, of).map_err(failure)?;
        let (data_dir, node, cluster) =
            (settings.data_dir.display(), settings.node_id.unwrap_or_default(), &settings.cluster);
        let (revision, sessions, gateways) = (restored.revision.0, restored.sessions, restored.gateways);
        let mut out = io::stdout().lock();
        writeln!(out, "{data_dir}: cluster {cluster}, restored at revision {revision}")?;
        writeln!(out, "sessions unconfirmed: {sessions}; gateways awaited, to register them again: {gateways}")?;
        writeln!(out, "next: start node {node}, start the other nodes with empty directories, `keeper init` them all")?;
        Ok(())
    }
}

fn failure(error: RestoreFailed) -> Failure {
    if error.is_refusal() { Failure::Refused(chain(&error)) } else { error.into() }
}
