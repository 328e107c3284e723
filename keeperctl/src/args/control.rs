//! What was typed about controls.

use std::{fmt, str::FromStr, time::Duration};

use clap::{Args, Subcommand};

use crate::{args::timeout, name::Name};

/// What to do about controls.
#[derive(Debug, Subcommand)]
pub(crate) enum ControlVerb {
    /// Tell live instances what to do now
    Send(SendControl),
    /// Show who has answered what
    Status {
        /// Its number, as `control send` prints it
        control: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SendControl {
    /// Whom: all instances of a service, or one
    #[arg(value_name = "SERVICE[/ID]")]
    pub(crate) target: Target,

    /// What to do: drain, reload, log-level, or a name the application knows
    pub(crate) action: String,

    /// The application's to read: text, or 0x and hex digits; at most 4 KiB
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) argument: Name,

    /// For how long it is worth doing
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = timeout)]
    pub(crate) deadline: Duration,

    /// Wait until every instance has answered or is gone, or the deadline has passed
    #[arg(long)]
    pub(crate) wait: bool,
}

/// A service, or one instance of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) service: String,
    /// None: all.
    pub(crate) id: Option<String>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let (service, id) = typed.split_once('/').map_or((typed, None), |(service, id)| (service, Some(id)));
        if service.is_empty() || id == Some("") {
            return Err("name a service, or an instance as SERVICE/ID".to_owned());
        }
        Ok(Self { service: service.to_owned(), id: id.map(str::to_owned) })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(formatter, "{}/{id}", self.service),
            None => formatter.write_str(&self.service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_service_or_one_of_it() {
        assert_eq!("room".parse::<Target>().map(|it| it.id), Ok(None));
        assert_eq!("room/r1".parse::<Target>().map(|it| it.to_string()), Ok("room/r1".into()));
        for typed in ["", "/r1", "room/"] {
            assert_eq!(typed.parse::<Target>(), Err("name a service, or an instance as SERVICE/ID".into()));
        }
    }
}
