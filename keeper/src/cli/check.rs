//! `keeper check`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use keeper::node::{KeysError, check_keys};
use keeper::problem::chain;
use keeper::settings::{Settings, SettingsError};

use super::Failure;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let path = self.config.display();
        let settings = Settings::read(&self.config).map_err(|error| match error {
            SettingsError::Read { .. } => Failure::from(error),
            SettingsError::Syntax(_) | SettingsError::Invalid(_) => Failure::Refused(format!("{path}: {error}")),
        })?;
        for warning in settings.warnings() {
            writeln!(io::stderr(), "warning: {warning}")?;
        }
        check_keys(&settings.secrets).map_err(|error| match error {
            KeysError::Read { .. } => Failure::from(error),
            KeysError::Parse { .. } => Failure::Refused(format!("{path}: {}", chain(&error))),
        })?;
        let cluster = &settings.cluster;
        match settings.node_id {
            Some(node) => writeln!(io::stdout(), "{path} is valid: node {node} of cluster {cluster}")?,
            None => writeln!(io::stdout(), "{path} is valid: a node that joins cluster {cluster}")?,
        }
        Ok(())
    }
}
