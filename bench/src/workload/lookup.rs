//! Looking up users: callers that each await one user at a time, each time another one, through one client.
//!
//! Only users that are there are asked for, and a miss counts as an error.

use anyhow::{Result, bail};
use keeper_client_sdk::{Consistency, Lookup as Client, SessionKey};
use serde::Serialize;

use crate::{
    bench::Bench,
    cluster::Cluster,
    crew::{Measured, Pace, measure},
    fleet::Fleet,
    report::{Figures, Row, rounded},
    users::mix,
};

const CALLERS: [usize; 3] = [1, 64, 1_024];
const SESSIONS: [u64; 1] = [200_000];

/// How fresh answers must be, as lines name it.
pub(crate) const CONSISTENCIES: [(&str, Consistency); 2] =
    [("linearizable", Consistency::Linearizable), ("local", Consistency::Local)];

#[derive(Debug, Serialize)]
pub(crate) struct Lookup {
    pub(crate) callers: usize,
    pub(crate) consistency: &'static str,
    pub(crate) sessions: u64,
    pub(crate) ops_per_s: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

impl Figures for Lookup {
    const WORKLOAD: &'static str = "lookup";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS) {
        let cluster = bench.cluster().await?;
        let fleet = Fleet::open(&cluster, "bench-lookup").await?;
        load(bench, &fleet, sessions).await?;
        for (consistency, freshness) in CONSISTENCIES {
            for callers in bench.callers(&CALLERS) {
                let pace = Pace::new(callers, bench.seconds(10, 2));
                bench.say(&format!("  {consistency}, {callers} callers, {:?}", pace.measured));
                let client = fleet.keeper().lookup().consistency(freshness);
                let measured = look_up(&cluster, pace, &fleet, &client, sessions).await?;
                super::tell_errors(bench, &measured);
                let latencies = &measured.latencies;
                let figures = Lookup {
                    callers,
                    consistency,
                    sessions,
                    ops_per_s: rounded(measured.per_second()),
                    p50_us: latencies.p50_us(),
                    p99_us: latencies.p99_us(),
                    max_us: latencies.max_us(),
                };
                bench.row(&Row::new(&cluster, &measured.cost, measured.errors, figures))?;
            }
        }
        drop(fleet);
        cluster.stop().await;
    }
    Ok(())
}

/// Registers sessions, all of them, and waits until every node has them: a local read may ask any.
pub(crate) async fn load(bench: &Bench, fleet: &Fleet, sessions: u64) -> Result<()> {
    bench.say(&format!("  loading {sessions} sessions"));
    let loaded = fleet.load(sessions, super::LOAD_PATIENCE).await?;
    if loaded < sessions {
        bail!("only {loaded} of {sessions} sessions in {:?}", super::LOAD_PATIENCE);
    }
    Ok(())
}

async fn look_up(cluster: &Cluster, pace: Pace, fleet: &Fleet, client: &Client, sessions: u64) -> Result<Measured> {
    let (users, client) = (fleet.users(), client.clone());
    measure(cluster, pace, move |number| {
        let client = client.clone();
        // Another user each time, in no order that a cache could guess.
        let key = users.key(mix(number) % sessions);
        async move { find(&client, key?).await }
    })
    .await
}

async fn find(client: &Client, key: SessionKey) -> Result<()> {
    if client.session(&key).await?.found.is_none() {
        bail!("{key} was not found");
    }
    Ok(())
}
