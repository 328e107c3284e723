//! What was typed about nodes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do about nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVerb {
    /// Ask every node how it is: those named, and the members they know
    ///
    /// Fails with exit code 1 when no node leads or replicas differ, and with 2 when no node answers.
    Status,
    /// Write the whole state to a file, from one node, while all go on working
    ///
    /// The file appears when it is complete and on the disk, or not at all. `keeper backup-verify` checks one, and
    /// `keeper restore` begins a new cluster with it.
    Backup(BackupCluster),
}

/// What to back up.
#[derive(Debug, Args)]
pub(crate) struct BackupCluster {
    /// Where to; it must not exist
    pub(crate) file: PathBuf,

    /// Take it from this node [default: a follower, to spare the leader]
    #[arg(long, value_name = "NODE")]
    pub(crate) from: Option<u64>,

    /// Take what the node has, without a majority to confirm that nothing is missing: for a cluster that has lost it
    #[arg(long)]
    pub(crate) local: bool,
}
