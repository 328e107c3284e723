//! Gateways lose their incarnations together, and register everything they hold again at full speed: how long it
//! takes, and what everybody else notices.
//!
//! Ten gateways, each a client of its own, share the sessions. All of them open a new incarnation at once, which ends
//! the old one and hides its sessions, and register as fast as the cluster takes it, until the last one is
//! acknowledged. What others notice is told by [`Bystanders`]: "before" is the time up to the loss, "during" the time
//! up to the last registration. At the end every session is counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use keeper_client_sdk::{Instance, Keeper};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    bench::Bench,
    bystanders::{Bystanders, Noticed},
    cluster::Cluster,
    fleet::{Writer, load},
    meter::Meter,
    report::{Figures, Row, rounded},
    users::Users,
    workload::LOAD_PATIENCE,
};

const SESSIONS: [u64; 1] = [1_000_000];
const SESSIONS_QUICK: [u64; 1] = [100_000];

const GATEWAYS: usize = 10;

/// Of the gateways of the storm: what ends them is the next incarnation alone.
const TTL: Duration = Duration::from_secs(120);

/// Callers of each of them: a full window of full frames, so that nothing but the cluster holds them up.
const CALLERS: usize = 4_096;

/// A registration that failed is tried again after this.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

#[derive(Debug, Serialize)]
pub(crate) struct Storm {
    pub(crate) gateways: usize,
    pub(crate) sessions: u64,
    pub(crate) ops_per_s: f64,
    pub(crate) seconds_to_all: f64,
    pub(crate) healthy_leases_lost: u64,
    pub(crate) config_p99_us_before: u64,
    pub(crate) config_p99_us_during: u64,
    pub(crate) lookup_p99_us_during: u64,
}

impl Figures for Storm {
    const WORKLOAD: &'static str = "storm";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS_QUICK) {
        let cluster = bench.cluster().await?;
        storm(bench, &cluster, sessions).await?;
        cluster.stop().await;
    }
    Ok(())
}

async fn storm(bench: &mut Bench, cluster: &Cluster, sessions: u64) -> Result<()> {
    let bystanders = Bystanders::open(cluster).await?;
    let mut herd = Herd::open(cluster).await?;
    bench.say(&format!("  {GATEWAYS} gateways load {sessions} sessions"));
    herd.load(sessions).await?;
    let time = bench.seconds(10, 5);
    bench.say(&format!("  {time:?} of quiet, then the storm"));
    bystanders.take();
    tokio::time::sleep(time).await;
    let before = bystanders.take();
    let meter = Meter::start(cluster)?;
    let begun = Instant::now();
    herd.lose().await?;
    let failed = herd.register_all(sessions).await?;
    let seconds_to_all = begun.elapsed().as_secs_f64();
    let cost = meter.stop(cluster)?;
    let (during, healthy_leases_lost) = bystanders.finish().await?;
    let missing = herd.missing(sessions).await?;
    if failed.count + missing > 0 {
        let example = failed.example.map_or_else(String::new, |it| format!(", for example: {it:#}"));
        bench.say(&format!("  {missing} sessions are missing; {} registrations failed{example}", failed.count));
    }
    tell(bench, "before", &before);
    tell(bench, "during", &during);
    let figures = Storm {
        gateways: GATEWAYS,
        sessions,
        ops_per_s: rounded(sessions as f64 / seconds_to_all),
        seconds_to_all: rounded(seconds_to_all),
        healthy_leases_lost,
        config_p99_us_before: before.config.latencies.p99_us(),
        config_p99_us_during: during.config.latencies.p99_us(),
        lookup_p99_us_during: during.lookups.latencies.p99_us(),
    };
    let errors = failed.count + missing + during.lookups.errors + during.config.errors;
    bench.row(&Row::new(cluster, &cost, errors, figures))
}

fn tell(bench: &Bench, when: &str, noticed: &Noticed) {
    let Noticed { config, lookups } = noticed;
    bench.say(&format!(
        "  {when}: {} receipts of documents, worst {} us; {} lookups, p99 {} us, worst {} us",
        config.latencies.count(),
        config.latencies.max_us(),
        lookups.latencies.count(),
        lookups.latencies.p99_us(),
        lookups.latencies.max_us(),
    ));
    for (what, done) in [("updates", config), ("lookups", lookups)] {
        if let Some(error) = &done.error {
            bench.say(&format!("  {when}: {} {what} failed, for example: {error:#}", done.errors));
        }
    }
}

/// The gateways of the storm.
struct Herd {
    gateways: Vec<(Keeper, Instance)>,
    users: Users,
}

/// What had to be tried again.
struct Failed {
    count: u64,
    example: Option<anyhow::Error>,
}

impl Herd {
    async fn open(cluster: &Cluster) -> Result<Self> {
        let opened = (0..GATEWAYS).map(async |gateway| {
            let keeper = cluster.client().connect().await.context("connecting a gateway")?;
            let instance = open(&keeper, gateway).await?;
            anyhow::Ok((keeper, instance))
        });
        Ok(Self { gateways: try_join_all(opened).await?, users: Users::fresh() })
    }

    fn writer(&self) -> Writer {
        Writer::new(self.gateways.iter().map(|(_, instance)| instance.sessions()).collect(), self.users)
    }

    async fn load(&self, sessions: u64) -> Result<()> {
        let loaded = load(&self.writer(), sessions, LOAD_PATIENCE).await?;
        if loaded < sessions {
            bail!("only {loaded} of {sessions} sessions in {LOAD_PATIENCE:?}");
        }
        Ok(())
    }

    /// Every gateway gets a new incarnation, which ends the old one.
    async fn lose(&mut self) -> Result<()> {
        let opened = self.gateways.iter().enumerate().map(|(gateway, (keeper, _))| open(keeper, gateway));
        let instances = try_join_all(opened).await?;
        for ((_, instance), new) in self.gateways.iter_mut().zip(instances) {
            *instance = new;
        }
        Ok(())
    }

    /// Registers everything again, and tries again what failed.
    async fn register_all(&self, sessions: u64) -> Result<Failed> {
        let mut callers = JoinSet::new();
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..CALLERS * GATEWAYS {
            callers.spawn(register_until(self.writer(), next.clone(), sessions));
        }
        let mut all = Failed { count: 0, example: None };
        while let Some(result) = callers.join_next().await {
            let failed = result.context("registering again")?;
            all = Failed { count: all.count + failed.count, example: all.example.or(failed.example) };
        }
        Ok(all)
    }

    /// How many sessions the gateways do not have that they should.
    async fn missing(&self, sessions: u64) -> Result<u64> {
        let [(keeper, _), ..] = &self.gateways[..] else { bail!("there are no gateways") };
        let counts = keeper.sessions().count(None).await.context("counting sessions")?;
        let held = counts.instances.iter().filter(|it| it.service == SERVICE).map(|it| it.sessions).sum::<u64>();
        Ok(sessions.abs_diff(held))
    }
}

const SERVICE: &str = "bench-storm";

async fn open(keeper: &Keeper, gateway: usize) -> Result<Instance> {
    let builder = keeper.instance(SERVICE, format!("gateway-{gateway}")).endpoint("127.0.0.1:1").ttl(TTL);
    builder.open().await.context("opening a gateway")
}

async fn register_until(writer: Writer, next: Arc<AtomicU64>, sessions: u64) -> Failed {
    let mut failed = Failed { count: 0, example: None };
    loop {
        let user = next.fetch_add(1, Relaxed);
        if user >= sessions {
            return failed;
        }
        while let Err(error) = writer.register(user).await {
            failed.count += 1;
            failed.example.get_or_insert_with(|| error.into());
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
    }
}
