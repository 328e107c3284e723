//! `keeper forget`: an empty directory for a node whose data is of no use any more.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use keeper::clock;
use keeper::node::misplaced;
use keeper::problem::chain;
use keeper::store::{DataDirectory, DirectoryError};

use super::{Failure, configured};

/// Nobody can take it back once the others have lost their majority, and here nothing is known of the others.
const WARNING: &str = "warning: one node at a time: before the next, wait until `keeperctl cluster status` shows this \
one as a follower. A cluster survives one of three that are set aside, or two of five; beyond that nobody is left who \
could take them in";

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// The settings of the node, which must not run
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also the data of another member than the one that is reached at these addresses
    #[arg(long)]
    misplaced: bool,
}

impl Forget {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = configured::settings(&self.config)?;
        if let Some(found) = misplaced(&settings).filter(|_| !self.misplaced) {
            return Err(Failure::Refused(format!(
                "{found}: the data directories, or disks, of the two were swapped. Bring them back; set neither aside, it may \
                 be needed for a majority. `--misplaced` sets this one aside all the same"
            )));
        }
        let aside = DataDirectory::set_aside(&settings.data_dir, clock::wall_ms()).map_err(|error| {
            let is_running = matches!(error, DirectoryError::Locked { .. });
            if is_running { Failure::Refused(chain(&error)) } else { error.into() }
        })?;
        let mut out = io::stdout().lock();
        let data_dir = settings.data_dir.display();
        match aside {
            None => writeln!(out, "{data_dir} holds no data of a node: nothing was done")?,
            Some(aside) => {
                writeln!(out, "the data of {data_dir} lies in {} now", aside.display())?;
                writeln!(out, "next: start the node; its cluster takes it in anew, under a new number")?;
                writeln!(out, "{WARNING}")?;
            }
        }
        Ok(())
    }
}
