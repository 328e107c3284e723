//! From the call that publishes a document to its receipt by each watcher, every watcher on a connection of its own.
//!
//! Publishes come at a fixed rate, and a latency begins when its publish was due: a publish that had to wait for the
//! one before counts its waiting. Each document says its number: a watcher that sees a number again has had it twice,
//! and one that sees a later number has missed those between, although a watch promises only the latest.

use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;

use crate::{
    bench::Bench,
    board::Board,
    cluster::growth,
    crowd::{Crowd, publish, publish_all},
    document::VALUE_BYTES,
    meter::Meter,
    report::{Figures, Row},
};

const WATCHERS: [usize; 2] = [1_000, 5_000];

/// Publishes before anybody watches, so that what the nodes need for publishing is not counted as the watchers'.
const PUBLISHED_BEFORE: u64 = 10;

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
        let crowd = Crowd::open(cluster.endpoints(), watchers, &path, &board).await?;
        bench.say(&format!("  {updates} updates of {VALUE_BYTES} bytes to {watchers} watchers"));
        let meter = Meter::start(&cluster)?;
        publish_all(&keeper.configs(), &path, &board).await;
        let missed = crowd.settle(&board).await?;
        let cost = meter.stop(&cluster)?;
        let done = board.take();
        if let Some(error) = &done.error {
            bench.say(&format!("  {} updates failed, for example: {error:#}", done.errors));
        }
        let bytes_per_watcher = growth(without, cluster.rss_bytes()).map(|it| it / watchers as u64);
        let figures = Watch {
            watchers,
            value_bytes: VALUE_BYTES,
            updates: board.updates(),
            p50_us: done.latencies.p50_us(),
            p99_us: done.latencies.p99_us(),
            max_us: done.latencies.max_us(),
            missed,
            duplicates: board.duplicates(),
            bytes_per_watcher,
        };
        bench.row(&Row::new(&cluster, &cost, done.errors, figures))?;
        drop((crowd, keeper));
        cluster.stop().await;
    }
    Ok(())
}
