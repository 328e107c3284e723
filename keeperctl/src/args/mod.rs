//! What was typed. What it means is decided by the noun it names: `session.rs`, `instance.rs`, `config.rs`,
//! `control.rs`, `cluster.rs`.

mod ask;
mod bulk;
mod cluster;
mod config;
mod control;
mod elsewhere;
mod instance;
mod rollout;
mod scan;
mod select;
mod session;
mod share;
mod sync;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use keeper_client_sdk::Endpoint;

use crate::console::Output;
pub(crate) use ask::{ConvertConfig, EffectiveConfig, LintConfig, StatusConfig, Whom};
pub(crate) use bulk::{ApplyConfig, ExportConfig, ImportConfig, ImportSource};
pub(crate) use cluster::{AddMember, BackupCluster, ClusterVerb, MemberVerb};
pub(crate) use config::{
    ConfigVerb, DeleteConfig, DiffConfig, EditConfig, FormatName, GetConfig, Insistence, PutConfig, Reason,
    RollbackConfig, SecretsVerb, WatchConfigs,
};
pub(crate) use control::{ControlVerb, SendControl, Target};
pub(crate) use elsewhere::typed;
pub(crate) use instance::{InstanceName, InstanceVerb};
pub(crate) use rollout::{RolloutVerb, StartRollout, WhichRollout};
pub(crate) use scan::{PartStanding, ScanSessions, Standing};
pub(crate) use select::{PartName, SelectSessions};
pub(crate) use session::{
    CountSessions, GetSessions, GiveUp, KickSessions, ListSessions, SessionVerb, TopSessions, UserSessions,
    WatchSessions,
};
pub(crate) use share::{Share, TypedStage};
#[cfg(test)]
pub(crate) use sync::Pair;
pub(crate) use sync::SyncConfig;

/// A node of this machine, as `keeper dev` starts one.
pub(crate) const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:7400";

const AFTER_HELP: &str = "\
Data goes to standard output, words go to standard error.
Exit code: 0 done, 1 refused or not there, 2 wrong usage or failure.";

/// Asks and tells a Keeper cluster: sessions, instances, configs, controls, nodes.
#[derive(Debug, Parser)]
#[command(name = "keeperctl", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Typed {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Options {
    /// Nodes to begin with; the others are learnt from them
    #[arg(long, global = true, value_name = "URL,URL", env = "KEEPER_ENDPOINTS", value_delimiter = ',')]
    #[arg(default_value = DEFAULT_ENDPOINT, value_parser = endpoint)]
    pub(crate) endpoints: Vec<Endpoint>,

    /// How long to wait for an answer, tries on other nodes included
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = timeout)]
    pub(crate) timeout: Duration,

    /// Form of the data
    #[arg(long, short, global = true, value_enum, value_name = "FORM", default_value = "table")]
    pub(crate) output: Output,

    /// The same as `-o json`
    #[arg(long, global = true, conflicts_with = "output")]
    pub(crate) json: bool,

    /// Who asks for a change, as history shows it; nobody verifies it [default: $USER@host]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) author: Option<String>,
}

/// What a command is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Where users are connected
    Session {
        #[command(subcommand)]
        verb: SessionVerb,
    },
    /// Which processes live
    Instance {
        #[command(subcommand)]
        verb: InstanceVerb,
    },
    /// Config documents, versions and changes
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// What processes should do now
    Control {
        #[command(subcommand)]
        verb: ControlVerb,
    },
    /// The nodes themselves
    Cluster {
        #[command(subcommand)]
        verb: ClusterVerb,
    },
    /// Print what teaches a shell to complete commands, to be put where the shell looks for it
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn endpoint(typed: &str) -> Result<Endpoint, String> {
    Endpoint::parse(typed.trim()).map_err(|_| "a node is named http://HOST:PORT or HOST:PORT".to_owned())
}

fn timeout(typed: &str) -> Result<Duration, String> {
    let timeout =
        humantime::parse_duration(typed).map_err(|_| "type a number and a unit: 500ms, 10s, 1m".to_owned())?;
    // Nothing here is told, or can be kept, finer than that.
    let timeout = Duration::from_millis(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    if timeout.is_zero() {
        return Err("no answer comes in no time: type 500ms, 10s, 1m".to_owned());
    }
    Ok(timeout)
}

#[cfg(test)]
mod tests;
