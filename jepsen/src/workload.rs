//! What the clients do; see `SEMANTICS.md`.
//!
//! A workload has three parts: clients that work until they are stopped ([`Workload::spawn`]), a finish once every
//! fault is healed, which looks at everything that must still be there ([`Workload::finish`]), and the followers of
//! streams, which are stopped only when they have seen what the finish saw.

mod cas;
pub(crate) mod client;
pub(crate) mod config;
mod keys;
mod lease;
mod presence;
mod reflush;
mod register;
mod scan;
pub(crate) mod watch;

use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;
use keeper_client_sdk::Instance;
use tokio::{sync::watch as watch_channel, task::JoinSet};
use tokio_util::sync::CancellationToken;

use client::Office;
use keys::Keys;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Sessions with displacement
    Register,
    /// A document that is compared and set
    Cas,
    /// Documents that are followed
    Watch,
    /// Documents that processes run with, and rollouts of them
    Config,
    /// Leases that are renewed, closed and left alone
    Lease,
    /// Sessions that are followed
    Presence,
    /// Walks over sessions
    Scan,
    /// Gateways whose cluster loses its state
    Reflush,
}

/// What a client leaves when it ends: a lease that must outlive it, because sessions end with their lease.
pub(crate) type Left = Option<Instance>;

/// Clients at work, and what ends them.
pub(crate) struct Crowd {
    /// Those who change things or ask; each ends soon after `stop`.
    pub(crate) workers: JoinSet<Result<Left>>,
    /// Those who follow streams or hold something. They see the finish.
    pub(crate) followers: JoinSet<Result<Left>>,
    pub(crate) stop: CancellationToken,
    /// The revision at which followers may end, once it is known.
    pub(crate) last_revision: watch_channel::Sender<Option<u64>>,
}

impl Crowd {
    fn new() -> Self {
        let last_revision = watch_channel::Sender::new(None);
        let (workers, followers, stop) = (JoinSet::new(), JoinSet::new(), CancellationToken::new());
        Self { workers, followers, stop, last_revision }
    }
}

impl Workload {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Cas => "cas",
            Self::Watch => "watch",
            Self::Config => "config",
            Self::Lease => "lease",
            Self::Presence => "presence",
            Self::Scan => "scan",
            Self::Reflush => "reflush",
        }
    }

    /// What must have been acknowledged at least once.
    pub(crate) const fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Register => &["register", "unregister", "lookup", "local", "at-least"],
            Self::Cas => &["read", "write", "cas"],
            Self::Watch => &["publish", "watch", "read"],
            Self::Config => &["publish", "rollout", "look", "take", "refuse", "status", "final-publish"],
            Self::Lease => &["open", "held", "close", "abandon", "list", "changes", "final-list"],
            Self::Presence => &["register", "unregister", "follow", "final-lookup"],
            Self::Scan => &["register", "unregister", "scan", "tail"],
            Self::Reflush => &["connect", "lookup", "final-lookup"],
        }
    }

    /// Whether the run must make the cluster lose its state.
    pub(crate) fn loses_state(self) -> bool {
        self == Self::Reflush
    }

    /// Sets clients to work. Returns when each has what it needs to begin.
    pub(crate) async fn spawn(self, office: &Arc<Office>, clients: u32) -> Result<Crowd> {
        let mut crowd = Crowd::new();
        let keys = Arc::new(Keys::new(self.name()));
        for number in 0..clients {
            let client = office.client(number).await?;
            match self {
                Self::Register => register::spawn(&mut crowd, client, keys.clone()).await?,
                Self::Cas => cas::spawn(&mut crowd, client, keys.clone()),
                Self::Watch => watch::spawn(&mut crowd, client, number),
                Self::Config => config::spawn(&mut crowd, client, number),
                Self::Lease => lease::spawn(&mut crowd, client, number),
                Self::Presence => presence::spawn(&mut crowd, client, number).await?,
                Self::Scan => scan::spawn(&mut crowd, client, number).await?,
                Self::Reflush => reflush::spawn(&mut crowd, client, number).await?,
            }
        }
        Ok(crowd)
    }

    /// Looks at everything that must still be there, when nobody changes anything any more. Returns the last revision
    /// that followers must have seen.
    pub(crate) async fn finish(self, office: &Arc<Office>) -> Result<u64> {
        let mut client = office.client(client::FINISHER).await?;
        match self {
            Self::Register => register::finish(&mut client).await,
            Self::Cas => cas::finish(&mut client).await,
            Self::Watch => watch::finish(&mut client).await,
            Self::Config => config::finish(&mut client).await,
            Self::Lease => lease::finish(&mut client).await,
            Self::Presence => presence::finish(&mut client).await,
            Self::Scan => scan::finish(&mut client).await,
            Self::Reflush => reflush::finish(&mut client).await,
        }
    }
}
