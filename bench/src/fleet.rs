//! Gateways in this process: one client, a few instances, and the sessions they register.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use keeper_client_sdk::{Builder, Error, Instance, Keeper, Registered, Sessions};
use tokio::task::JoinSet;

use crate::{cluster::Cluster, users::Users};

/// Gateways of a fleet: a few, as one process may hold a few.
const GATEWAYS: usize = 4;

/// Longer than anything that is done to the nodes here: a lease lost would be measured as something else.
const TTL: Duration = Duration::from_secs(120);

/// Callers that load sessions, for each gateway: enough to fill its frames while others are under way.
const LOADERS: usize = 1_024;

/// Gateways in this process. Their leases end with it.
pub(crate) struct Fleet {
    keeper: Keeper,
    _instances: Vec<Instance>,
    writer: Writer,
}

/// Registers users, spread over the gateways.
#[derive(Clone)]
pub(crate) struct Writer {
    gateways: Arc<[Sessions]>,
    users: Users,
}

impl Fleet {
    /// Opens gateways of a service, over one client.
    pub(crate) async fn open(cluster: &Cluster, service: &str) -> Result<Self> {
        Self::over(cluster.client(), service).await
    }

    /// The same, of a cluster that a client is described for.
    pub(crate) async fn over(client: Builder, service: &str) -> Result<Self> {
        let keeper = client.connect().await.context("connecting gateways")?;
        let mut instances = Vec::new();
        for gateway in 0..GATEWAYS {
            let builder = keeper.instance(service, format!("gateway-{gateway}")).endpoint("127.0.0.1:1").ttl(TTL);
            instances.push(builder.open().await.context("opening a gateway")?);
        }
        let gateways = instances.iter().map(Instance::sessions).collect();
        let writer = Writer { gateways, users: Users::fresh() };
        Ok(Self { keeper, _instances: instances, writer })
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub(crate) fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// For users that the fleet's own writer does not know.
    pub(crate) fn strangers(&self) -> Writer {
        Writer { users: Users::fresh(), ..self.writer() }
    }

    pub(crate) const fn users(&self) -> Users {
        self.writer.users
    }

    /// Registers users 0 to `sessions`, or as many as there is time for, and says how many.
    pub(crate) async fn load(&self, sessions: u64, time: Duration) -> Result<u64> {
        load(&self.writer, sessions, time).await
    }
}

impl Writer {
    pub(crate) fn new(gateways: Vec<Sessions>, users: Users) -> Self {
        Self { gateways: gateways.into(), users }
    }

    pub(crate) const fn users(&self) -> Users {
        self.users
    }

    /// One of the gateways; every number names one.
    pub(crate) fn gateway(&self, number: u64) -> &Sessions {
        &self.gateways[usize::try_from(number).unwrap_or_default() % self.gateways.len()]
    }

    /// Registers one user with the gateway of its number, and waits for the answer.
    pub(crate) async fn register(&self, user: u64) -> Result<Registered, Error> {
        self.gateway(user).register(self.users.registration(user)?).await
    }
}

/// As [`Fleet::load`].
pub(crate) async fn load(writer: &Writer, sessions: u64, time: Duration) -> Result<u64> {
    let next = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + time;
    let mut loaders = JoinSet::new();
    for _ in 0..LOADERS * writer.gateways.len() {
        let (writer, next) = (writer.clone(), next.clone());
        loaders.spawn(async move {
            let mut loaded = 0;
            while Instant::now() < end {
                let user = next.fetch_add(1, Relaxed);
                if user >= sessions {
                    break;
                }
                writer.register(user).await.with_context(|| format!("loading session {user} of {sessions}"))?;
                loaded += 1;
            }
            anyhow::Ok(loaded)
        });
    }
    let mut loaded = 0;
    while let Some(result) = loaders.join_next().await {
        loaded += result.context("loading sessions")??;
    }
    Ok(loaded)
}
