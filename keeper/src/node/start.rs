//! The assembly: from settings to a running node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keeper_registry::Level;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::backup::{self, Backups};
use crate::clock::WallClock;
use crate::config::secret::KeyRing;
use crate::http;
use crate::lease::{Leases, Upkeep};
use crate::levels::{LevelError, Levels};
use crate::limits;
use crate::members::{Members, Steward, Wiped};
use crate::metrics::Metrics;
use crate::node::admin::{Admin, advertised};
use crate::node::documents::{Documents, Ground};
use crate::node::doors::{Door, Doors};
use crate::node::gauges::Gauges;
use crate::node::listeners::{Accepted, Listeners};
use crate::node::secrets::{self, KeysError};
use crate::node::tasks::{Tasks, fail};
use crate::node::{Addresses, Node};
use crate::propose::{AdmissionLimits, Beginning, Proposer};
use crate::publish::Nonces;
use crate::raft::{self, Dial, Entropy, Offload, RaftHandle, RaftLog, RaftOptions, RaftParts, TcpDial};
use crate::replica::Replica;
use crate::rpc::{self, ClusterService};
use crate::settings::{self, Settings};
use crate::store::{
    self, DataDirectory, FreeBytes, Hooks, LogEngine, RocksEngine, RocksOptions, SnapshotStore, Space, Stage,
};
use crate::upgrade::Upgrade;
use crate::view::View;
use crate::watch::Watches;

/// How often a silent client connection is asked whether it lives, and how long it may take to answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of one client connection and stream that may be under way: several frames, so that a stream never waits for an
/// acknowledgement of HTTP/2 between two of them.
const WINDOW_BYTES: u32 = 2 << 20;

/// Where a node's tasks run.
#[derive(Debug, Clone)]
pub struct Runtimes {
    /// Clients.
    pub serve: Handle,
    /// Consensus and the other nodes.
    pub raft: Handle,
}

/// Why a node cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{task}: {reason}")]
pub struct Failure {
    /// What failed.
    pub task: &'static str,
    /// How.
    pub reason: String,
}

/// The end of a node that is to be started anew.
const RENUMBERING: &str = "number";

impl Failure {
    /// For a node that was given another number: it is started anew on the same directory and addresses.
    #[must_use]
    pub fn renumbered(number: u64) -> Self {
        Self { task: RENUMBERING, reason: format!("this node is node {number} from now on") }
    }

    /// Nothing has failed: the node is to be shut down and started anew, under the number it was given.
    #[must_use]
    pub fn is_renumbering(&self) -> bool {
        self.task == RENUMBERING
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is not this node's to use.
    #[error(transparent)]
    Directory(#[from] store::DirectoryError),
    /// The cluster of the data directory is beyond this node.
    #[error("the data directory cannot be used")]
    Level(#[source] LevelError),
    /// The keys of secrets cannot be read.
    #[error("the keys of secrets cannot be read")]
    Keys(#[from] KeysError),
    /// The log cannot be opened.
    #[error("the log cannot be opened")]
    Log(#[source] store::StoreError),
    /// The log has lost what this node acknowledged, or does not decode.
    #[error("the log in {} cannot be taken up", path.display())]
    RaftLog {
        /// Its directory.
        path: PathBuf,
        /// What was found.
        source: raft::OpenError,
    },
    /// The snapshots cannot be opened.
    #[error("the snapshots cannot be used")]
    Snapshots(#[source] store::SnapshotError),
    /// A port is in use, or an address is not this machine's.
    #[error("cannot listen on {address} ({key})")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Consensus did not start.
    #[error("consensus cannot start")]
    Raft(#[source] raft::RaftStartError),
    /// The runtime is shutting down, or starting panicked.
    #[error("the raft runtime did not start the node")]
    Runtime(#[source] tokio::task::JoinError),
    /// A descriptor compiled in is damaged.
    #[error("reflection cannot be offered")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// What differs between a node of its own machine and one of a simulation.
pub struct Parts {
    /// The log.
    pub log: Arc<dyn LogEngine>,
    /// The number of the node; 0 if it waits for one.
    pub node: u64,
    /// Names the data directory.
    pub disk_id: u64,
    /// Stores the number that an empty node is given, and has the node start anew; see [`Failure::is_renumbering`].
    pub keep_number: Arc<dyn Fn(u64) -> std::io::Result<()> + Send + Sync>,
    /// The snapshots.
    pub snapshots: SnapshotStore,
    /// Free space where the data lies.
    pub free_bytes: FreeBytes,
    /// How other nodes are reached.
    pub dial: Arc<dyn Dial>,
    /// Random numbers of consensus.
    pub entropy: Entropy,
    /// Where blocking work runs.
    pub offload: Offload,
    /// Keys of secrets in documents.
    pub keys: Arc<KeyRing>,
    /// Random numbers that seal them.
    pub nonces: Nonces,
    /// Steers log time.
    pub wall: WallClock,
    /// Where the node stands among the feature levels, and what keeps it.
    pub levels: Levels,
    /// The name of the history that this node begins, should it lead a cluster without one.
    pub new_state_id: u64,
    /// What the log tells of itself must reach the same place.
    pub failure: watch::Sender<Option<Failure>>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// All metrics.
    pub registry: Arc<prometheus_client::registry::Registry>,
}

impl Node {
    /// Starts a node on the disk and the network of this machine.
    ///
    /// # Errors
    /// [`StartError`]; nothing was left running.
    pub async fn start(settings: Settings, runtimes: Runtimes) -> Result<Self, StartError> {
        // Bound first: a port in use is the commonest mistake, and leaves nothing to clean up.
        let listeners = Listeners::bind(&settings).await?;
        let keys = secrets::key_ring(&settings.secrets)?;
        let identity = store::Identity {
            cluster: settings.cluster.clone(),
            node_id: settings.node_id.unwrap_or_default(),
            created_at_ms: crate::clock::wall_ms(),
            disk_id: new_disk_id(),
        };
        let directory = DataDirectory::open(&settings.data_dir, &identity)?;
        let node = directory.identity().node_id;
        if node != identity.node_id {
            let directory = settings.data_dir.display();
            match settings.node_id {
                None => tracing::info!(node, %directory, "the number of this node is that of its data directory"),
                Some(settings) => tracing::info!(
                    node, settings, %directory, "the number of the data directory counts, not that of the settings"
                ),
            }
        }
        let directory = Arc::new(directory);
        let levels = Levels::new(settings.upgrade.level_max.map(Level), {
            let directory = Arc::clone(&directory);
            move |level| directory.raise(level)
        });
        let Stage { level, needs } = directory.stage();
        levels.enter(*level, needs).map_err(StartError::Level)?;
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = Arc::new(Metrics::register(&mut registry));
        let failure = watch::Sender::new(None);
        let hooks = hooks(failure.clone(), Arc::clone(&metrics));
        let memtable_bytes_max = usize::try_from(settings.storage.memtable_bytes_max).unwrap_or(usize::MAX);
        let options = RocksOptions { memtable_bytes_max, ..RocksOptions::default() };
        let log = RocksEngine::open(&directory.log(), &directory.mark(), &options, hooks).map_err(StartError::Log)?;
        let snapshots = SnapshotStore::open(&directory.snapshots()).map_err(StartError::Snapshots)?;
        let directory = Arc::new(directory);
        let parts = Parts {
            node,
            disk_id: directory.identity().disk_id,
            keep_number: keep_number(Arc::clone(&directory), failure.clone()),
            log: Arc::new(log),
            snapshots,
            // The directory's lock is held for as long as its free space can be asked for.
            free_bytes: Arc::new(move || directory.free_bytes().ok()),
            dial: Arc::new(TcpDial),
            entropy: Entropy::from_system(),
            offload: Offload::Threads,
            keys: Arc::new(keys),
            nonces: Nonces::from_system(),
            wall: WallClock::system(),
            levels,
            new_state_id: new_state_id(),
            failure,
            metrics,
            registry: Arc::new(registry),
        };
        Self::assemble(settings, runtimes, parts, listeners).await
    }

    /// Starts a node of given parts.
    ///
    /// # Errors
    /// [`StartError`]; nothing was left running.
    pub async fn assemble<S: Accepted>(
        settings: Settings,
        runtimes: Runtimes,
        parts: Parts,
        listeners: Listeners<S>,
    ) -> Result<Self, StartError> {
        let addresses = listeners.addresses;
        let failure = parts.failure.clone();
        let replica = Arc::new(Replica::at(settings.presence.limits(), parts.levels.clone()));
        let (metrics, registry) = (Arc::clone(&parts.metrics), Arc::clone(&parts.registry));
        let beginning = Beginning { wall: parts.wall.clone(), new_state_id: parts.new_state_id };
        let (node, documents) = (parts.node, Documents::of(&parts));
        let advertised = advertised(&settings, addresses);
        let group = start_raft(&settings, &runtimes, parts, addresses, Arc::clone(&replica)).await?;
        let raft = group.handle.clone();

        let mut consensus = Tasks::new(failure.clone());
        consensus.spawn(&runtimes.raft, "raft", group.driver.run());
        let doors = Doors::new(&settings.limits, &metrics);
        let serving = raft::serve(group.service, doors.peers.guard(listeners.peer), consensus.stopping());
        consensus.spawn(&runtimes.raft, "peers", serving);

        let mut services = Tasks::new(failure.clone());
        let (wall, wiped) = (beginning.wall.clone(), wiped(&settings.raft));
        let (proposer, leases) = services.propose(&runtimes, &settings, &replica, &raft, &metrics, beginning);

        let mut streams = Tasks::new(failure.clone());
        let view = View::new(Arc::clone(&replica), raft.clone());
        let admin = Arc::new(Admin {
            node_id: node,
            advertised,
            raft: raft.clone(),
            replica: Arc::clone(&replica),
            wall,
            wiped,
        });
        let ground = Ground { replica: &replica, raft: &raft, view: &view, proposer: &proposer, metrics: &metrics };
        let cluster = administer(&mut streams, &mut services, &runtimes, &settings, &ground, &admin);
        let (merges, stopping) = (documents.merges(), streams.stopping());
        let watches = Watches::new(Arc::clone(&replica), raft.clone(), Arc::clone(&metrics), merges, stopping);
        let watching = watches.clone();
        let documents = documents.begin(&mut services, &runtimes, &ground);
        let parts = rpc::Parts {
            documents,
            view,
            proposer,
            leases,
            watches,
            cluster,
            metrics: Arc::clone(&metrics),
            admits: settings.limits.clone(),
            reveals: rpc::Reveals::by(&settings.secrets),
        };
        let (routes, health) = rpc::routes(parts).map_err(StartError::Reflection)?;
        let readiness = Arc::clone(&admin) as Arc<dyn http::Readiness>;
        let gauges = Gauges { metrics, replica: Arc::clone(&replica), raft: raft.clone(), readiness, health, watching };
        services.spawn_service(&runtimes, "gauges", move |stop| gauges.run(stop));
        serve_clients(&mut streams, &runtimes, &doors.clients, listeners.client, routes);
        services.spawn_service(&runtimes, "memory", |stop| doors.clients.relieve(stop));
        if let Some(listener) = listeners.http {
            let pages = http::Pages { registry, readiness: admin };
            serve_pages(&mut streams, &runtimes, &doors.http, listener, pages);
        }

        let failure = failure.subscribe();
        Ok(Self { addresses, raft, replica, streams, services, consensus, failure })
    }
}

const fn admission(settings: &Settings) -> AdmissionLimits {
    AdmissionLimits {
        lane_bytes_max: settings.limits.lane_bytes_max,
        lane_proposals_max: settings.limits.lane_proposals_max,
        gateway_bytes_max: settings.limits.gateway_bytes_max,
        gateway_proposals_max: settings.limits.gateway_proposals_max,
    }
}

const fn wiped(raft: &settings::Raft) -> Wiped {
    if raft.replace_wiped { Wiped::Replaced } else { Wiped::Left }
}

impl Tasks {
    /// Proposes what clients ask for, what leases come to, and what time makes due.
    fn propose(
        &mut self,
        runtimes: &Runtimes,
        settings: &Settings,
        replica: &Arc<Replica>,
        raft: &RaftHandle,
        metrics: &Arc<Metrics>,
        beginning: Beginning,
    ) -> (Proposer, Leases) {
        let (proposer, worker) = Proposer::new(raft.clone(), admission(settings), Arc::clone(metrics));
        let (leases, lease_worker) =
            Leases::new(Arc::clone(replica), raft.clone(), proposer.clone(), Arc::clone(metrics));
        let (wall, rows_per_second) = (beginning.wall.clone(), settings.limits.upkeep_rows_per_second);
        let upkeep = Upkeep::new(Arc::clone(replica), raft.clone(), proposer.clone(), wall, rows_per_second);
        self.spawn_service(runtimes, "proposer", {
            let replica = Arc::clone(replica);
            move |stop| worker.run(replica, beginning, stop)
        });
        self.spawn_service(runtimes, "leases", move |stop| lease_worker.run(stop));
        self.spawn_service(runtimes, "upkeep", move |stop| upkeep.run(stop));
        (proposer, leases)
    }

    /// Does for the members what nobody has to ask for.
    fn look_after(&mut self, runtimes: &Runtimes, members: &Members, metrics: &Arc<Metrics>, wiped: Wiped) {
        let steward = Steward::new(members.clone(), Arc::clone(metrics), wiped);
        self.spawn_service(runtimes, "members", move |stop| steward.run(stop));
    }

    /// A task of the serving runtime that cannot fail.
    pub(super) fn spawn_service<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        runtimes: &Runtimes,
        name: &'static str,
        task: impl FnOnce(tokio_util::sync::WaitForCancellationFutureOwned) -> F,
    ) {
        let task = task(self.stopping().cancelled_owned());
        self.spawn(&runtimes.serve, name, async move {
            task.await;
            Ok::<(), std::convert::Infallible>(())
        });
    }
}

/// What is asked about the cluster itself; and what is done for its members without being asked.
fn administer(
    streams: &mut Tasks,
    services: &mut Tasks,
    runtimes: &Runtimes,
    settings: &Settings,
    ground: &Ground<'_>,
    admin: &Arc<Admin>,
) -> ClusterService {
    let &Ground { replica, raft, view, proposer, metrics } = ground;
    let (cluster, node, wall) = (settings.cluster.clone(), admin.node_id, admin.wall.clone());
    let identity = rpc::Identity { cluster: cluster.clone(), node_id: node };
    let source = backup::Source { cluster, node, replica: Arc::clone(replica), raft: raft.clone(), wall };
    let (backups, worker) = Backups::new(source);
    streams.spawn_service(runtimes, "backups", move |stop| worker.run(stop));
    let silence_max = Duration::from_millis(settings.raft.election_max_ms);
    let members = Members::new(raft.clone(), Arc::clone(replica), proposer.clone(), silence_max);
    services.look_after(runtimes, &members, metrics, admin.wiped);
    let upgrade = Upgrade::new(raft.clone(), proposer.clone());
    ClusterService::new(identity, view.clone(), backups, members, upgrade, Arc::clone(admin) as Arc<dyn rpc::Node>)
}

fn serve_pages(
    streams: &mut Tasks,
    runtimes: &Runtimes,
    door: &Door,
    listener: tokio::net::TcpListener,
    pages: http::Pages,
) {
    let visitors = http::Visitors::new(listener, door.connections.clone(), door.memory.clone());
    let stop = streams.stopping().cancelled_owned();
    streams.spawn(&runtimes.serve, "http", http::serve(visitors, pages, stop));
}

fn serve_clients(
    streams: &mut Tasks,
    runtimes: &Runtimes,
    door: &Door,
    incoming: impl Accepted,
    routes: tonic::service::Routes,
) {
    let stop = streams.stopping();
    let serving = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(limits::STREAMS_MAX)
        .http2_max_header_list_size(limits::HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(limits::RESETS_PENDING_MAX))
        .http2_max_local_error_reset_streams(Some(limits::RESETS_OWN_MAX))
        .layer(rpc::rules())
        .add_routes(routes)
        .serve_with_incoming_shutdown(door.guard(incoming), stop.clone().cancelled_owned());
    streams.spawn(&runtimes.serve, "rpc", async move {
        // Streams that a client keeps open do not keep the node from stopping.
        let grace = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = serving => served,
            () = grace => Ok(()),
        }
    });
}

/// How long calls under way may take to end.
const DRAIN: Duration = Duration::from_secs(2);

async fn start_raft(
    settings: &Settings,
    runtimes: &Runtimes,
    parts: Parts,
    addresses: Addresses,
    replica: Arc<Replica>,
) -> Result<raft::RaftGroup, StartError> {
    let options = RaftOptions {
        heartbeat_ms: settings.raft.heartbeat_ms,
        election_min_ms: settings.raft.election_min_ms,
        election_max_ms: settings.raft.election_max_ms,
        snapshot_log_bytes_min: settings.raft.snapshot_log_bytes_min,
        snapshot_log_entries: settings.raft.snapshot_log_entries,
        log_keep_bytes: settings.raft.log_keep_bytes,
        log_keep_entries: settings.raft.log_keep_entries,
    };
    let identity = raft::Identity {
        cluster: settings.cluster.clone(),
        group: 0,
        node: parts.node,
        disk_id: parts.disk_id,
        level_max: parts.levels.most(),
    };
    let home = raft::Home {
        advertised: advertised(settings, addresses),
        reached_through: settings.advertise.peer.clone().filter(|said| *said != addresses.peer.to_string()),
        lost: false,
        given: settings.node_id != Some(parts.node),
        keep_number: Arc::clone(&parts.keep_number),
    };
    let Parts { log, snapshots, free_bytes, dial, entropy, offload, metrics, .. } = parts;
    let space = Space::new(free_bytes, settings.storage.disk_reserve_bytes);
    let path = settings.data_dir.join("log");
    let starting = async move {
        let log = RaftLog::open(log, identity.group, offload).map_err(|source| StartError::RaftLog { path, source })?;
        let parts =
            RaftParts { identity, home, options, log, replica, snapshots, dial, entropy, offload, space, metrics };
        raft::start(parts).await.map_err(StartError::Raft)
    };
    // openraft's own tasks run where it is started.
    start_on(&runtimes.raft, starting).await
}

/// Writes the number that an empty node was given into its directory, and ends this process's node so that it starts
/// anew under it; or because what it wrote may be there or not.
fn keep_number(
    directory: Arc<DataDirectory>,
    failure: watch::Sender<Option<Failure>>,
) -> Arc<dyn Fn(u64) -> std::io::Result<()> + Send + Sync> {
    Arc::new(move |number| {
        if let Err(error) = directory.renumber(number) {
            let reason = crate::problem::chain(&error);
            fail(&failure, Failure { task: "identity", reason: reason.clone() });
            return Err(std::io::Error::other(reason));
        }
        fail(&failure, Failure::renumbered(number));
        Ok(())
    })
}

/// A number that no other data directory has, for one that is new.
#[expect(clippy::disallowed_methods, reason = "one draw in the life of a disk; the simulation passes its own")]
pub(super) fn new_disk_id() -> u64 {
    rand::random::<u64>().max(1)
}

/// A number that no other history of any cluster has.
#[expect(clippy::disallowed_methods, reason = "one draw in the life of a cluster; the simulation passes its own")]
pub(super) fn new_state_id() -> u64 {
    rand::random()
}

/// Runs a future on another runtime, and waits for it here.
async fn start_on<T: Send + 'static>(
    runtime: &Handle,
    starting: impl Future<Output = Result<T, StartError>> + Send + 'static,
) -> Result<T, StartError> {
    #[expect(clippy::disallowed_methods, reason = "the home of the daemon's tasks; it is awaited here")]
    let started = runtime.spawn(starting).await;
    started.unwrap_or_else(|panic| Err(StartError::Runtime(panic)))
}

/// Where a log engine reports to: the node's failure, and its metrics.
#[must_use]
pub fn hooks(failure: watch::Sender<Option<Failure>>, metrics: Arc<Metrics>) -> Hooks {
    Hooks {
        fatal: Arc::new(move |error| {
            fail(&failure, Failure { task: "log", reason: crate::problem::chain(error) });
        }),
        synced: Arc::new(move |synced| {
            metrics.log_sync_seconds.observe(synced.elapsed.as_secs_f64());
            metrics.log_bytes.inc_by(synced.bytes as u64);
        }),
    }
}
