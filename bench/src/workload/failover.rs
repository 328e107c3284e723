//! The leader dies: the longest time without an acknowledged write.
//!
//! Sixteen writers register new users through one client, which has to find the new leader by itself. The gap is
//! between two acknowledgements, whoever got them. The dead node is started again and caught up before the next run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    bench::Bench,
    cluster::Cluster,
    crew::Crew,
    fleet::Fleet,
    meter::Meter,
    report::{Figures, Row, rounded},
    wait::wait_for,
};

const WRITERS: usize = 16;
const RUNS: usize = 5;
const RUNS_QUICK: usize = 3;

/// Writing before the kill.
const BEFORE: Duration = Duration::from_secs(1);

/// Acknowledgements after which a gap is over and no other follows from the same kill.
const RECOVERED_WRITES: u64 = 1_000;

/// How long a new leader may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
pub(crate) struct Failover {
    /// The median of the runs.
    pub(crate) gap_ms: f64,
    pub(crate) runs: usize,
}

impl Figures for Failover {
    const WORKLOAD: &'static str = "failover";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    let mut cluster = bench.own_cluster("").await?;
    let fleet = Fleet::open(&cluster, "bench-failover").await?;
    let writer = fleet.writer();
    let gaps = Arc::new(Gaps::new());
    let acknowledged = gaps.clone();
    let writers = bench.callers(&[WRITERS]).first().copied().unwrap_or(WRITERS);
    let meter = Meter::start(&cluster)?;
    let crew = Crew::start(writers, move |user| {
        let (writer, acknowledged) = (writer.clone(), acknowledged.clone());
        async move {
            writer.register(user).await?;
            acknowledged.acknowledge();
            Ok(())
        }
    });
    let mut all = Vec::new();
    for run in 1..=bench.pick(RUNS, RUNS_QUICK) {
        let gap = kill_leader(&mut cluster, &gaps).await.with_context(|| format!("run {run}"))?;
        bench.say(&format!("  run {run}: {:.0} ms", gap.as_secs_f64() * 1e3));
        all.push(gap);
        cluster.recover().await?;
    }
    let cost = meter.stop(&cluster)?;
    let done = crew.take();
    crew.stop().await;
    if let Some(error) = &done.error {
        bench.say(&format!("  {} writes failed, for example: {error:#}", done.errors));
    }
    let figures = Failover { gap_ms: rounded(median(&mut all).as_secs_f64() * 1e3), runs: all.len() };
    bench.row(&Row::new(&cluster, &cost, done.errors, figures))?;
    drop(fleet);
    cluster.stop().await;
    Ok(())
}

/// The longest gap from the kill of the leader until writes flow again.
async fn kill_leader(cluster: &mut Cluster, gaps: &Gaps) -> Result<Duration> {
    let leader = cluster.leader().await?;
    tokio::time::sleep(BEFORE).await;
    let before = gaps.begin();
    cluster.kill(leader)?;
    // What was under way may still be acknowledged; a gap is over when far more than that was.
    wait_for("acknowledged writes after the kill", PATIENCE, async || {
        Ok((gaps.count() >= before + RECOVERED_WRITES).then_some(()))
    })
    .await?;
    Ok(gaps.longest())
}

fn median(gaps: &mut [Duration]) -> Duration {
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or_default()
}

/// The times between acknowledgements.
struct Gaps {
    begun: Instant,
    last_us: AtomicU64,
    longest_us: AtomicU64,
    count: AtomicU64,
}

impl Gaps {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { begun: Instant::now(), last_us: zero(), longest_us: zero(), count: zero() }
    }

    fn acknowledge(&self) {
        let now_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let last_us = self.last_us.fetch_max(now_us, Relaxed);
        self.longest_us.fetch_max(now_us.saturating_sub(last_us), Relaxed);
        self.count.fetch_add(1, Relaxed);
    }

    /// Forgets earlier gaps, and says how many acknowledgements there were.
    fn begin(&self) -> u64 {
        self.longest_us.store(0, Relaxed);
        self.count()
    }

    fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let ms = Duration::from_millis;
        assert_eq!(median(&mut [ms(900), ms(100), ms(500)]), ms(500));
        assert_eq!(median(&mut []), Duration::ZERO);
    }

    #[test]
    fn the_longest_gap_is_kept_until_the_next_run() {
        let gaps = Gaps::new();
        gaps.last_us.store(0, Relaxed);
        gaps.acknowledge();
        assert_eq!(gaps.count(), 1);
        assert_eq!(gaps.begin(), 1);
        assert_eq!(gaps.longest(), Duration::ZERO);
    }
}
