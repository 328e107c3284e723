//! A gateway dies with all its sessions: how soon nobody finds them, how soon they are gone, and what others notice.
//!
//! The gateway is a process that is killed right after one of its renewals was acknowledged; its TTL runs from the
//! sending of that renewal, as its own client library counts it, which is a little earlier than the daemon does.
//! `invisible_after_ttl_ms` is the time from the end of that TTL to the first linearizable lookup that does not find
//! one of its sessions; `reaped_after_ttl_ms` to the last proposal of upkeep that the leader counts before it shows no
//! row that waits to be swept. Sixteen others register new users all the while: "before" is the time up to the kill,
//! "during" the time from the end of the TTL until a second after everything is swept.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::{Keeper, SessionKey};
use serde::Serialize;

use crate::{
    bench::Bench,
    cluster::Cluster,
    crew::Crew,
    desk::Done,
    fleet::Fleet,
    gateway::Gateway,
    meter::Meter,
    metrics::Metrics,
    report::{Figures, Row, rounded},
    users::{Users, mix},
    wait::wait_for,
};

const SESSIONS: [u64; 2] = [100_000, 1_000_000];
const SESSIONS_QUICK: [u64; 1] = [100_000];

const TTL: Duration = Duration::from_secs(3);
const OTHERS: usize = 16;

/// Between two lookups of the prober.
const PROBE_PERIOD: Duration = Duration::from_millis(2);

/// How long sessions may stay visible after the TTL, and how long their rows may take.
const INVISIBLE_PATIENCE: Duration = Duration::from_secs(60);
const REAPED_PATIENCE: Duration = Duration::from_secs(120);

/// Upkeep that has been quiet for so long is done, if no row waits: nodes refresh their gauges once a second.
const QUIET: Duration = Duration::from_millis(2_500);

/// After the last upkeep so far, others' waiting belongs to it for so long.
const SETTLED: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
pub(crate) struct Expire {
    pub(crate) sessions: u64,
    pub(crate) ttl_ms: u64,
    pub(crate) invisible_after_ttl_ms: f64,
    pub(crate) reaped_after_ttl_ms: Option<f64>,
    pub(crate) others_p99_us_before: u64,
    pub(crate) others_p99_us_during: u64,
    pub(crate) others_max_us_before: u64,
    pub(crate) others_max_us_during: u64,
}

impl Figures for Expire {
    const WORKLOAD: &'static str = "expire";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS_QUICK) {
        let mut cluster = bench.cluster().await?;
        expire(bench, &mut cluster, sessions).await?;
        cluster.stop().await;
    }
    Ok(())
}

async fn expire(bench: &mut Bench, cluster: &mut Cluster, sessions: u64) -> Result<()> {
    let seed = rand::random();
    bench.say(&format!("  a gateway loads {sessions} sessions"));
    let gateway = Gateway::start(cluster, TTL, sessions, seed).await?;
    let fleet = Fleet::open(cluster, "bench-others").await?;
    let upkeep = Upkeep::of_leader(cluster).await?;
    let writer = fleet.writer();
    let others = Crew::start(OTHERS, move |user| {
        let writer = writer.clone();
        async move { Ok(writer.register(user).await.map(drop)?) }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    others.take();
    let meter = Meter::start(cluster)?;
    let time = bench.seconds(10, 5);
    bench.say(&format!("  {OTHERS} others write for {time:?}, then the gateway is killed"));
    tokio::time::sleep(time).await;
    let ends_at = gateway.kill().await?;
    let before = others.take();
    let prober = Prober { keeper: fleet.keeper().clone(), users: Users::seeded(seed), sessions };
    let invisible = prober.first_miss(ends_at, &others).await?;
    let (reaped_after_ttl_ms, during) = aftermath(upkeep, ends_at, &others).await?;
    let cost = meter.stop(cluster)?;
    others.stop().await;
    if let Some(error) = before.error.as_ref().or(during.error.as_ref()) {
        bench.say(&format!("  others failed, for example: {error:#}"));
    }
    if invisible < 0.0 {
        bench.say("  a session was missed before the end of its TTL");
    }
    let errors = before.errors + during.errors + u64::from(invisible < 0.0);
    let figures = figures(sessions, invisible, reaped_after_ttl_ms, &before, &during);
    bench.row(&Row::new(cluster, &cost, errors, figures))
}

fn figures(sessions: u64, invisible: f64, reaped: Option<f64>, before: &Done, during: &Done) -> Expire {
    Expire {
        sessions,
        ttl_ms: u64::try_from(TTL.as_millis()).unwrap_or(u64::MAX),
        invisible_after_ttl_ms: rounded(invisible),
        reaped_after_ttl_ms: reaped.map(rounded),
        others_p99_us_before: before.latencies.p99_us(),
        others_p99_us_during: during.latencies.p99_us(),
        others_max_us_before: before.latencies.max_us(),
        others_max_us_during: during.latencies.max_us(),
    }
}

/// Milliseconds from one instant to another, of whatever sign.
fn ms_between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(after) => after.as_secs_f64() * 1e3,
        Err(before) => -before.duration().as_secs_f64() * 1e3,
    }
}

struct Prober {
    keeper: Keeper,
    users: Users,
    sessions: u64,
}

impl Prober {
    /// Milliseconds from the end of the TTL to the first miss. What others did until that end is nobody's figure.
    async fn first_miss(&self, ends_at: SystemTime, others: &Crew) -> Result<f64> {
        let lookup = self.keeper.lookup();
        let mut ticks = tokio::time::interval(PROBE_PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_over = false;
        for number in 0.. {
            ticks.tick().await;
            let now = SystemTime::now();
            if now >= ends_at && !is_over {
                is_over = true;
                others.take();
            }
            let found = lookup.session(&self.key(number)?).await.context("looking for a dead session")?.found;
            if found.is_none() {
                return Ok(ms_between(ends_at, SystemTime::now()));
            }
            if ms_between(ends_at, now) > INVISIBLE_PATIENCE.as_secs_f64() * 1e3 {
                break;
            }
        }
        bail!("the dead gateway's sessions were still found {INVISIBLE_PATIENCE:?} after its TTL")
    }

    fn key(&self, number: u64) -> Result<SessionKey> {
        Ok(self.users.key(mix(number) % self.sessions)?)
    }
}

/// Waits until everything is reaped: after how many milliseconds, and what others did meanwhile.
async fn aftermath(upkeep: Option<Upkeep>, ends_at: SystemTime, others: &Crew) -> Result<(Option<f64>, Done)> {
    let Some(upkeep) = upkeep else {
        tokio::time::sleep(QUIET).await;
        return Ok((None, others.take()));
    };
    let mut seen = upkeep.before;
    let mut changed_at = SystemTime::now();
    let mut quiet_since = Instant::now();
    let mut during = Done::default();
    let mut is_counted = false;
    wait_for("reaping the dead gateway's sessions", REAPED_PATIENCE, async || {
        let Counted { proposed, waiting } = upkeep.count().await?;
        if proposed > seen {
            (seen, changed_at, quiet_since, is_counted) = (proposed, SystemTime::now(), Instant::now(), false);
        }
        if quiet_since.elapsed() >= SETTLED && !is_counted {
            // What comes in quiet would only dilute what came before it.
            is_counted = true;
            during.absorb(others.take());
        }
        Ok((quiet_since.elapsed() >= QUIET && waiting == 0.0).then_some(()))
    })
    .await?;
    Ok(((seen > upkeep.before).then(|| ms_between(ends_at, changed_at)), during))
}

/// How much upkeep the leader has proposed: what reaping is, and little else.
struct Upkeep {
    http: String,
    before: f64,
}

impl Upkeep {
    /// None when the nodes are not ours: then nobody told where their metrics are.
    async fn of_leader(cluster: &mut Cluster) -> Result<Option<Self>> {
        let leader = cluster.leader().await?;
        let Some(node) = cluster.nodes().iter().find(|node| node.id == leader) else { return Ok(None) };
        let mut upkeep = Self { http: node.http(), before: 0.0 };
        upkeep.before = upkeep.count().await?.proposed;
        Ok(Some(upkeep))
    }

    async fn count(&self) -> Result<Counted> {
        let metrics = Metrics::scrape(&self.http).await?;
        Ok(Counted {
            proposed: metrics.sum("keeper_proposals_total", "lane=\"upkeep\"").unwrap_or_default(),
            waiting: metrics
                .sum("keeper_sessions_to_sweep", "")
                .context("a node without its gauge of rows to sweep")?,
        })
    }
}

/// What the leader counts.
struct Counted {
    /// Proposals of upkeep.
    proposed: f64,
    /// Rows to be swept.
    waiting: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_is_negative() {
        let now = SystemTime::now();
        assert_eq!(ms_between(now, now + Duration::from_millis(250)), 250.0);
        assert_eq!(ms_between(now + Duration::from_millis(250), now), -250.0);
    }
}
