//! Every node dies at once: how long until a session that was there before is found again.
//!
//! The client lives through it, as a sender would, and asks for linearizable answers all the while. A miss is not an
//! answer: it would be a lost session, and fails the run.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::{Keeper, SessionKey};
use serde::Serialize;

use crate::{
    bench::Bench,
    fleet::Fleet,
    meter::Meter,
    report::{Figures, Row, rounded},
    workload::lookup::load,
};

const SESSIONS: [u64; 2] = [1_000_000, 10_000_000];
const SESSIONS_QUICK: [u64; 1] = [100_000];

/// How long the nodes may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long one lookup may wait: a short one, so that the next is asked when nodes have come back meanwhile.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(1);

/// Sessions that must be found once the first was.
const SAMPLE: u64 = 1_000;

#[derive(Debug, Serialize)]
pub(crate) struct Restart {
    pub(crate) sessions: u64,
    pub(crate) ms: f64,
}

impl Figures for Restart {
    const WORKLOAD: &'static str = "restart";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS_QUICK) {
        let mut cluster = bench.own_cluster("").await?;
        let fleet = Fleet::open(&cluster, "bench-restart").await?;
        load(bench, &fleet, sessions).await?;
        let keeper = cluster.client().operation_timeout(LOOKUP_PATIENCE).connect().await?;
        let key = fleet.users().key(sessions / 2)?;
        first_answer(&keeper, &key).await?;
        bench.say("  killing all nodes");
        let meter = Meter::start(&cluster)?;
        let killed = Instant::now();
        cluster.kill_all();
        cluster.launch_all()?;
        first_answer(&keeper, &key).await?;
        let ms = rounded(killed.elapsed().as_secs_f64() * 1e3);
        let cost = meter.stop(&cluster)?;
        let keys = (0..SAMPLE.min(sessions)).map(|user| fleet.users().key(user)).collect::<Result<Vec<_>, _>>()?;
        let found = keeper.lookup().many(&keys).await.context("looking for sessions after the restart")?.found;
        let missing = found.iter().filter(|it| it.is_none()).count() as u64;
        bench.row(&Row::new(&cluster, &cost, missing, Restart { sessions, ms }))?;
        drop((keeper, fleet));
        cluster.stop().await;
    }
    Ok(())
}

/// Asks until somebody answers.
async fn first_answer(keeper: &Keeper, key: &SessionKey) -> Result<()> {
    let lookup = keeper.lookup();
    let begun = Instant::now();
    loop {
        match lookup.session(key).await {
            Ok(answer) if answer.found.is_some() => return Ok(()),
            Ok(_) => bail!("{key} was registered and is gone"),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error).context("no answer after the restart"),
            Err(_) => {}
        }
    }
}
