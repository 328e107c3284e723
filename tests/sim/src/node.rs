//! A node of the cluster: the daemon's own code, on a host of the world.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use keeper::clock::WallClock;
use keeper::config::secret::NONCE_BYTES;
use keeper::levels::{LevelError, Levels, release_of};
use keeper::metrics::Metrics;
use keeper::node::{Addresses, Failure, Listeners, Node, Parts, Runtimes, hooks};
use keeper::publish::Nonces;
use keeper::raft::{Entropy, Offload, RaftHandle};
use keeper::replica::Replica;
use keeper::settings::{Listen, Settings};
use keeper_client_sdk::InitialMember;
use keeper_registry::{Level, Shortage};
use parking_lot::Mutex;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::disk::{Disk, RESERVE_BYTES};
use crate::fleet::Fleet;
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
    fleet: Fleet,
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
    /// Members replaced by processes that have ended.
    pub replaced_before: u64,
}

impl Inside {
    fn see(&mut self, node: &Node, metrics: Arc<Metrics>) {
        self.replica = Some(Arc::clone(node.replica()));
        self.raft = Some(node.raft().clone());
        self.metrics = Some(metrics);
    }
}

impl SimNode {
    /// A node on a host of its own: of this number, or one that waits to be taken in.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn new(world: &mut World, host: HostId, number: Option<u64>, fleet: Fleet) -> anyhow::Result<Self> {
        let disk = new_disk(world, number.unwrap_or(0))?;
        let mut settings = Settings::new(CLUSTER, number.unwrap_or(0), disk.folder());
        settings.node_id = number;
        let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, octet(host))), port);
        settings.listen = Listen { client: at(7_400), peer: at(7_401), http: at(7_402) };
        settings.raft.snapshot_log_entries = Some(world.rng().random_range(SNAPSHOT_ENTRIES));
        settings.raft.log_keep_entries = LOG_KEEP_ENTRIES;
        settings.storage.disk_reserve_bytes = RESERVE_BYTES;
        fleet.note(&settings.listen.peer.to_string(), number.unwrap_or(0));
        Ok(Self { host, disk, wall: SimClock::default(), settings, fleet, inside: Arc::default() })
    }

    /// The number it was taken in with; 0 while it waits for one, whatever its settings say.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.fleet.number(&self.settings.listen.peer.to_string())
    }

    /// Its disk is gone, and another one in its place. Its process must not run. A founder comes back under the number
    /// of its settings, which is that of a member who had promised what it does not know.
    ///
    /// # Errors
    /// There is no other.
    pub fn lose_disk(&mut self, world: &mut World) -> anyhow::Result<()> {
        self.disk = new_disk(world, self.settings.node_id.unwrap_or(0))?;
        self.settings.data_dir = self.disk.folder().to_owned();
        self.fleet.note(&self.settings.listen.peer.to_string(), 0);
        Ok(())
    }

    /// From its next start on it runs a release that reads feature levels up to this one.
    pub fn install(&mut self, level_max: Level) {
        self.settings.upgrade.level_max = Some(level_max.0);
    }

    /// The newest feature level that its release reads.
    #[must_use]
    pub fn level_max(&self) -> Level {
        self.settings.upgrade.level_max.map_or(Level::NEWEST, Level)
    }

    /// The feature level that its state is at.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.replica().map(|replica| replica.read(keeper_registry::State::level))
    }

    /// Why it takes nothing new, if it leads.
    #[must_use]
    pub fn shortage(&self) -> Option<Shortage> {
        self.inside.lock().raft.as_ref().and_then(RaftHandle::shortage)
    }

    /// Members that lack what they had acknowledged to it.
    pub fn taken_back(&self) -> Vec<u64> {
        self.inside.lock().raft.as_ref().map(RaftHandle::taken_back).unwrap_or_default()
    }

    /// The members as it knows them, and how new that is.
    #[must_use]
    pub fn members(&self) -> Option<(u64, BTreeSet<u64>)> {
        let status = self.inside.lock().raft.as_ref()?.status();
        Some((status.membership?, status.members.into_keys().collect()))
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

    /// Members whose directory was empty that it replaced by itself, in all its lives.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        let inside = self.inside.lock();
        inside.replaced_before + inside.metrics.as_ref().map_or(0, |metrics| metrics.members_replaced.get())
    }

    /// As a member of a cluster to be founded.
    #[must_use]
    pub fn member(&self) -> InitialMember {
        InitialMember {
            node_id: self.number(),
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
            fleet: self.fleet.clone(),
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
            inside.replaced_before += metrics.members_replaced.get();
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
    fleet: Fleet,
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
        let folder = self.disk.folder().display().to_string();
        let why = match self.live().await {
            Ok(ended) if ended.is_renumbering() => {
                return trace.tell(0, format_args!("the node at {} starts anew: {}", host.0 + 1, ended.reason));
            }
            Ok(Failure { task, reason }) => format!("{task}: {reason}"),
            Err(error) => format!("did not start: {error:#}"),
        };
        // The folder has a name that no seed decides.
        let why = why.replace(&folder, "");
        trace.tell(0, format_args!("node {} cannot go on: {why}", host.0 + 1));
        inside.lock().failures.push(why);
    }

    async fn live(self) -> anyhow::Result<Failure> {
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = Arc::new(Metrics::register(&mut registry));
        let failure = watch::Sender::new(None);
        let opened = self.disk.open(self.seeds.disk, hooks(failure.clone(), Arc::clone(&metrics)));
        let log = planted::engine(Arc::clone(&opened.engine));
        let keep_number = keep_number(&self.disk, &self.fleet, self.settings.listen.peer, &failure);
        let wall = self.wall;
        let parts = Parts {
            log,
            node: self.disk.number(),
            disk_id: self.disk.id(),
            keep_number,
            snapshots: self.disk.snapshots()?,
            free_bytes: self.disk.free_bytes(),
            dial: Arc::new(SimDial { net: Arc::clone(&self.net), host: self.host }),
            entropy: Entropy::seeded(self.seeds.entropy),
            offload: Offload::Inline,
            keys: Arc::default(),
            nonces: nonces(self.seeds.entropy),
            wall: WallClock::new(move || wall.read_ms()),
            levels: levels(&self.settings, &self.disk)?,
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

/// As a data directory keeps the level, and refuses a release that does not read it.
fn levels(settings: &Settings, disk: &Arc<Disk>) -> Result<Levels, LevelError> {
    let onto = Arc::clone(disk);
    let levels = Levels::new(settings.upgrade.level_max.map(Level), move |level| {
        onto.keep_level(level);
        Ok(())
    });
    levels.enter(disk.level(), release_of(disk.level()))?;
    Ok(levels)
}

fn new_disk(world: &mut World, number: u64) -> anyhow::Result<Arc<Disk>> {
    let id = world.rng().random::<u64>().max(1);
    Ok(Arc::new(Disk::new(id, number).context("making a disk")?))
}

/// Where a node that is taken in keeps its number; its process ends, and is started anew under it.
/// Numbers in a row are as good as any: no two are the same.
fn nonces(seed: u64) -> Nonces {
    let next = AtomicU64::new(seed);
    Nonces::of(move || {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&next.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        nonce
    })
}

fn keep_number(
    disk: &Arc<Disk>,
    fleet: &Fleet,
    peer: SocketAddr,
    failure: &watch::Sender<Option<Failure>>,
) -> Arc<dyn Fn(u64) -> std::io::Result<()> + Send + Sync> {
    let (disk, fleet, failure) = (Arc::clone(disk), fleet.clone(), failure.clone());
    Arc::new(move |number| {
        disk.keep_number(number);
        fleet.note(&peer.to_string(), number);
        failure.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert_with(|| Failure::renumbered(number));
            is_first
        });
        Ok(())
    })
}

/// Hosts are few.
fn octet(host: HostId) -> u8 {
    u8::try_from(host.0 + 1).unwrap_or(u8::MAX)
}
