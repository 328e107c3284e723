//! `keeper-jepsen`: real processes, real faults, checked histories.
//!
//! `SEMANTICS.md` is the contract: what a history says and what is checked on it. The checks look at the history alone,
//! so that a saved one can be judged again.

mod check;
mod cluster;
mod command;
mod failover;
mod history;
mod image;
mod leftovers;
mod nemesis;
mod network;
mod node;
mod operation;
mod probe;
mod results;
mod run;
mod seats;
mod suite;
mod tally;
mod timeline;
mod workload;
mod world;

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, ValueEnum};
use tokio::{runtime::Builder, signal::unix};

use crate::{
    cluster::Builds,
    leftovers::Ledger,
    nemesis::{Fault, Needs},
    network::Network,
    run::Order,
    workload::Workload,
};

/// Starts a cluster, breaks it, and checks what its clients saw.
#[derive(Debug, Parser)]
#[command(name = "keeper-jepsen", version)]
enum Typed {
    /// One run of one workload
    Run(Run),
    /// Every workload under every mix of faults, for as long as wanted; goes on where it stopped
    Suite(suite::Suite),
    /// Judges a saved history
    Check(Check),
    /// Which faults can be made here
    Probe,
}

#[derive(Debug, Args)]
struct Run {
    /// What the clients do
    #[arg(long, value_enum, default_value = "register")]
    workload: Workload,
    /// What befalls the cluster meanwhile
    #[arg(long, value_enum, value_delimiter = ',', default_value = "kill,pause,partition")]
    nemesis: Vec<Fault>,
    /// How long they do it
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many nodes
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// How many clients
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Chooses the victims, the pauses and the operations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the history is written; the logs of the nodes lie beside it
    #[arg(long, default_value = "target/jepsen/run.jsonl")]
    history: PathBuf,
    /// The daemon to test [default: the one beside this program]
    #[arg(long)]
    keeper: Option<PathBuf>,
    /// A folder with the daemon of an older build, which the nodes begin with: for `--nemesis upgrade`
    #[arg(long)]
    old_binaries: Option<PathBuf>,
    /// Where nodes stand
    #[arg(long, value_enum, default_value = "routed")]
    network: Standpoint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Standpoint {
    /// Each in a network namespace of its own, behind a router; needs root
    Routed,
    /// On loopback: no partitions, no packets
    Loopback,
}

#[derive(Debug, Args)]
struct Check {
    /// The history
    history: PathBuf,
    /// What its clients did
    #[arg(long, value_enum)]
    workload: Workload,
}

fn main() -> ExitCode {
    let ended = match Typed::parse() {
        Typed::Run(run) => run.run(),
        Typed::Suite(suite) => suite.run(),
        Typed::Check(check) => check.run(),
        Typed::Probe => probe_all(),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            say(&format!("no run: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn say(words: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(io::stderr(), "{words}");
}

impl Run {
    /// Returns whether every invariant held.
    fn run(self) -> Result<bool> {
        let old = self.old_binaries.map(|folder| folder.join("keeper"));
        let order = Order {
            builds: Builds { newest: daemon(self.keeper)?, old },
            workload: self.workload,
            faults: self.nemesis,
            nodes: self.nodes,
            clients: self.clients,
            seconds: self.seconds,
            seed: self.seed,
            history: self.history,
        };
        let verdict = perform(&order, self.network)?;
        say(&results::summary(&order, &verdict));
        if !verdict.violations.is_empty() {
            let page = order.history.with_extension("html");
            timeline::write(&page, &verdict.events, &verdict.violations)?;
            say(&format!("timeline in {}", page.display()));
        }
        if !verdict.missing.is_empty() {
            bail!("too little happened to prove anything: {}", verdict.missing.join("; "));
        }
        Ok(verdict.violations.is_empty())
    }
}

impl Check {
    fn run(self) -> Result<bool> {
        let events = history::read(&self.history)?;
        let violations = check::check(self.workload, &events);
        say(&results::told(&violations));
        if !violations.is_empty() {
            timeline::write(&self.history.with_extension("html"), &events, &violations)?;
        }
        Ok(violations.is_empty())
    }
}

/// The daemon named, or the one beside this program.
fn daemon(named: Option<PathBuf>) -> Result<PathBuf> {
    match named {
        Some(path) => Ok(path),
        None => Ok(std::env::current_exe()?.with_file_name("keeper")),
    }
}

/// Whoever called has had enough; nothing is begun behind it.
#[derive(Debug)]
struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl Error for Interrupted {}

/// Makes the world, runs in it, and leaves nothing behind.
fn perform(order: &Order, standpoint: Standpoint) -> Result<run::Verdict> {
    let ledger = Arc::new(Ledger::open()?);
    let mut needs = Needs::of(&order.faults);
    if standpoint == Standpoint::Loopback && needs.namespaces {
        bail!("partitions and packets need --network routed");
    }
    needs.namespaces |= standpoint == Standpoint::Routed;
    probe::demand(&needs, &ledger)?;
    let network = match standpoint {
        Standpoint::Routed => Network::routed(order.places(), &ledger)?,
        Standpoint::Loopback => Network::Loopback,
    };
    let ledger_of_run = ledger.clone();
    // On a thread of its own, because a thread that has entered a namespace stays there.
    let work = move |order: Order| -> Result<run::Verdict> {
        network.enter()?;
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut terminate = unix::signal(unix::SignalKind::terminate())?;
            tokio::select! {
                verdict = order.run(network, ledger_of_run) => verdict,
                _ = tokio::signal::ctrl_c() => bail!(Interrupted),
                _ = terminate.recv() => bail!(Interrupted),
            }
        })
    };
    let order = order.clone();
    let thread = std::thread::Builder::new().name("run".to_owned()).spawn(move || work(order))?;
    thread.join().map_err(|_| anyhow::anyhow!("the run panicked")).and_then(|verdict| verdict.context("the run"))
}

/// Tries every fault there is.
fn probe_all() -> Result<bool> {
    let ledger = Ledger::open()?;
    let needs = Needs { namespaces: true, queue: true, shim: true, image: true };
    let mut is_all = true;
    for found in probe::probe(&needs, &ledger) {
        match found.tried {
            Ok(()) => say(&format!("can: {}", found.name)),
            Err(error) => {
                is_all = false;
                say(&format!("cannot: {}: {error:#} ({})", found.name, found.remedy));
            }
        }
    }
    Ok(is_all)
}
