//! The command line. Each command has its file; [`Failure`] tells `main` how it ended.

mod backup_verify;
mod check;
mod configured;
mod dev;
mod elsewhere;
mod forget;
mod fresh;
mod init;
mod logging;
mod member;
mod open_files;
mod restore;
mod run;
mod start;
mod stranger;
#[cfg(test)]
mod tests;

use std::fmt;

use clap::{Parser, Subcommand};

/// The Keeper daemon: sessions, configs and processes of a push system, replicated.
#[derive(Debug, Parser)]
#[command(name = "keeper", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node as its settings file says
    Start(start::Start),
    /// Run a cluster of one node on this machine; no settings needed
    Dev(dev::Dev),
    /// Found a cluster, once, through one of its running nodes
    Init(init::Init),
    /// Validate a settings file and start nothing
    Check(check::Check),
    /// Begin a new cluster with a backup: fill the data directory of its first node
    ///
    /// Configs, controls and policies are as in the backup. Sessions are unconfirmed until their gateways, which notice
    /// by themselves, have registered them again. Nothing is taken over of the members of the old cluster. Restore on
    /// one node, start all of them, then name them all with `keeper init`: the others receive the state.
    Restore(restore::Restore),
    /// Set the data of a damaged node aside, so that its cluster takes it in anew
    ///
    /// Nothing is deleted: the data is moved into a folder within the data directory. The node must not run.
    Forget(forget::Forget),
    /// Check every byte of a backup, and say what it holds
    ///
    /// Makes the state that is in it, which takes the memory that a node has for it. A damaged file is answered with
    /// exit code 1 and the offset of the damage.
    BackupVerify(backup_verify::BackupVerify),
}

impl Cli {
    /// What was typed; a mistake is told, and ends the process.
    pub(crate) fn typed() -> Self {
        Self::try_parse().unwrap_or_else(|mistake| elsewhere::point(mistake).exit())
    }

    /// Does what was asked.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Start(command) => command.run(),
            Command::Dev(command) => command.run(),
            Command::Init(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Restore(command) => command.run(),
            Command::Forget(command) => command.run(),
            Command::BackupVerify(command) => command.run(),
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A decision against it.
    Refused(String),
    /// Something is wrong, here or elsewhere.
    Failed(anyhow::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason),
            // With its sources, on one line.
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
