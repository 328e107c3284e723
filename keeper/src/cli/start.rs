//! `keeper start`.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, configured, logging, open_files, run};

#[derive(Debug, Args)]
pub(super) struct Start {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Start {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = configured::settings(&self.config)?;
        logging::begin(&settings.log)?;
        open_files::raise_limit();
        for warning in settings.warnings() {
            tracing::warn!("{warning}");
        }
        run::node(settings, async |node| {
            run::says_that_it_runs(node);
            Ok(())
        })
    }
}
