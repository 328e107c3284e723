//! Walking over all sessions while others register, as a broadcast does, and the tail after it.
//!
//! A million sessions stay; beside them users register again and again, two thousand a second. The walk, whole or cut
//! into eight parts that run at once, goes as fast as it can: `sessions_per_s` is what all parts together saw, up to
//! the end of the last one. Then the writers stop and each part takes its tail. Every session's connection has a number
//! of its own: one that lived throughout, or is the last registration of its user, must have been seen exactly once in
//! walk and tail together (`missed`), and none twice (`duplicates`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use keeper_client_sdk::{Part, Scan as Walk, ScanSessions, SessionAdmin};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    bench::Bench,
    cluster::Cluster,
    desk::Done,
    fleet::{Fleet, Writer},
    meter::{Cost, Meter},
    open_loop::{OpenLoop, Schedule},
    report::{Figures, Row, rounded},
    workload::lookup::load,
};

const SESSIONS: [u64; 1] = [1_000_000];
const SESSIONS_QUICK: [u64; 1] = [100_000];

/// Into how many parts the walk is cut.
const PARTS: [u32; 2] = [1, 8];

/// Users that register again and again, and how often one does.
const RESTLESS: u64 = 20_000;
const REGISTERS_PER_S: u64 = 2_000;

/// More than there can be registrations.
const RESTLESS_CONNECTIONS: u64 = 4_000_000;

/// They are at work when a walk begins.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
pub(crate) struct Scan {
    pub(crate) sessions: u64,
    pub(crate) parts: u32,
    pub(crate) sessions_per_s: f64,
    pub(crate) missed: u64,
    pub(crate) duplicates: u64,
}

impl Figures for Scan {
    const WORKLOAD: &'static str = "scan";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS_QUICK) {
        let cluster = bench.cluster().await?;
        let fleet = Fleet::open(&cluster, "bench-scan").await?;
        load(bench, &fleet, sessions).await?;
        let restless = Restless::new(fleet.writer(), sessions);
        for parts in PARTS {
            let walked = walk(bench, &cluster, &fleet, &restless, parts).await?;
            let Walked { seen, sessions_per_s, cost, writes } = walked;
            let missed = seen.missed((0..sessions).chain(restless.last()));
            let figures = Scan { sessions, parts, sessions_per_s, missed, duplicates: seen.duplicates() };
            bench.row(&Row::new(&cluster, &cost, writes.errors, figures))?;
        }
        drop((restless, fleet));
        cluster.stop().await;
    }
    Ok(())
}

/// One walk with its tail.
struct Walked {
    seen: Arc<Seen>,
    sessions_per_s: f64,
    cost: Cost,
    writes: Done,
}

async fn walk(bench: &Bench, cluster: &Cluster, fleet: &Fleet, restless: &Restless, parts: u32) -> Result<Walked> {
    bench.say(&format!("  {parts} parts, while {REGISTERS_PER_S} users a second register"));
    let seen = Arc::new(Seen::new(restless.sessions + RESTLESS_CONNECTIONS));
    let writers = restless.start();
    tokio::time::sleep(WARM_UP).await;
    let meter = Meter::start(cluster)?;
    let begun = Instant::now();
    let mut walks = JoinSet::new();
    for part in Part::split(parts)? {
        walks.spawn(to_the_end(fleet.keeper().sessions(), part, seen.clone()));
    }
    let mut ended = Vec::new();
    while let Some(walk) = walks.join_next().await {
        ended.push(walk.context("walking")??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cost = meter.stop(cluster)?;
    let writes = writers.stop().await;
    let walked = seen.total();
    for walk in ended {
        take(&mut walk.tail()?, &seen).await.context("walking over the tail")?;
    }
    let tail = seen.total() - walked;
    let us = |cpu_s: f64| cpu_s * 1e6 / walked as f64;
    let server = cost.server_cpu_s.map_or_else(|| "unknown".into(), |it| format!("{:.2} us", us(it)));
    bench.say(&format!(
        "  {walked} sessions in {seconds:.3} s and {tail} in the tail; CPU per session: server {server}, client {:.2} \
         us; registers beside: p99 {} us, worst {} us",
        us(cost.client_cpu_s),
        writes.latencies.p99_us(),
        writes.latencies.max_us(),
    ));
    if let Some(error) = &writes.error {
        bench.say(&format!("  {} registers failed, for example: {error:#}", writes.errors));
    }
    Ok(Walked { seen, sessions_per_s: rounded(walked as f64 / seconds), cost, writes })
}

async fn to_the_end(sessions: SessionAdmin, part: Part, seen: Arc<Seen>) -> Result<Walk> {
    let mut walk = sessions.scan(ScanSessions { part, ..ScanSessions::default() });
    take(&mut walk, &seen).await?;
    Ok(walk)
}

async fn take(walk: &mut Walk, seen: &Seen) -> Result<()> {
    while let Some(page) = walk.page().await {
        page?.iter().for_each(|session| seen.see(&session.connection));
    }
    Ok(())
}

/// How often each connection was seen, by its number.
struct Seen {
    times: Vec<AtomicU8>,
    total: AtomicU64,
}

impl Seen {
    fn new(connections: u64) -> Self {
        Self { times: (0..connections).map(|_| AtomicU8::new(0)).collect(), total: AtomicU64::new(0) }
    }

    fn see(&self, connection: &[u8]) {
        self.total.fetch_add(1, Relaxed);
        let number = connection.try_into().map(u64::from_be_bytes).ok().and_then(|it| usize::try_from(it).ok());
        if let Some(times) = number.and_then(|number| self.times.get(number)) {
            times.fetch_add(1, Relaxed);
        }
    }

    fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// How many of those that must have been seen were not.
    fn missed(&self, must: impl Iterator<Item = u64>) -> u64 {
        let times = |number: u64| usize::try_from(number).ok().and_then(|number| self.times.get(number));
        must.filter(|number| times(*number).is_none_or(|it| it.load(Relaxed) == 0)).count() as u64
    }

    /// How often any was seen again.
    fn duplicates(&self) -> u64 {
        self.times.iter().map(|it| u64::from(it.load(Relaxed).saturating_sub(1))).sum()
    }
}

/// Users that register again and again, each time on another connection.
struct Restless {
    writer: Writer,
    /// Connections with lower numbers are of those who stay.
    sessions: u64,
    next: Arc<AtomicU64>,
    /// Of each user the connection that was acknowledged last; 0 for none.
    last: Arc<Vec<AtomicU64>>,
}

impl Restless {
    fn new(writer: Writer, sessions: u64) -> Self {
        let last = (0..RESTLESS).map(|_| AtomicU64::new(0)).collect();
        Self { writer, sessions, next: Arc::new(AtomicU64::new(sessions.max(1))), last: Arc::new(last) }
    }

    fn start(&self) -> OpenLoop {
        let (writer, next, last) = (self.writer.clone(), self.next.clone(), self.last.clone());
        let sessions = self.sessions;
        OpenLoop::start(Schedule::endless(REGISTERS_PER_S), move |_| {
            let (writer, last) = (writer.clone(), last.clone());
            let connection = next.fetch_add(1, Relaxed);
            let restless = connection % RESTLESS;
            async move {
                let registration = writer.users().registration_on(sessions + restless, connection)?;
                writer.gateway(connection).register(registration).await?;
                if let Some(last) = usize::try_from(restless).ok().and_then(|it| last.get(it)) {
                    last.fetch_max(connection, Relaxed);
                }
                Ok(())
            }
        })
    }

    /// The present connection of each user who has one.
    fn last(&self) -> impl Iterator<Item = u64> {
        self.last.iter().map(|it| it.load(Relaxed)).filter(|it| *it > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_or_seen_again_is_counted() {
        let seen = Seen::new(10);
        for number in [0_u64, 2, 2, 2, 7] {
            seen.see(&number.to_be_bytes());
        }
        seen.see(b"foreign");
        assert_eq!(seen.total(), 6);
        assert_eq!(seen.missed((0..3).chain([7, 8])), 2);
        assert_eq!(seen.duplicates(), 2);
    }
}
