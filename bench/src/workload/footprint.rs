//! What a session takes: memory and disk of the largest node, and what a snapshot of them all takes from others.
//!
//! A session is a user of 16 bytes with a connection id of 8 bytes, bound to one topic, without attributes. Memory is
//! what a node has more than it had while it was empty, some time after the load, when caches and buffers of the load
//! are gone. A snapshot is then provoked by sixteen writers: the nodes' settings make one due after so many
//! entries. When it was taken and for how long is what the node tells; what the writers had to wait meanwhile is
//! measured.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use parking_lot::Mutex;
use serde::Serialize;

use crate::{
    bench::Bench,
    cluster::Cluster,
    crew::Crew,
    fleet::{Fleet, Writer},
    latency::Latencies,
    meter::Meter,
    metrics::Metrics,
    node::Node,
    report::{Figures, Row, rounded},
    users::{CONNECTION_BYTES, USER_BYTES},
    wait::wait_for,
};

const SESSIONS: [u64; 2] = [1_000_000, 10_000_000];
const SESSIONS_QUICK: [u64; 1] = [1_000_000];

/// A load in a hurry ends here, with fewer sessions, and says with how many.
const LOAD_TIME_QUICK: Duration = Duration::from_secs(10);
const LOAD_TIME: Duration = Duration::from_secs(900);

const OTHERS: usize = 16;

/// Entries after which a snapshot is due. Sixteen writers make thousands a second; a load makes far fewer, because its
/// frames are full.
const SNAPSHOT_ENTRIES: u64 = 10_000;

/// How long a snapshot may be waited for.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(90);
const SNAPSHOT_PATIENCE_QUICK: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
pub(crate) struct Footprint {
    pub(crate) sessions: u64,
    pub(crate) rss_bytes_per_session: Option<f64>,
    pub(crate) disk_bytes_per_session: Option<f64>,
    pub(crate) snapshot_ms: Option<f64>,
    /// Between the beginning of the writes and that of the snapshot.
    pub(crate) others_p99_us_before_snapshot: Option<u64>,
    pub(crate) others_p99_us_during_snapshot: Option<u64>,
}

impl Figures for Footprint {
    const WORKLOAD: &'static str = "footprint";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS_QUICK) {
        let cluster = bench.cluster_with(&format!("[raft]\nsnapshot_log_entries = {SNAPSHOT_ENTRIES}\n")).await?;
        footprint(bench, &cluster, sessions).await?;
        cluster.stop().await;
    }
    Ok(())
}

async fn footprint(bench: &mut Bench, cluster: &Cluster, sessions: u64) -> Result<()> {
    let meter = Meter::start(cluster)?;
    tokio::time::sleep(bench.pick(Duration::from_secs(5), Duration::from_secs(2))).await;
    let empty = (cluster.rss_bytes(), largest_disk(cluster)?);
    let fleet = Fleet::open(cluster, "bench-footprint").await?;
    bench.say(&format!(
        "  loading {sessions} sessions: {USER_BYTES}-byte user ids, {CONNECTION_BYTES}-byte connection ids, one \
         binding, no attributes; memory loaded minus empty"
    ));
    let sessions = fleet.load(sessions, bench.pick(LOAD_TIME, LOAD_TIME_QUICK)).await?;
    let rest = bench.pick(Duration::from_secs(30), Duration::from_secs(10));
    bench.say(&format!("  {sessions} sessions loaded, {rest:?} of rest"));
    tokio::time::sleep(rest).await;
    let loaded = (cluster.rss_bytes(), largest_disk(cluster)?);
    let growth = empty.0.zip(loaded.0).map(|(empty, loaded)| largest_growth(&empty, &loaded));
    let disk = empty.1.zip(loaded.1).map(|(empty, loaded)| loaded.saturating_sub(empty));
    let each = |bytes: u64| rounded(bytes as f64 / sessions.max(1) as f64);
    let mut figures = Footprint {
        sessions,
        rss_bytes_per_session: growth.map(each),
        disk_bytes_per_session: disk.map(each),
        snapshot_ms: snapshots(cluster.nodes())
            .await?
            .iter()
            .filter_map(Snapshots::mean_ms)
            .reduce(f64::max)
            .map(rounded),
        others_p99_us_before_snapshot: None,
        others_p99_us_during_snapshot: None,
    };
    if !cluster.nodes().is_empty() {
        bench.say(&format!("  {OTHERS} others write until a snapshot is taken"));
        let patience = bench.pick(SNAPSHOT_PATIENCE, SNAPSHOT_PATIENCE_QUICK);
        if let Some(taken) = snapshot_under_writes(cluster, fleet.writer(), sessions, patience).await? {
            figures.snapshot_ms = Some(rounded(taken.ms));
            figures.others_p99_us_before_snapshot = taken.p99_us_before;
            figures.others_p99_us_during_snapshot = taken.p99_us_during;
        }
    }
    let cost = meter.stop(cluster)?;
    bench.row(&Row::new(cluster, &cost, 0, figures))
}

fn largest_disk(cluster: &Cluster) -> Result<Option<u64>> {
    let each = cluster.nodes().iter().map(Node::disk_bytes).collect::<Result<Vec<_>>>()?;
    Ok(each.into_iter().max())
}

fn largest_growth(empty: &[u64], loaded: &[u64]) -> u64 {
    loaded.iter().zip(empty).map(|(loaded, empty)| loaded.saturating_sub(*empty)).max().unwrap_or_default()
}

/// How many snapshots a node has taken, and how long all of them together took.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Snapshots {
    count: f64,
    seconds: f64,
}

impl Snapshots {
    fn mean_ms(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.seconds * 1e3 / self.count)
    }

    fn since(self, earlier: Self) -> Self {
        Self { count: self.count - earlier.count, seconds: self.seconds - earlier.seconds }
    }
}

async fn snapshots(nodes: &[Node]) -> Result<Vec<Snapshots>> {
    let mut all = Vec::new();
    for node in nodes {
        let metrics = Metrics::scrape(&node.http()).await?;
        let sum = |part| metrics.sum(&format!("keeper_snapshot_seconds_{part}"), "").unwrap_or_default();
        all.push(Snapshots { count: sum("count"), seconds: sum("sum") });
    }
    Ok(all)
}

/// A snapshot that was taken while others wrote.
struct Taken {
    ms: f64,
    p99_us_before: Option<u64>,
    p99_us_during: Option<u64>,
}

/// Writes until a node has taken a snapshot.
async fn snapshot_under_writes(
    cluster: &Cluster,
    writer: Writer,
    sessions: u64,
    patience: Duration,
) -> Result<Option<Taken>> {
    let log: Arc<Mutex<Vec<(Instant, Duration)>>> = Arc::default();
    let written = log.clone();
    let crew = Crew::start(OTHERS, move |number| {
        let (writer, written) = (writer.clone(), written.clone());
        async move {
            let begun = Instant::now();
            // The same users again: the state must not grow while it is measured.
            writer.register(number % sessions).await?;
            written.lock().push((begun, begun.elapsed()));
            Ok(())
        }
    });
    let before = snapshots(cluster.nodes()).await?;
    let taken = wait_for("a snapshot", patience, async || {
        let now = snapshots(cluster.nodes()).await?;
        let new = now.iter().zip(&before).map(|(now, before)| now.since(*before));
        Ok(new.filter_map(|it| it.mean_ms()).next().map(|ms| (ms, Instant::now())))
    })
    .await;
    crew.stop().await;
    // A cluster that takes none within that time is told by null, not by a failed run.
    let Ok((ms, ended)) = taken else { return Ok(None) };
    let began = ended.checked_sub(Duration::from_secs_f64(ms / 1e3)).unwrap_or(ended);
    let log = log.lock();
    let overlaps = |begun: &Instant, took: &Duration| *begun < ended && *begun + *took > began;
    let p99_us = |during: bool| {
        let of_interest = log.iter().filter(|(begun, took)| overlaps(begun, took) == during && *begun < ended);
        let latencies: Latencies = of_interest.map(|(_, took)| *took).collect();
        (latencies.count() > 0).then(|| latencies.p99_us())
    };
    Ok(Some(Taken { ms, p99_us_before: p99_us(false), p99_us_during: p99_us(true) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_growth_counts() {
        assert_eq!(largest_growth(&[10, 50, 10], &[20, 55, 40]), 30);
        assert_eq!(largest_growth(&[10], &[5]), 0);
    }

    #[test]
    fn only_new_snapshots_count() {
        let (before, after) = (Snapshots { count: 2.0, seconds: 1.0 }, Snapshots { count: 3.0, seconds: 1.25 });
        assert_eq!(after.since(before).mean_ms(), Some(250.0));
        assert_eq!(before.since(before).mean_ms(), None);
    }
}
