//! `keeper-jepsen`: real processes, real faults, a checked history.
//!
//! `SEMANTICS.md` is the contract: what a history says and what is checked on it. The checks look at the history alone,
//! so that a saved one can be judged again.

mod check;
mod cluster;
mod history;
mod workload;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use keeper_client_sdk::Keeper;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{task::JoinSet, time};

use crate::{
    cluster::{Cluster, NODES},
    history::{History, NEMESIS},
};

/// Fewer acknowledged operations prove nothing.
const ACKNOWLEDGED_MIN: usize = 100;

/// Starts a cluster, breaks it, and checks what its clients saw.
#[derive(Debug, Parser)]
#[command(name = "keeper-jepsen", version)]
enum Typed {
    /// One run of one workload
    Run(Run),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// What the clients do
    #[arg(long, value_enum, default_value = "register")]
    workload: Workload,
    /// How long they do it
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many there are
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Chooses the victims, the pauses and the operations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the history is written
    #[arg(long, default_value = "target/jepsen.jsonl")]
    history: PathBuf,
    /// The daemon to test [default: the one beside this program]
    #[arg(long)]
    keeper: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    Register,
    Cas,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Typed::Run(run) = Typed::parse();
    let (words, code) = match run.run().await {
        Ok(violations) if violations.is_empty() => ("every invariant held".to_owned(), 0),
        Ok(violations) => (format!("{} violations:\n{}", violations.len(), violations.join("\n")), 1),
        Err(error) => (format!("no run: {error:#}"), 2),
    };
    say(&words);
    ExitCode::from(code)
}

fn say(words: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(io::stderr(), "{words}");
}

impl Run {
    async fn run(self) -> Result<Vec<String>> {
        let keeper = match self.keeper {
            Some(path) => path,
            None => std::env::current_exe()?.with_file_name("keeper"),
        };
        ensure!(keeper.exists(), "there is no {}: build it, or name one by --keeper", keeper.display());
        let history = Arc::new(History::create(&self.history)?);
        let mut cluster = Cluster::start(&keeper).await.context("the cluster does not start")?;
        let mut clients = JoinSet::new();
        for process in 0..self.clients {
            let client = Keeper::connect(cluster.endpoints()).await?;
            let random = StdRng::seed_from_u64(self.seed << 32 | u64::from(process));
            clients.spawn(workload::run(self.workload, client, i64::from(process), random, history.clone()));
        }
        let mut random = StdRng::seed_from_u64(self.seed);
        let nemesis = break_and_mend(&mut cluster, &mut random, &history);
        let ended = tokio::select! {
            never = nemesis => never.map(|never| match never {}),
            Some(client) = clients.join_next() => client.context("a client panicked")?.map(|never| match never {}),
            () = time::sleep(Duration::from_secs(self.seconds)) => Ok(()),
        };
        ended?;
        clients.shutdown().await;
        let events = history.close()?;
        let count = |f: &str, kind| events.iter().filter(|event| event.f == f && event.kind == kind).count();
        let kills = count("kill", history::Kind::Info);
        let acknowledged = events.iter().filter(|event| event.kind == history::Kind::Ok).count();
        let path = self.history.display();
        say(&format!("{acknowledged} operations acknowledged, {kills} kills; history in {path}"));
        ensure!(acknowledged >= ACKNOWLEDGED_MIN && kills > 0, "too little happened to prove anything");
        Ok(check::check(self.workload, &events))
    }
}

/// Kills one node at a time and starts it again, for ever.
async fn break_and_mend(
    cluster: &mut Cluster,
    random: &mut StdRng,
    history: &History,
) -> Result<std::convert::Infallible> {
    loop {
        time::sleep(Duration::from_millis(random.random_range(1_000..4_000))).await;
        let node = random.random_range(0..NODES);
        cluster.kill(node).await?;
        history.info(NEMESIS, "kill", &format!("node-{}", node + 1))?;
        time::sleep(Duration::from_millis(random.random_range(100..3_000))).await;
        cluster.launch(node)?;
        history.info(NEMESIS, "start", &format!("node-{}", node + 1))?;
    }
}
