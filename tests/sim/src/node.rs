//! A node of the cluster: the daemon's own code, on a host of the world.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use keeper::clock::WallClock;
use keeper::metrics::Metrics;
use keeper::node::{Addresses, Failure, Listeners, Node, Parts, Runtimes, hooks};
use keeper::raft::{Entropy, Offload, RaftHandle};
use keeper::replica::Replica;
use keeper::settings::{Listen, Settings};
use keeper_client_sdk::InitialMember;
use parking_lot::Mutex;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::disk::Disk;
use crate::planted;
use crate::world::{HostId, Net, SimClock, SimDial, Trace, World};

/// Entries after which a snapshot is due: small, so that a run sees many, and lagging followers need them.
const SNAPSHOT_ENTRIES: std::ops::RangeInclusive<u64> = 50..=100;

/// Entries kept behind a snapshot.
const LOG_KEEP_ENTRIES: u64 = 10;

/// The cluster's name.
pub const CLUSTER: &str = "sim";

/// A node, whether it runs or not.
pub struct SimNode {
    /// Where it runs.
    pub host: HostId,
    /// What outlives it.
    pub disk: Arc<Disk>,
    /// What it believes the time to be.
    pub wall: SimClock,
    settings: Settings,
    disk_id: u64,
    /// What of the running process can be looked at, and how the last one ended.
    pub inside: Arc<Mutex<Inside>>,
}

/// What can be seen of a node from outside of the world.
#[derive(Default)]
pub struct Inside {
    /// The state, while a process holds one.
    pub replica: Option<Arc<Replica>>,
    /// Consensus in the present process.
    pub raft: Option<RaftHandle>,
    /// Counters of the present process.
    pub metrics: Option<Arc<Metrics>>,
    /// Why processes ended by themselves.
    pub failures: Vec<String>,
    /// Snapshots installed by processes that have ended.
    pub installed_before: u64,
}

impl Inside {
    fn see(&mut self, node: &Node, metrics: Arc<Metrics>) {
        self.replica = Some(Arc::clone(node.replica()));
        self.raft = Some(node.raft().clone());
        self.metrics = Some(metrics);
    }
}

impl SimNode {
    /// A node on a host of its own.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn new(world: &mut World, host: HostId) -> anyhow::Result<Self> {
        let disk = Arc::new(Disk::new().context("making a disk")?);
        let mut settings = Settings::new(CLUSTER, host.0 as u64 + 1, disk.folder());
        let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, octet(host))), port);
        settings.listen = Listen { client: at(7_400), peer: at(7_401), http: at(7_402) };
        settings.raft.snapshot_log_entries = Some(world.rng().random_range(SNAPSHOT_ENTRIES));
        settings.raft.log_keep_entries = LOG_KEEP_ENTRIES;
        let disk_id = world.rng().random::<u64>().max(1);
        Ok(Self { host, disk, wall: SimClock::default(), settings, disk_id, inside: Arc::default() })
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn client_endpoint(&self) -> String {
        self.settings.listen.client.to_string()
    }

    /// The state of the running process.
    #[must_use]
    pub fn replica(&self) -> Option<Arc<Replica>> {
        self.inside.lock().replica.clone()
    }

    /// The last entry that its state has taken.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.replica().map_or(0, |replica| replica.applied().0)
    }

    /// The last entry that it has dropped from its log.
    #[must_use]
    pub fn purged(&self) -> u64 {
        self.inside.lock().raft.as_ref().and_then(|raft| raft.status().purged).unwrap_or(0)
    }

    /// Snapshots of others that it took over, in all its lives.
    #[must_use]
    pub fn installed(&self) -> u64 {
        let inside = self.inside.lock();
        inside.installed_before + inside.metrics.as_ref().map_or(0, |metrics| metrics.snapshots_installed.get())
    }

    /// As a member of a cluster to be founded.
    #[must_use]
    pub fn member(&self) -> InitialMember {
        InitialMember {
            node_id: self.settings.node_id.unwrap_or_default(),
            peer_endpoint: self.settings.listen.peer.to_string(),
            client_endpoint: self.client_endpoint(),
        }
    }

    /// Whether it believes that it leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.inside.lock().raft.as_ref().is_some_and(|raft| raft.leadership().borrow().own)
    }

    /// Starts its process.
    pub fn start(&self, world: &mut World) {
        let seeds = Seeds::draw(world.rng());
        let process = Process {
            host: self.host,
            disk: Arc::clone(&self.disk),
            disk_id: self.disk_id,
            settings: self.settings.clone(),
            wall: self.wall.clone(),
            net: Arc::clone(world.net()),
            trace: world.trace().clone(),
            inside: Arc::clone(&self.inside),
            seeds,
        };
        world.start(self.host, process.run());
    }

    /// Its process is gone, and with it what was in memory. Says how many writes never reached the disk.
    pub fn crashed(&self, rng: &mut StdRng) -> usize {
        let mut inside = self.inside.lock();
        (inside.replica, inside.raft) = (None, None);
        if let Some(metrics) = inside.metrics.take() {
            inside.installed_before += metrics.snapshots_installed.get();
        }
        drop(inside);
        self.disk.crash(rng)
    }
}

struct Seeds {
    entropy: u64,
    disk: u64,
    state: u64,
}

impl Seeds {
    fn draw(rng: &mut StdRng) -> Self {
        Self { entropy: rng.random(), disk: rng.random(), state: rng.random() }
    }
}

/// One life of a node.
struct Process {
    host: HostId,
    disk: Arc<Disk>,
    disk_id: u64,
    settings: Settings,
    wall: SimClock,
    net: Arc<Net>,
    trace: Trace,
    inside: Arc<Mutex<Inside>>,
    seeds: Seeds,
}

impl Process {
    async fn run(self) {
        let (inside, trace, host) = (Arc::clone(&self.inside), self.trace.clone(), self.host);
        let why = match self.live().await {
            Ok(Failure { task, reason }) => format!("{task}: {reason}"),
            Err(error) => format!("did not start: {error:#}"),
        };
        trace.tell(0, format_args!("node {} cannot go on: {why}", host.0 + 1));
        inside.lock().failures.push(why);
    }

    async fn live(self) -> anyhow::Result<Failure> {
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = Arc::new(Metrics::register(&mut registry));
        let failure = watch::Sender::new(None);
        let opened = self.disk.open(self.seeds.disk, hooks(failure.clone(), Arc::clone(&metrics)));
        let log = planted::engine(Arc::clone(&opened.engine));
        let wall = self.wall;
        let parts = Parts {
            log,
            node: self.settings.node_id.unwrap_or_default(),
            disk_id: self.disk_id,
            keep_number: Arc::new(|_| Err(std::io::Error::other("no node joins in the simulation"))),
            snapshots: self.disk.snapshots()?,
            free_bytes: Arc::new(|| None),
            dial: Arc::new(SimDial { net: Arc::clone(&self.net), host: self.host }),
            entropy: Entropy::seeded(self.seeds.entropy),
            offload: Offload::Inline,
            wall: WallClock::new(move || wall.read_ms()),
            new_state_id: self.seeds.state,
            failure,
            metrics: Arc::clone(&metrics),
            registry: Arc::new(registry),
        };
        let Listen { client, peer, http } = self.settings.listen;
        let listeners = Listeners {
            addresses: Addresses { client, peer, http },
            client: self.net.listen(self.host, client.port()),
            peer: self.net.listen(self.host, peer.port()),
            http: None,
        };
        let runtimes = Runtimes { serve: Handle::current(), raft: Handle::current() };
        let inside = self.inside;
        let serving = async {
            let node = Node::assemble(self.settings, runtimes, parts, listeners).await?;
            inside.lock().see(&node, metrics);
            Ok(node.stopped().await)
        };
        tokio::select! {
            ended = serving => ended,
            () = opened.sync() => Err(anyhow::anyhow!("the disk is gone")),
        }
    }
}

/// Hosts are few.
fn octet(host: HostId) -> u8 {
    u8::try_from(host.0 + 1).unwrap_or(u8::MAX)
}
