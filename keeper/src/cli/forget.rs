//! `keeper forget`: an empty directory for a node whose data is of no use any more.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use keeper::clock;
use keeper::problem::chain;
use keeper::settings::Settings;
use keeper::store::{DataDirectory, DirectoryError};

use super::Failure;

/// Nobody can take it back once the others have lost their majority, and here nothing is known of the others.
const WARNING: &str = "warning: one node at a time: before the next, wait until `keeperctl cluster status` shows this \
one as a follower. A cluster survives one of three that are set aside, or two of five; beyond that nobody is left who \
could take them in";

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// The settings of the node, which must not run
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Forget {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = Settings::read(&self.config).with_context(|| self.config.display().to_string())?;
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
