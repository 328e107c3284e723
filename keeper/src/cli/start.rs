//! `keeper start`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use keeper::node::Addresses;
use keeper::settings::Settings;

use super::{Failure, logging, open_files, run};

#[derive(Debug, Args)]
pub(super) struct Start {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Start {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = Settings::read(&self.config).with_context(|| self.config.display().to_string())?;
        logging::begin(&settings.log)?;
        open_files::raise_limit();
        for warning in settings.warnings() {
            tracing::warn!("{warning}");
        }
        run::node(settings, async |node| {
            let Addresses { client, peer, http } = node.addresses();
            tracing::info!(%client, %peer, %http, "the node runs");
            Ok(())
        })
    }
}
