//! What was typed about sessions.

use clap::{ArgGroup, Args, Subcommand};

use crate::{
    args::{InstanceName, PartName, ScanSessions, SelectSessions, select::selecting},
    limits,
    name::Name,
};

/// What to do about sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionVerb {
    /// Show where a user is connected, or was a moment ago
    Get(GetSessions),
    /// Walk over live sessions, a page at a time
    List(ListSessions),
    /// Walk over live sessions for a broadcast: in parts side by side, at a rate, resumable
    ///
    /// Prints every session that is live from the walk's beginning to its end exactly once, and says how to go on from
    /// where it was stopped, and with which `--since` to ask for those registered meanwhile.
    Scan(ScanSessions),
    /// Count live sessions, by instance
    Count(CountSessions),
    /// Show the topics with the most sessions, and the instances
    Top(TopSessions),
    /// Print who comes online, who leaves and who moves, as it happens
    Watch(WatchSessions),
    /// Show what happened to a user's sessions, for as far back as a node remembers
    Explain(UserSessions),
    /// End a user's sessions, or all that match; their gateways are told
    Kick(KickSessions),
    /// List the kicks that are remembered
    Kicks,
    /// Show what a kick has closed, and which gateways have confirmed it
    KickStatus {
        /// Its number, as `session kick` and `session kicks` print it
        kick: u64,
    },
    /// Show how far the registry is in being filled again after its state was lost
    RebuildStatus,
    /// Stop waiting for gateways that will not come back
    GiveUp(GiveUp),
}

#[derive(Debug, Args)]
pub(crate) struct GetSessions {
    #[command(flatten)]
    pub(crate) whose: UserSessions,

    /// As one node knows it, without a majority to confirm it; says how old that is
    #[arg(long)]
    pub(crate) local: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UserSessions {
    /// The user: text, or 0x and hex digits
    #[arg(value_parser = user)]
    pub(crate) user: Name,

    /// Only this device; all by default
    #[arg(long)]
    pub(crate) slot: Option<Name>,
}

#[derive(Debug, Args)]
pub(crate) struct ListSessions {
    #[command(flatten)]
    pub(crate) select: SelectSessions,

    /// Only one of K equal parts: 1/4 is the first of four
    #[arg(long, value_name = "I/K")]
    pub(crate) part: Option<PartName>,

    /// Only those registered after this revision
    #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
    pub(crate) since: u64,

    /// At most this many
    #[arg(long, value_name = "N", default_value_t = limits::SESSIONS_SHOWN)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,

    /// All of them, page after page
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,

    /// Go on where an earlier list ended: the token it gave
    #[arg(long, value_name = "TOKEN")]
    pub(crate) after: Option<Name>,
}

#[derive(Debug, Args)]
pub(crate) struct CountSessions {
    /// Only sessions bound to this topic
    #[arg(long, value_parser = selecting)]
    pub(crate) topic: Option<Name>,
}

#[derive(Debug, Args)]
pub(crate) struct TopSessions {
    /// At most this many topics, and this many instances
    #[arg(long, value_name = "N", default_value_t = limits::TOP_SHOWN)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::TOP_SHOWN_MAX)))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").args(["topic", "instance", "user_prefix"]))]
pub(crate) struct WatchSessions {
    /// Only sessions bound to this topic, as its subscribers see them
    #[arg(long, value_parser = selecting)]
    pub(crate) topic: Option<Name>,

    /// Only sessions that are, come to or go from this instance
    #[arg(long, value_name = "SERVICE/ID")]
    pub(crate) instance: Option<InstanceName>,

    /// Only users that begin with this: text, or 0x and hex digits
    #[arg(long, value_name = "USER", value_parser = selecting)]
    pub(crate) user_prefix: Option<Name>,

    /// Also connections that were replaced on the same instance
    #[arg(long)]
    pub(crate) reconnects: bool,

    /// Go on from here: the token of an earlier watch; from now on by default
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<Name>,

    /// Stop after this many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").args(["user", "topic", "instance", "user_prefix", "all_users"]))]
#[command(mut_group("whom", |whom| whom.multiple(true).required(true)))]
pub(crate) struct KickSessions {
    /// The user: text, or 0x and hex digits; or name others with the flags
    #[arg(value_parser = user, conflicts_with_all = ["topic", "instance", "user_prefix"])]
    pub(crate) user: Option<Name>,

    #[command(flatten)]
    pub(crate) select: SelectSessions,

    /// Those of all users in one slot
    #[arg(long, requires = "slot", conflicts_with_all = ["user", "topic", "instance", "user_prefix"])]
    pub(crate) all_users: bool,

    /// Told to the gateways
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,

    /// Count what would be closed, by instance, and close nothing
    #[arg(long, conflicts_with = "wait")]
    pub(crate) dry_run: bool,

    /// Wait until it is done and every gateway has confirmed that it closed the connections
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["instances", "all"]).required(true))]
pub(crate) struct GiveUp {
    /// Gateways that will not come back
    #[arg(value_name = "SERVICE/ID")]
    pub(crate) instances: Vec<InstanceName>,

    /// All that have not finished: the registry is whole from now on
    #[arg(long)]
    pub(crate) all: bool,
}

fn user(typed: &str) -> Result<Name, String> {
    if typed.is_empty() {
        return Err("a user has a name: text, or 0x and hex digits".to_owned());
    }
    typed.parse()
}
