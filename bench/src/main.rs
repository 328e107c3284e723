//! How fast, how late and how large Keeper is: `keeper-bench WORKLOAD`.
//!
//! Each workload starts three `keeper` processes of the same build on loopback, with data on disk, drives them through
//! the client library as an application would, and prints one line per measurement (`docs/benchmarks.md` says what each
//! field means). Nodes, load and disk share one machine: figures are for comparison on that machine and for nothing
//! else.
//!
//! [`workload`] holds one file per workload; the rest is what they share: the nodes ([`cluster`], [`node`]), the load
//! ([`crew`], [`fleet`]), the figures ([`latency`], [`meter`], [`process`]) and the lines ([`report`]).
//!
//! Whatever ends a run, its processes end first: they die with the values that own them.

mod args;
mod aside;
mod audience;
mod bench;
mod board;
mod bystanders;
mod churn;
mod cluster;
mod crew;
mod crowd;
mod desk;
mod document;
mod echo;
mod fleet;
mod gateway;
mod latency;
mod ledger;
mod meter;
mod metrics;
mod node;
mod open_loop;
mod ports;
mod process;
mod report;
mod search;
mod users;
mod wait;
mod witness;
mod workload;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::{Args, Part},
    bench::Bench,
};

/// What a push node that holds millions of connections runs with, and what the nodes do.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a blocking call may still take when a run was interrupted.
const EXIT_PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = Args::parse();
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when stderr is gone too.
            let _ = writeln!(io::stderr(), "keeper-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start(args: Args) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    // Thousands of watchers are thousands of sockets, here and in the nodes, which inherit the limit.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("raising the limit of open files")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.choice.threads)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let result = runtime.block_on(run(args));
    runtime.shutdown_timeout(EXIT_PATIENCE);
    result
}

async fn run(args: Args) -> Result<()> {
    match args.part {
        Some(Part::Gateway(gateway)) => gateway::serve(gateway).await,
        Some(Part::Node(node)) => node::become_keeper(&node),
        Some(Part::Echo) => echo::serve().await,
        None => {
            let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
            let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
            let mut bench = Bench::new(args.choice);
            tokio::select! {
                result = bench.run() => result,
                _ = interrupt.recv() => bail!("interrupted; every process it had started is stopped"),
                _ = terminate.recv() => bail!("terminated; every process it had started is stopped"),
            }
        }
    }
}
