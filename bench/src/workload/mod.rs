//! The workloads: one file each, and this list of them.
//!
//! A workload starts what it needs, measures, and hands over its lines; whatever it started ends with it. To add one: a
//! file with its figures and `run`, a variant here, its fields in the test of `report`, a section in
//! `docs/benchmarks.md`.

pub(crate) mod applied;
pub(crate) mod documents;
pub(crate) mod expire;
pub(crate) mod failover;
pub(crate) mod footprint;
pub(crate) mod limits;
pub(crate) mod lookup;
pub(crate) mod lookup_many;
pub(crate) mod mixed;
pub(crate) mod presence;
pub(crate) mod publish;
pub(crate) mod register;
pub(crate) mod restart;
pub(crate) mod scan;
pub(crate) mod storm;
pub(crate) mod watch;

use anyhow::Result;
use clap::ValueEnum;

use std::time::Duration;

use crate::{bench::Bench, crew::Measured};

/// How long loading sessions may take.
const LOAD_PATIENCE: Duration = Duration::from_secs(900);

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Registering sessions, one at a time per caller
    Register,
    /// Looking up users, one at a time per caller
    Lookup,
    /// Looking up many users with one call
    LookupMany,
    /// From publishing a document to each watcher's receipt
    Watch,
    /// Publishing documents
    Publish,
    /// From publishing a document until every process has applied it
    Applied,
    /// Ten thousand documents: restart, effective documents, the price of a past
    Documents,
    /// A gateway dies with all its sessions
    Expire,
    /// Gateways lose their incarnations and register everything again
    Storm,
    /// The churn of the largest population that holds, with lookups beside
    Mixed,
    /// Telling who comes and goes
    Presence,
    /// Walking over all sessions while others register
    Scan,
    /// Memory and disk per session, and a snapshot's effect
    Footprint,
    /// Every node dies at once, until the first answer
    Restart,
    /// The leader dies, until the next acknowledged write
    Failover,
    /// What the machine can do without Keeper
    Limits,
}

impl Workload {
    /// In the order they are worth reading.
    pub(crate) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Lookup => "lookup",
            Self::LookupMany => "lookup-many",
            Self::Watch => "watch",
            Self::Publish => "publish",
            Self::Applied => "applied",
            Self::Documents => "documents",
            Self::Expire => "expire",
            Self::Storm => "storm",
            Self::Mixed => "mixed",
            Self::Presence => "presence",
            Self::Scan => "scan",
            Self::Footprint => "footprint",
            Self::Restart => "restart",
            Self::Failover => "failover",
            Self::Limits => "limits",
        }
    }

    pub(crate) async fn run(self, bench: &mut Bench) -> Result<()> {
        match self {
            Self::Register => register::run(bench).await,
            Self::Lookup => lookup::run(bench).await,
            Self::LookupMany => lookup_many::run(bench).await,
            Self::Watch => watch::run(bench).await,
            Self::Publish => publish::run(bench).await,
            Self::Applied => applied::run(bench).await,
            Self::Documents => documents::run(bench).await,
            Self::Expire => expire::run(bench).await,
            Self::Storm => storm::run(bench).await,
            Self::Mixed => mixed::run(bench).await,
            Self::Presence => presence::run(bench).await,
            Self::Scan => scan::run(bench).await,
            Self::Footprint => footprint::run(bench).await,
            Self::Restart => restart::run(bench).await,
            Self::Failover => failover::run(bench).await,
            Self::Limits => limits::run(bench).await,
        }
    }
}

/// Says why calls failed, when some did.
fn tell_errors(bench: &Bench, measured: &Measured) {
    if let Some(error) = &measured.error {
        bench.say(&format!("  {} calls failed while measured, for example: {error:#}", measured.errors));
    }
}
