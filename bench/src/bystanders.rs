//! Those who have nothing to do with what is done to the cluster, and what they notice of it.
//!
//! A hundred healthy processes hold leases of three seconds, a hundred watchers get a document five times a second, and
//! a sender looks up a thousand users a second, all of them connected to gateways that stay. The rates are low: they
//! are there to be disturbed, not to disturb. They have a thread of their own, as if they were other processes.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use keeper_client_sdk::{Builder, Endpoint, Instance, Keeper};
use tokio::task::JoinSet;

use crate::{
    aside::Aside,
    board::Board,
    cluster::Cluster,
    crowd::{Crowd, publish, publish_all},
    desk::Done,
    fleet::Fleet,
    open_loop::{OpenLoop, Schedule},
    users::mix,
};

/// Leases, short ones: renewals every second, which others could crowd out.
const LEASES: usize = 100;
const LEASE_TTL: Duration = Duration::from_secs(3);

const WATCHERS: usize = 100;

/// More than can be published meanwhile.
const UPDATES_MAX: u64 = 10_000;

const LOOKUPS_PER_S: u64 = 1_000;
const LOOKED_UP: u64 = 10_000;

/// How long loading those who are looked up may take.
const LOAD_PATIENCE: Duration = Duration::from_secs(60);

/// Processes at work. They end with it.
pub(crate) struct Bystanders {
    processes: Processes,
    aside: Aside,
}

struct Processes {
    leases: Vec<Instance>,
    board: Arc<Board>,
    lookups: OpenLoop,
    crowd: Crowd,
    publisher: JoinSet<()>,
    _fleet: Fleet,
    _keeper: Keeper,
}

/// What they noticed.
pub(crate) struct Noticed {
    /// From when an update was due to its receipts.
    pub(crate) config: Done,
    pub(crate) lookups: Done,
}

impl Bystanders {
    pub(crate) async fn open(cluster: &Cluster) -> Result<Self> {
        let aside = Aside::start()?;
        let processes = aside.run(Processes::open(cluster.client(), cluster.endpoints().to_vec())).await??;
        Ok(Self { processes, aside })
    }

    /// What they noticed since the last time.
    pub(crate) fn take(&self) -> Noticed {
        Noticed { config: self.processes.board.take(), lookups: self.processes.lookups.take() }
    }

    /// Ends them, and says what they noticed since the last time, down to the last answer that anybody waited for; and
    /// how many leases were lost.
    pub(crate) async fn finish(self) -> Result<(Noticed, u64)> {
        let Self { processes, aside } = self;
        let noticed = processes.finish().await;
        drop(aside);
        noticed
    }
}

impl Processes {
    async fn open(client: Builder, endpoints: Vec<Endpoint>) -> Result<Self> {
        let fleet = Fleet::over(client.clone(), "bench-healthy").await?;
        fleet.load(LOOKED_UP, LOAD_PATIENCE).await?;
        let keeper = client.connect().await.context("connecting bystanders")?;
        let leases = (0..LEASES)
            .map(|process| keeper.instance("bench-leased", format!("process-{process}")).ttl(LEASE_TTL).open());
        let leases = try_join_all(leases).await.context("opening leases")?;
        let board = Arc::new(Board::new(UPDATES_MAX));
        let (configs, path) = (keeper.configs(), format!("bench/bystanders-{:08x}.json", rand::random::<u32>()));
        publish(&configs, &path, 0).await?;
        let crowd = Crowd::open(&endpoints, WATCHERS, &path, &board).await?;
        let mut publisher = JoinSet::new();
        let notes = board.clone();
        publisher.spawn(async move { publish_all(&configs, &path, &notes).await });
        let lookups = look_up(&keeper, &fleet);
        Ok(Self { leases, board, lookups, crowd, publisher, _fleet: fleet, _keeper: keeper })
    }

    async fn finish(mut self) -> Result<(Noticed, u64)> {
        let lookups = self.lookups.stop().await;
        self.board.close();
        while self.publisher.join_next().await.is_some() {}
        self.crowd.settle(&self.board).await?;
        let lost = self.leases.iter().filter(|lease| !lease.is_held()).count();
        Ok((Noticed { config: self.board.take(), lookups }, lost as u64))
    }
}

/// Only users that are there are asked for, and a miss counts as an error.
fn look_up(keeper: &Keeper, fleet: &Fleet) -> OpenLoop {
    let (users, lookup) = (fleet.users(), keeper.lookup());
    OpenLoop::start(Schedule::endless(LOOKUPS_PER_S), move |number| {
        let (key, lookup) = (users.key(mix(number) % LOOKED_UP), lookup.clone());
        async move {
            let key = key?;
            if lookup.session(&key).await?.found.is_none() { bail!("{key} was not found") } else { Ok(()) }
        }
    })
}
