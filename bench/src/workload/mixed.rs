//! The churn of a large population, with lookups beside: the largest population whose churn holds.
//!
//! Of U users online a thousandth reconnects each second, and each reconnect is one unregister and one register, with
//! another gateway; senders look up users at a fixed rate beside. All three come in an open loop: each operation is due
//! at a time of its own, its latency begins then, and a run ends when everything that was due is answered. A load holds
//! when nothing failed and the p99 of each kind is under 50 ms. U is doubled until it does not hold, then the distance
//! is halved; what is printed is a longer run at the largest U that held.
//!
//! U says how much comes and goes. The cluster holds a million sessions whatever U is: what an operation costs does not
//! depend on how many others stay as they are, and `footprint` says what those take.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use keeper_client_sdk::Lookup;
use serde::Serialize;

use crate::{
    bench::Bench,
    churn::Churn,
    cluster::Cluster,
    desk::Done,
    fleet::Fleet,
    meter::{Cost, Meter},
    open_loop::{OpenLoop, Schedule},
    report::{Figures, Row},
    search::{Search, Verdict},
    users::{Users, mix},
    workload::LOAD_PATIENCE,
};

const SESSIONS: [u64; 1] = [1_000_000];
const SESSIONS_QUICK: [u64; 1] = [100_000];

/// Of those online, how many a second reconnect: one in so many.
const RECONNECTS_ONE_IN: u64 = 1_000;

const LOOKUPS_PER_S: u64 = 50_000;
const LOOKUPS_PER_S_QUICK: u64 = 10_000;

/// What each kind of operation must keep.
const P99_MAX: Duration = Duration::from_millis(50);

/// Where the search begins and where it gives up.
const ONLINE_USERS_FIRST: u64 = 20_000_000;
const ONLINE_USERS_LEAST: u64 = 1_000_000;

/// How close the search gets.
const TOLERANCE_PERCENT: u64 = 10;
const TOLERANCE_PERCENT_QUICK: u64 = 30;

/// Length of one try, and how often a longer run that does not hold is repeated with a tenth less.
const TRY: Duration = Duration::from_secs(5);
const TRY_QUICK: Duration = Duration::from_secs(2);
const REPEATS: u32 = 5;

#[derive(Debug, Serialize)]
pub(crate) struct Mixed {
    pub(crate) online_users: u64,
    pub(crate) register_per_s: u64,
    pub(crate) unregister_per_s: u64,
    pub(crate) lookup_per_s: u64,
    pub(crate) p50_us: ByKind,
    pub(crate) p99_us: ByKind,
    pub(crate) max_us: ByKind,
}

/// One figure of each kind of operation.
#[derive(Debug, Serialize)]
pub(crate) struct ByKind {
    pub(crate) register: u64,
    pub(crate) unregister: u64,
    pub(crate) lookup: u64,
}

impl Figures for Mixed {
    const WORKLOAD: &'static str = "mixed";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS_QUICK) {
        let mut cluster = bench.cluster().await?;
        let fleet = Fleet::open(&cluster, "bench-mixed").await?;
        bench.say(&format!("  loading {sessions} sessions"));
        let people = People::load(&fleet, sessions, bench.pick(LOOKUPS_PER_S, LOOKUPS_PER_S_QUICK)).await?;
        let ran = people.largest(bench, &mut cluster).await?;
        bench.row(&Row::new(&cluster, &ran.cost, ran.errors(), ran.figures()))?;
        drop((people, fleet));
        cluster.stop().await;
    }
    Ok(())
}

/// Half of the sessions stay and are looked up; half come and go.
struct People {
    churn: Churn,
    lookup: Lookup,
    users: Users,
    staying: u64,
    lookup_per_s: u64,
}

/// One run of one load.
struct Ran {
    online_users: u64,
    register_per_s: u64,
    lookup_per_s: u64,
    registers: Done,
    unregisters: Done,
    lookups: Done,
    cost: Cost,
    /// Of each node, by its number.
    nodes_cpu_s: Vec<(u64, f64)>,
}

impl People {
    async fn load(fleet: &Fleet, sessions: u64, lookup_per_s: u64) -> Result<Self> {
        let staying = sessions.div_ceil(2);
        let loaded = fleet.load(staying, LOAD_PATIENCE).await?;
        if loaded < staying {
            bail!("only {loaded} of {staying} sessions in {LOAD_PATIENCE:?}");
        }
        // As many are gone as come and go online: enough for seconds of churn.
        let churn = Churn::new(fleet.strangers(), 2 * (sessions - staying));
        churn.load(sessions - staying).await?;
        Ok(Self { churn, lookup: fleet.keeper().lookup(), users: fleet.users(), staying, lookup_per_s })
    }

    /// Finds the largest load, and runs it for longer.
    async fn largest(&self, bench: &Bench, cluster: &mut Cluster) -> Result<Ran> {
        let tolerance = bench.pick(TOLERANCE_PERCENT, TOLERANCE_PERCENT_QUICK);
        let mut search = Search::new(ONLINE_USERS_FIRST, ONLINE_USERS_LEAST, tolerance);
        let mut online_users = ONLINE_USERS_LEAST;
        while let Some(next) = search.next() {
            let ran = self.run(cluster, next, bench.pick(TRY, TRY_QUICK)).await?;
            ran.tell(bench);
            if ran.verdict() == Verdict::Held {
                online_users = next;
            }
            search.tell(ran.verdict());
        }
        let time = bench.seconds(20, 5);
        let leader = cluster.leader().await?;
        for _ in 1..REPEATS {
            let ran = self.run(cluster, online_users, time).await?;
            ran.tell(bench);
            if ran.verdict() == Verdict::Held || online_users == ONLINE_USERS_LEAST {
                ran.tell_cost(bench, leader);
                return Ok(ran);
            }
            online_users = (online_users / 10 * 9).max(ONLINE_USERS_LEAST);
        }
        let ran = self.run(cluster, online_users, time).await?;
        ran.tell_cost(bench, leader);
        Ok(ran)
    }

    async fn run(&self, cluster: &Cluster, online_users: u64, time: Duration) -> Result<Ran> {
        let register_per_s = online_users / RECONNECTS_ONE_IN;
        let before = nodes_cpu_s(cluster);
        let meter = Meter::start(cluster)?;
        let (coming, leaving) = (self.churn.clone(), self.churn.clone());
        let registers = OpenLoop::start(Schedule::lasting(register_per_s, time), move |number| {
            let churn = coming.clone();
            async move { churn.register(number).await }
        });
        let unregisters = OpenLoop::start(Schedule::lasting(register_per_s, time), move |_| {
            let churn = leaving.clone();
            async move { churn.unregister().await }
        });
        let (users, lookup, staying) = (self.users, self.lookup.clone(), self.staying);
        let lookups = OpenLoop::start(Schedule::lasting(self.lookup_per_s, time), move |number| {
            let (key, lookup) = (users.key(mix(number) % staying), lookup.clone());
            async move {
                let key = key?;
                let found = lookup.session(&key).await?.found;
                found.map(drop).with_context(|| format!("{key} was not found"))
            }
        });
        let (registers, unregisters, lookups) =
            tokio::join!(registers.finish(), unregisters.finish(), lookups.finish());
        let cost = meter.stop(cluster)?;
        let nodes_cpu_s = nodes_cpu_s(cluster).iter().zip(&before).map(|(now, then)| (now.0, now.1 - then.1)).collect();
        let lookup_per_s = self.lookup_per_s;
        Ok(Ran { online_users, register_per_s, lookup_per_s, registers, unregisters, lookups, cost, nodes_cpu_s })
    }
}

/// Empty when the nodes are not ours.
fn nodes_cpu_s(cluster: &Cluster) -> Vec<(u64, f64)> {
    cluster.nodes().iter().map(|node| (node.id, node.cpu_s())).collect()
}

impl Ran {
    fn kinds(&self) -> [(&'static str, &Done); 3] {
        [("register", &self.registers), ("unregister", &self.unregisters), ("lookup", &self.lookups)]
    }

    fn errors(&self) -> u64 {
        self.kinds().iter().map(|(_, done)| done.errors).sum()
    }

    fn verdict(&self) -> Verdict {
        let p99_us_max = u64::try_from(P99_MAX.as_micros()).unwrap_or(u64::MAX);
        let is_quick = self.kinds().iter().all(|(_, done)| done.latencies.p99_us() <= p99_us_max);
        if is_quick && self.errors() == 0 { Verdict::Held } else { Verdict::Failed }
    }

    fn figures(&self) -> Mixed {
        let by_kind = |figure: fn(&Done) -> u64| ByKind {
            register: figure(&self.registers),
            unregister: figure(&self.unregisters),
            lookup: figure(&self.lookups),
        };
        Mixed {
            online_users: self.online_users,
            register_per_s: self.register_per_s,
            unregister_per_s: self.register_per_s,
            lookup_per_s: self.lookup_per_s,
            p50_us: by_kind(|done| done.latencies.p50_us()),
            p99_us: by_kind(|done| done.latencies.p99_us()),
            max_us: by_kind(|done| done.latencies.max_us()),
        }
    }

    fn tell(&self, bench: &Bench) {
        let Self { online_users, register_per_s, lookup_per_s, .. } = self;
        let p99: Vec<_> =
            self.kinds().iter().map(|(kind, it)| format!("{kind} {} us", it.latencies.p99_us())).collect();
        bench.say(&format!(
            "  {online_users} online: 2 x {register_per_s}/s, {lookup_per_s} lookups/s: {:?}, p99 {}",
            self.verdict(),
            p99.join(", "),
        ));
        for (kind, done) in self.kinds() {
            if let Some(error) = &done.error {
                bench.say(&format!("  {} of {kind} failed, for example: {error:#}", done.errors));
            }
        }
    }

    /// What an operation costs on each side, and what a larger machine would carry by that.
    fn tell_cost(&self, bench: &Bench, leader: u64) {
        /// Of the node that is extrapolated to, and how much of it may be busy.
        const CORES: f64 = 16.0;
        const BUSY: f64 = 0.7;
        let operations = self.kinds().iter().map(|(_, done)| done.latencies.count()).sum::<u64>().max(1) as f64;
        let us = |cpu_s: f64| cpu_s * 1e6 / operations;
        bench.say(&format!("  CPU per operation: client {:.2} us", us(self.cost.client_cpu_s)));
        for (node, cpu_s) in &self.nodes_cpu_s {
            let role = if *node == leader { "leader" } else { "follower" };
            bench.say(&format!("  CPU per operation: node {node}, {role}: {:.2} us", us(*cpu_s)));
        }
        if let Some((_, cpu_s)) = self.nodes_cpu_s.iter().find(|(node, _)| *node == leader) {
            // All three kinds grow with the population, in the proportion of this run.
            let per_user_s = cpu_s / self.cost.seconds / self.online_users as f64;
            let users = CORES * BUSY / per_user_s;
            bench.say(&format!("  a leader of {CORES} cores, {BUSY} of them busy, by that: {users:.0} online users"));
        }
    }
}
