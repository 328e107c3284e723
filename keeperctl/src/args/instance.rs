//! What was typed about instances.

use std::{fmt, str::FromStr};

use clap::Subcommand;

/// What to do about instances.
#[derive(Debug, Subcommand)]
pub(crate) enum InstanceVerb {
    /// List live instances
    List {
        /// Only this service
        service: Option<String>,
    },
    /// Show everything about a live instance
    Show {
        /// Which one
        #[arg(value_name = "SERVICE/ID")]
        name: InstanceName,
    },
}

/// A process, as tables print it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceName {
    pub(crate) service: String,
    pub(crate) id: String,
}

impl FromStr for InstanceName {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let parts = typed.split_once('/').filter(|(service, id)| !service.is_empty() && !id.is_empty());
        let (service, id) = parts.ok_or("an instance is named SERVICE/ID, as `keeperctl instance list` prints it")?;
        Ok(Self { service: service.to_owned(), id: id.to_owned() })
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.service, self.id)
    }
}
