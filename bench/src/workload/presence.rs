//! Telling who comes and goes: how fast subscribers catch up from what a node remembers, how far behind they are while
//! users come and go, and what each of them costs.
//!
//! Half a million users register. Subscribers to everything, each on a connection of its own, then begin at a token
//! from before the last of these registrations: `events_per_s` is how many facts all of them together were told a
//! second until each had all. After that users come and go at a fixed rate; a fact's lag, of which `p99_us` is told, is
//! from the acknowledgement of the operation to the fact's receipt, zero when it was told first. Every fact says by its
//! connection which step of which user it is about, so that each subscriber knows what it missed and what it was told
//! twice. Memory is what all nodes together have grown by while the subscribers caught up, for each; one subscriber has
//! done the same before, so that what a node needs for its first one is not counted.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::Serialize;

use crate::{
    audience::{Audience, token_of_now},
    bench::Bench,
    churn::Churn,
    cluster::{Cluster, growth},
    desk::Done,
    fleet::Fleet,
    meter::{Cost, Meter},
    open_loop::{OpenLoop, Schedule},
    report::{Figures, Row, rounded},
    witness::Witness,
};

const SUBSCRIBERS: [usize; 3] = [1, 10, 100];

const USERS: [u64; 1] = [500_000];
const USERS_QUICK: [u64; 1] = [50_000];

/// Users beside them who are gone when the churn begins.
const OFFLINE: u64 = 50_000;

/// Facts that a subscriber catches up with, at least, however many there are.
const FACTS_LEAST: u64 = 5_000;

/// Facts a second: the churn of 65,000,000 online users, the most that `mixed` held on two cores.
const FACTS_PER_S: u64 = 130_000;

/// How many all subscribers together are told at most. They share those two cores with nodes and writers, and a fact
/// costs a microsecond on its way to each.
const TOLD_PER_S_MAX: u64 = 400_000;

/// How long facts may take to arrive; what has not by then is missed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Before memory is looked at: until what was only needed in passing is given back.
const REST: Duration = Duration::from_secs(5);
const REST_QUICK: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
pub(crate) struct Presence {
    pub(crate) subscribers: usize,
    pub(crate) events_per_s: f64,
    pub(crate) p99_us: u64,
    pub(crate) missed: u64,
    pub(crate) duplicates: u64,
    /// Of all nodes together.
    pub(crate) bytes_per_subscriber: Option<u64>,
}

impl Figures for Presence {
    const WORKLOAD: &'static str = "presence";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for subscribers in bench.watchers(&SUBSCRIBERS) {
        for users in bench.sessions(&USERS, &USERS_QUICK) {
            let cluster = bench.cluster().await?;
            presence(bench, &cluster, subscribers, users).await?;
            cluster.stop().await;
        }
    }
    Ok(())
}

async fn presence(bench: &mut Bench, cluster: &Cluster, subscribers: usize, users: u64) -> Result<()> {
    let fleet = Fleet::open(cluster, "bench-presence").await?;
    let churn = Churn::new(fleet.writer(), users + OFFLINE);
    let facts = (users / subscribers as u64).clamp(FACTS_LEAST.min(users), users);
    bench.say(&format!("  {users} users register; {subscribers} subscribers catch up with the last {facts}"));
    churn.load(users - facts).await?;
    let past = Past { token: token_of_now(fleet.keeper()).await?, known: Witness::new(churn.ledger()), facts };
    churn.load(facts).await?;
    let rest = bench.pick(REST, REST_QUICK);
    drop(past.catch_up(cluster, 1).await?);
    tokio::time::sleep(rest).await;
    let before = cluster.rss_bytes();
    let (audience, caught_up) = past.catch_up(cluster, subscribers).await?;
    tokio::time::sleep(rest).await;
    let bytes_per_subscriber = growth(before, cluster.rss_bytes()).map(|it| it / subscribers as u64);
    caught_up.tell(bench);
    let per_second = FACTS_PER_S.min(TOLD_PER_S_MAX / subscribers as u64);
    let (writes, cost) = live(bench, cluster, &churn, per_second).await?;
    // Each knew what was written before the token, and nothing after it.
    audience.heard(churn.ledger().total() - (users - facts), PATIENCE).await?;
    let lags = audience.take();
    tell(bench, &writes, &lags);
    let (missed, duplicates) = audience.missed_and_duplicates();
    let figures = Presence {
        subscribers,
        events_per_s: rounded(caught_up.per_second()),
        p99_us: lags.latencies.p99_us(),
        missed,
        duplicates,
        bytes_per_subscriber,
    };
    bench.row(&Row::new(cluster, &cost, writes.errors + lags.errors, figures))
}

/// Where subscribers begin.
struct Past {
    token: Bytes,
    known: Witness,
    /// How many happened since.
    facts: u64,
}

/// What catching up came to.
struct CaughtUp {
    facts: u64,
    seconds: f64,
    cost: Cost,
}

impl Past {
    async fn catch_up(&self, cluster: &Cluster, subscribers: usize) -> Result<(Audience, CaughtUp)> {
        let witnesses = vec![self.known.clone(); subscribers];
        let meter = Meter::start(cluster)?;
        let begun = Instant::now();
        let audience = Audience::open(cluster.endpoints(), &self.token, witnesses).await?;
        let ended = audience.heard(self.facts, PATIENCE).await?;
        let cost = meter.stop(cluster)?;
        let failed = audience.take();
        if let Some(error) = failed.error {
            return Err(error);
        }
        let ended = ended.with_context(|| format!("a subscriber was not told {} facts in {PATIENCE:?}", self.facts))?;
        let seconds = ended.duration_since(begun).as_secs_f64();
        Ok((audience, CaughtUp { facts: self.facts * subscribers as u64, seconds, cost }))
    }
}

impl CaughtUp {
    fn per_second(&self) -> f64 {
        self.facts as f64 / self.seconds
    }

    fn tell(&self, bench: &Bench) {
        let us = |cpu_s: f64| cpu_s * 1e6 / self.facts as f64;
        let server = self.cost.server_cpu_s.map_or_else(|| "unknown".into(), |it| format!("{:.2} us", us(it)));
        bench.say(&format!(
            "  caught up with {} facts in {:.3} s; CPU per fact: server {server}, client {:.2} us",
            self.facts,
            self.seconds,
            us(self.cost.client_cpu_s),
        ));
    }
}

/// Users come and go for a while.
async fn live(bench: &Bench, cluster: &Cluster, churn: &Churn, per_second: u64) -> Result<(Done, Cost)> {
    let time = bench.seconds(10, 3);
    bench.say(&format!("  {per_second} facts a second for {time:?}"));
    let schedule = || Schedule::lasting(per_second / 2, time);
    let (coming, leaving) = (churn.clone(), churn.clone());
    let meter = Meter::start(cluster)?;
    let registers = OpenLoop::start(schedule(), move |number| {
        let churn = coming.clone();
        async move { churn.register(number).await }
    });
    let unregisters = OpenLoop::start(schedule(), move |_| {
        let churn = leaving.clone();
        async move { churn.unregister().await }
    });
    let (mut writes, unregistered) = tokio::join!(registers.finish(), unregisters.finish());
    writes.absorb(unregistered);
    Ok((writes, meter.stop(cluster)?))
}

fn tell(bench: &Bench, writes: &Done, lags: &Done) {
    for (what, done) in [("operations", writes), ("lag", lags)] {
        let Done { latencies, errors, error } = done;
        let (count, p99, max) = (latencies.count(), latencies.p99_us(), latencies.max_us());
        bench.say(&format!("  {what}: {count}, p99 {p99} us, worst {max} us"));
        if let Some(error) = error {
            bench.say(&format!("  {what}: {errors} failed, for example: {error:#}"));
        }
    }
}
