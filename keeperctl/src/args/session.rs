//! What was typed about sessions.

use clap::{Args, Subcommand};

use crate::{args::InstanceName, limits, name::Name};

/// What to do about sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionVerb {
    /// Show where a user is connected
    Get(GetSession),
    /// Walk over live sessions
    List(ListSessions),
    /// Count live sessions, by instance
    Count(CountSessions),
    /// End a user's sessions; their gateways are told
    Kick(KickSession),
}

#[derive(Debug, Args)]
pub(crate) struct GetSession {
    /// The user: text, or 0x and hex digits
    #[arg(value_parser = user)]
    pub(crate) user: Name,

    /// Only this device; all by default
    #[arg(long)]
    pub(crate) slot: Option<Name>,
}

#[derive(Debug, Args)]
pub(crate) struct ListSessions {
    /// Only sessions of this instance
    #[arg(long, value_name = "SERVICE/ID")]
    pub(crate) instance: Option<InstanceName>,

    /// Only users that begin with this: text, or 0x and hex digits
    #[arg(long)]
    pub(crate) prefix: Option<Name>,

    /// Only sessions bound to this topic
    #[arg(long)]
    pub(crate) topic: Option<Name>,

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
    #[arg(long)]
    pub(crate) topic: Option<Name>,
}

#[derive(Debug, Args)]
pub(crate) struct KickSession {
    /// The user: text, or 0x and hex digits
    #[arg(value_parser = user)]
    pub(crate) user: Name,

    /// Only this device; all by default
    #[arg(long)]
    pub(crate) slot: Option<Name>,

    /// Told to the gateways
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

fn user(typed: &str) -> Result<Name, String> {
    if typed.is_empty() {
        return Err("a user has a name: text, or 0x and hex digits".to_owned());
    }
    typed.parse()
}
