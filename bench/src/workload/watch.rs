//! From the call that publishes a document to its receipt by each watcher, every watcher on a connection of its own.
//!
//! Publishes come at a fixed rate, and a latency begins when its publish was due: a publish that had to wait for the
//! one before counts its waiting. Each document says its number: a watcher that sees a number again has had it twice,
//! and one that sees a later number has missed those between, although a watch promises only the latest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use keeper_client_sdk::{Configs, ConfigsWatch, DocumentsChanged, Edit, Endpoint, Keeper};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    bench::Bench,
    cluster::Cluster,
    latency::Recorder,
    meter::Meter,
    report::{Figures, Row},
    wait::wait_for,
    workload::publish::{VALUE_BYTES, document, number_in},
};

const WATCHERS: [usize; 2] = [1_000, 5_000];

/// Between two publishes: five a second.
const PERIOD: Duration = Duration::from_millis(200);

/// Publishes before anybody watches, so that what the nodes need for publishing is not counted as the watchers'.
const PUBLISHED_BEFORE: u64 = 10;

/// Connections being opened at a time.
const OPENING: usize = 64;

/// How long the last update may take to arrive; what has not by then is missed.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize)]
pub(crate) struct Watch {
    pub(crate) watchers: usize,
    pub(crate) value_bytes: usize,
    pub(crate) updates: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
    pub(crate) missed: u64,
    pub(crate) duplicates: u64,
    /// Of all nodes together.
    pub(crate) bytes_per_watcher: Option<u64>,
}

impl Figures for Watch {
    const WORKLOAD: &'static str = "watch";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for watchers in bench.watchers(&WATCHERS) {
        let cluster = bench.cluster().await?;
        let keeper = cluster.client().connect().await?;
        let path = format!("bench/watched-{:08x}.json", rand::random::<u32>());
        let updates = bench.seconds(20, 5).as_secs() * 5;
        let board = Arc::new(Board::new(updates));
        for number in 0..PUBLISHED_BEFORE {
            publish(&keeper.configs(), &path, u64::MAX - number).await?;
        }
        publish(&keeper.configs(), &path, 0).await?;
        let without = cluster.rss_bytes();
        bench.say(&format!("  opening {watchers} watchers"));
        let crowd = Crowd::open(&cluster, watchers, &path, &board).await?;
        bench.say(&format!("  {updates} updates of {VALUE_BYTES} bytes to {watchers} watchers"));
        let meter = Meter::start(&cluster)?;
        let errors = publish_all(bench, &keeper.configs(), &path, &board).await?;
        let missed = crowd.settle(&board).await?;
        let cost = meter.stop(&cluster)?;
        let bytes_per_watcher = growth(without, cluster.rss_bytes()).map(|it| it / watchers as u64);
        bench.row(&Row::new(&cluster, &cost, errors, board.figures(watchers, missed, bytes_per_watcher)))?;
        drop((crowd, keeper));
        cluster.stop().await;
    }
    Ok(())
}

async fn publish(configs: &Configs, path: &str, number: u64) -> Result<()> {
    configs.publish(Edit::put(path, document(number))).await.map(drop).context("publishing")
}

/// Publishes every update when it is due, and says how many failed.
async fn publish_all(bench: &Bench, configs: &Configs, path: &str, board: &Board) -> Result<u64> {
    let mut errors = 0;
    // A tick that could not be kept comes at once, with the time it was due.
    let mut ticks = tokio::time::interval(PERIOD);
    for number in 1..=board.updates() {
        let due = ticks.tick().await;
        board.published(number, due.into_std());
        if let Err(error) = publish(configs, path, number).await {
            errors += 1;
            bench.say(&format!("  update {number}: {error:#}"));
        }
    }
    Ok(errors)
}

/// By how much all nodes together have grown.
fn growth(before: Option<Vec<u64>>, after: Option<Vec<u64>>) -> Option<u64> {
    let (before, after) = before.zip(after)?;
    Some(after.iter().zip(&before).map(|(after, before)| after.saturating_sub(*before)).sum())
}

/// When each update was due, and what became of it.
struct Board {
    begun: Instant,
    /// Microseconds since `begun`; the initial document, number 0, is not counted.
    due_us: Vec<AtomicU64>,
    latencies: Recorder,
    duplicates: AtomicU64,
    skipped: AtomicU64,
}

impl Board {
    fn new(updates: u64) -> Self {
        Self {
            begun: Instant::now(),
            due_us: (0..=updates).map(|_| AtomicU64::new(0)).collect(),
            latencies: Recorder::new(),
            duplicates: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    fn updates(&self) -> u64 {
        self.due_us.len() as u64 - 1
    }

    fn since_begun_us(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.begun).as_micros()).unwrap_or(u64::MAX)
    }

    fn published(&self, number: u64, due: Instant) {
        if let Some(slot) = usize::try_from(number).ok().and_then(|at| self.due_us.get(at)) {
            slot.store(self.since_begun_us(due), Relaxed);
        }
    }

    /// A watcher that had `last` has got `number`.
    fn received(&self, watcher: usize, last: u64, number: u64) {
        if number <= last {
            self.duplicates.fetch_add(1, Relaxed);
            return;
        }
        self.skipped.fetch_add(number - last - 1, Relaxed);
        if let Some(due_us) = usize::try_from(number).ok().and_then(|at| self.due_us.get(at)) {
            let latency = self.since_begun_us(Instant::now()).saturating_sub(due_us.load(Relaxed));
            self.latencies.record(watcher, Duration::from_micros(latency));
        }
    }

    fn figures(&self, watchers: usize, missed: u64, bytes_per_watcher: Option<u64>) -> Watch {
        let latencies = self.latencies.take();
        Watch {
            watchers,
            value_bytes: VALUE_BYTES,
            updates: self.updates(),
            p50_us: latencies.p50_us(),
            p99_us: latencies.p99_us(),
            max_us: latencies.max_us(),
            missed,
            duplicates: self.duplicates.load(Relaxed),
            bytes_per_watcher,
        }
    }
}

/// Watchers, each with the number it has.
struct Crowd {
    has: Vec<Arc<AtomicU64>>,
    tasks: JoinSet<Result<()>>,
}

impl Crowd {
    /// Returns when each has the initial document.
    async fn open(cluster: &Cluster, watchers: usize, path: &str, board: &Arc<Board>) -> Result<Self> {
        let opened = (0..watchers).map(|watcher| {
            // One node each: a client of several nodes would ask all of them who leads.
            let endpoint = &cluster.endpoints()[watcher % cluster.endpoints().len()];
            open(endpoint, path)
        });
        let opened: Vec<_> = stream::iter(opened).buffered(OPENING).try_collect().await?;
        let mut crowd = Self { has: Vec::new(), tasks: JoinSet::new() };
        for (watcher, (keeper, watch)) in opened.into_iter().enumerate() {
            let has = Arc::new(AtomicU64::new(0));
            crowd.has.push(has.clone());
            crowd.tasks.spawn(follow(watcher, keeper, watch, board.clone(), has));
        }
        Ok(crowd)
    }

    /// Waits for the last update, and says how many were missed.
    async fn settle(&self, board: &Board) -> Result<u64> {
        let last = board.updates();
        let behind = || self.has.iter().map(|has| last - has.load(Relaxed).min(last)).sum::<u64>();
        let arrived = wait_for("the last update", ARRIVAL_PATIENCE, async || Ok((behind() == 0).then_some(())));
        // Whoever waits in vain is counted.
        let _ = arrived.await;
        Ok(behind() + board.skipped.load(Relaxed))
    }
}

async fn open(endpoint: &Endpoint, path: &str) -> Result<(Keeper, ConfigsWatch)> {
    let keeper = Keeper::builder().endpoint(endpoint.to_string()).name("watcher").build()?;
    let mut watch = keeper.configs().watch([path]);
    watch.next().await.context("a watch ended before it began")?.context("opening a watch")?;
    Ok((keeper, watch))
}

/// Holds the client for as long as it watches.
async fn follow(
    watcher: usize,
    _keeper: Keeper,
    mut watch: ConfigsWatch,
    board: Arc<Board>,
    has: Arc<AtomicU64>,
) -> Result<()> {
    while let Some(changed) = watch.next().await {
        for number in numbers(&changed.context("watching")?) {
            board.received(watcher, has.load(Relaxed), number);
            has.fetch_max(number, Relaxed);
        }
    }
    Ok(())
}

fn numbers(changed: &DocumentsChanged) -> impl Iterator<Item = u64> {
    changed.documents.iter().filter_map(|document| number_in(&document.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_twice_or_skipped_is_counted() {
        let board = Board::new(5);
        let due = board.begun + Duration::from_millis(1);
        (1..=5).for_each(|number| board.published(number, due));
        board.received(0, 0, 1);
        board.received(0, 1, 4);
        board.received(0, 4, 4);
        let figures = board.figures(1, board.skipped.load(Relaxed), None);
        assert_eq!((figures.updates, figures.missed, figures.duplicates), (5, 2, 1));
    }

    #[test]
    fn growth_is_of_all_nodes() {
        assert_eq!(growth(Some(vec![10, 20, 30]), Some(vec![15, 18, 40])), Some(15));
        assert_eq!(growth(None, Some(vec![1])), None);
    }
}
