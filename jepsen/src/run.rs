//! One run: a cluster, clients, faults; then everything healed, looked at, and judged.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};

use crate::{
    check::{self, Violation},
    cluster::{Builds, Cluster, Plan},
    history::{Event, History, Kind, MONITOR},
    leftovers::Ledger,
    nemesis::{Fault, Needs},
    network::Network,
    workload::{Crowd, Left, Workload, client::Office},
    world::World,
};

/// How long clients go on when everything is healed, before they are stopped: the cluster must serve again.
const SERVES_WITHIN: Duration = Duration::from_secs(15);

/// How long a client may take to end its last operation.
const CLIENTS_END: Duration = Duration::from_secs(20);

const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What to do.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) builds: Builds,
    pub(crate) workload: Workload,
    pub(crate) faults: Vec<Fault>,
    pub(crate) nodes: usize,
    pub(crate) clients: u32,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) history: PathBuf,
}

/// What came of it.
pub(crate) struct Verdict {
    pub(crate) events: Vec<Event>,
    pub(crate) violations: Vec<Violation>,
    /// Promised and not done: the run proves nothing.
    pub(crate) missing: Vec<String>,
}

impl Order {
    /// How many nodes there are: where members come and go, one more than are founded.
    pub(crate) fn places(&self) -> usize {
        self.nodes + usize::from(self.faults.contains(&Fault::Membership))
    }

    pub(crate) async fn run(&self, network: Network, ledger: Arc<Ledger>) -> Result<Verdict> {
        for keeper in [Some(&self.builds.newest), self.builds.old.as_ref()].into_iter().flatten() {
            ensure!(keeper.exists(), "there is no {}: build it, or name another", keeper.display());
        }
        let upgrades = self.faults.contains(&Fault::Upgrade);
        ensure!(upgrades == self.builds.old.is_some(), "--nemesis upgrade and --old-binaries belong together");
        let history = Arc::new(History::create(&self.history)?);
        let needs = Needs::of(&self.faults);
        let (founders, nodes) = (self.nodes, self.places());
        let plan = Plan { builds: &self.builds, founders, nodes, needs: &needs, history: &self.history };
        let cluster = Cluster::start(&plan, &network, ledger).await.context("the cluster does not start")?;
        let endpoints = cluster.endpoints();
        let office = Arc::new(Office { endpoints, history: history.clone(), seed: self.seed });
        let world = Arc::new(World::new(cluster, network, history.clone()));
        let mut monitor = JoinSet::new();
        let watched = world.clone();
        monitor.spawn(async move { watched.watch().await });
        let outcome = tokio::select! {
            outcome = self.acts(&world, &office) => outcome,
            Some(ended) = monitor.join_next() => Err(ended.map_or_else(Into::into, |never| match never {
                Ok(never) => match never {},
                Err(error) => error,
            })),
        };
        monitor.shutdown().await;
        outcome?;
        let events = history.close()?;
        let violations = check::check(self.workload, &events);
        let missing = check::vacuous(self.workload, &self.faults, &events);
        Ok(Verdict { events, violations, missing })
    }

    /// Faults, then healing, then the end.
    async fn acts(&self, world: &Arc<World>, office: &Arc<Office>) -> Result<()> {
        let mut crowd = self.workload.spawn(office, self.clients).await.context("the clients cannot begin")?;
        let mut rest = Duration::from_secs(self.seconds);
        if self.workload.loses_state() {
            rest /= 2;
            self.work(world, rest, &mut crowd, self.seed).await?;
            self.lose(world).await?;
        }
        self.work(world, rest, &mut crowd, self.seed + 1).await?;
        self.serves(world).await?;
        if self.faults.contains(&Fault::Membership) {
            world.enlist().await?;
        }
        self.end(world, office, crowd).await
    }

    /// Lets clients and faults do what they do, then ends the faults.
    async fn work(&self, world: &Arc<World>, duration: Duration, crowd: &mut Crowd, seed: u64) -> Result<()> {
        let mut nemeses = world.strike(&self.faults, seed);
        tokio::select! {
            () = time::sleep(duration) => {}
            Some(ended) = nemeses.join_next() => {
                ended.context("a fault panicked")??;
                bail!("a fault ended before it was told to");
            }
            Some(ended) = crowd.workers.join_next() => return Err(too_soon(ended)),
            Some(ended) = crowd.followers.join_next() => return Err(too_soon(ended)),
        }
        world.over(nemeses).await?;
        world.heal().await
    }

    async fn lose(&self, world: &World) -> Result<()> {
        let mut cluster = world.cluster.lock().await;
        world.history.fault("lose", "all", json!(null))?;
        cluster.lose_everything().await?;
        world.history.fault("found", "all", json!(null))
    }

    /// A healed cluster acknowledges operations again.
    async fn serves(&self, world: &World) -> Result<()> {
        let healed = world.history.now();
        let deadline = Instant::now() + SERVES_WITHIN;
        let mut served = 0;
        while served < usize::try_from(self.clients)? && Instant::now() < deadline {
            time::sleep(LOOK_AGAIN).await;
            let events = world.history.close()?;
            let since = events.iter().rev().take_while(|it| it.time > healed);
            served = since.filter(|it| it.process >= 0 && it.kind == Kind::Ok).count();
        }
        let value = json!({ "served": served > 0, "operations": served });
        world.history.add(MONITOR, Kind::Info, "served", "all", value)
    }

    async fn end(&self, world: &World, office: &Arc<Office>, mut crowd: Crowd) -> Result<()> {
        crowd.stop.cancel();
        let held = drain(&mut crowd.workers).await?;
        world.converge().await?;
        let last = self.workload.finish(office).await.context("what must still be there")?;
        crowd.last_revision.send_replace(Some(last));
        if self.workload.loses_state() {
            // They hold connections, and would hold them for ever.
            crowd.followers.shutdown().await;
        }
        drain(&mut crowd.followers).await?;
        drop(held);
        Ok(())
    }
}

/// Waits for clients to end; one that does not is stopped with its operation open.
async fn drain(tasks: &mut JoinSet<Result<Left>>) -> Result<Vec<Left>> {
    let mut left = Vec::new();
    let ending = async {
        while let Some(ended) = tasks.join_next().await {
            left.push(ended.context("a client panicked")?.context("a client")?);
        }
        anyhow::Ok(())
    };
    match time::timeout(CLIENTS_END, ending).await {
        Ok(ended) => ended?,
        Err(_) => tasks.shutdown().await,
    }
    Ok(left)
}

fn too_soon(ended: std::result::Result<Result<Left>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(_)) => anyhow!("a client ended before it was told to"),
        Ok(Err(error)) => error.context("a client"),
        Err(error) => anyhow!(error).context("a client panicked"),
    }
}
