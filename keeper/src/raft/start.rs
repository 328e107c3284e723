//! Puts a Raft node together.

use std::io;
use std::sync::Arc;

use openraft::alias::LogIdOf;
use openraft::errors::Fatal;
use openraft::storage::RaftLogStorage;
use openraft::{LogState, Raft, StorageHelper};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::contact::Contact;
use super::driver::RaftDriver;
use super::entropy::Entropy;
use super::handle::RaftHandle;
use super::home::Home;
use super::identity::Identity;
use super::leadership::{Leadership, LeadershipWatch};
use super::machine::{Machine, RaftNode};
use super::network::{Acknowledged, Dial, Network, Peers};
use super::offload::Offload;
use super::options::RaftOptions;
use super::overwritten::History;
use super::own_address::{OwnAddress, OwnAddressRounds};
use super::peer_service::PeerService;
use super::read_rounds::{ReadQueue, ReadRounds};
use super::removal::RemovalRounds;
use super::snapshot_files::SnapshotFiles;
use super::snapshot_schedule::SnapshotSchedule;
use super::type_config::TypeConfig;
use super::vitals::{Vitals, VitalsRounds};
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::store::snapshot::SnapshotStore;
use crate::store::{CURE, Space};

/// What a Raft node is made of.
#[derive(Debug)]
pub struct RaftParts<L> {
    /// Its name.
    pub identity: Identity,
    /// Where it is reached, and where its number is kept.
    pub home: Home,
    /// Its timings and thresholds.
    pub options: RaftOptions,
    /// Its log.
    pub log: L,
    /// Its state: empty, and nobody else's to change.
    pub replica: Arc<Replica>,
    /// Its snapshots.
    pub snapshots: SnapshotStore,
    /// How it reaches the others.
    pub dial: Arc<dyn Dial>,
    /// Its random numbers.
    pub entropy: Entropy,
    /// Where it does what blocks.
    pub offload: Offload,
    /// Its disk.
    pub space: Space,
    /// What it counts.
    pub metrics: Arc<Metrics>,
}

/// A running Raft node. Nothing of it works until [`RaftGroup::driver`] is driven.
#[derive(Debug)]
pub struct RaftGroup {
    /// For the rest of the daemon.
    pub handle: RaftHandle,
    /// To be served to the other nodes.
    pub service: PeerService,
    /// To be run on the Raft runtime, as a task of its own.
    pub driver: RaftDriver,
}

/// Why a Raft node did not start.
#[derive(Debug, thiserror::Error)]
pub enum RaftStartError {
    /// The timings contradict each other.
    #[error("the raft timings are invalid: {0}")]
    Options(String),
    /// The snapshots could not be read.
    #[error("the snapshots cannot be read")]
    Snapshots(#[source] io::Error),
    /// The newest snapshot is not what was written.
    #[error("{what}; {CURE}")]
    SnapshotDamaged {
        /// Which file, where, and how.
        what: io::Error,
    },
    /// The log begins behind what the newest snapshot covers.
    #[error(
        "the log begins behind entry {purged}, and {found} covers what came before it: part of this node's data is gone; \
         {CURE}"
    )]
    SnapshotMissing {
        /// The last entry purged.
        purged: u64,
        /// What there is.
        found: String,
    },
    /// The members of the group reach this node elsewhere, and another one here.
    #[error(
        "this is the data of node {node}, which the cluster reaches at {known}; this node says that it is reached at \
         {said} (its setting advertise.peer, or else listen.peer), where the cluster reaches node {other}: the data \
         directories, or disks, of the two were swapped. Bring this one to where node {node} is, and that of node \
         {other} here; set neither aside, it may be needed for a majority"
    )]
    Swapped {
        /// Its number.
        node: u64,
        /// Where the others reach it.
        known: String,
        /// Where it says that it is.
        said: String,
        /// Whom they reach there.
        other: u64,
    },
    /// The members of the group reach this node elsewhere.
    #[error(
        "this is the data of node {node}, which the cluster reaches at {known}; this node says that it is reached at \
         {said} (its setting advertise.peer, or else listen.peer), and a node's address does not change. If this is \
         that node, set advertise.peer to \"{known}\"; if its data was moved or copied here, set it aside with `keeper \
         forget --config FILE`, start the node, and have it take that place with `keeperctl cluster replace {node} \
         {said}`"
    )]
    Elsewhere {
        /// Its number.
        node: u64,
        /// Where the others reach it.
        known: String,
        /// Where it says that it is.
        said: String,
    },
    /// The log or the snapshot is of a cluster beyond this node. Nothing is wrong with them.
    #[error("raft cannot start: {0}")]
    Level(String),
    /// The log or the snapshot could not be taken up.
    #[error("raft cannot start: {0}; where a file is damaged, {CURE}")]
    Recover(String),
}

/// Starts a Raft node. Must be called on the Raft runtime, which everything of it then runs on.
///
/// # Errors
/// See [`RaftStartError`]. The node took no part in anything.
pub async fn start<L: RaftLogStorage<TypeConfig>>(parts: RaftParts<L>) -> Result<RaftGroup, RaftStartError> {
    let RaftParts { identity, home, options, mut log, replica, snapshots, dial, entropy, offload, space, metrics } =
        parts;
    let config = options.config(&identity.cluster).map_err(|error| RaftStartError::Options(error.to_string()))?;
    let files = Arc::new(SnapshotFiles::open(snapshots, replica.presence_limits()).map_err(unreadable)?);
    check_snapshot(&mut log, &files).await?;
    let own_address = Arc::new(OwnAddress::new(entropy.name(), home.reached_through.clone()));
    let (contact, acknowledged) = (Arc::new(Contact::new(&options)), Arc::new(Acknowledged::default()));
    let schedule = Arc::new(SnapshotSchedule::new(&options, identity.node));
    let peers = Arc::new(Peers::new(identity.clone(), dial));
    let vitals = Arc::new(Vitals::new(space, Arc::clone(&replica), Arc::clone(&schedule)));
    let (state, counts) = (Arc::clone(&replica), Arc::clone(&metrics));
    let mut machine = Machine::new(state, Arc::clone(&files), Arc::clone(&schedule), offload, counts);
    check_address(&mut log, &mut machine, &files, &identity, &home).await?;
    let history = Arc::new(History::new(committed(&mut log, &files).await?));
    let has_log = log_state(&mut log).await?.last_log_id.is_some();
    let applied_leader = machine.watch_leader();
    let network = Network::new(Arc::clone(&peers), Arc::clone(&acknowledged), offload);
    let starting = taken_up(Raft::new(identity.node, Arc::new(config), network, log, machine), has_log);
    let raft = entropy.scope(starting).await.map_err(|said| not_recovered(&replica, said))?;

    // Not before it knows who is at its address.
    raft.runtime_config().elect(own_address.is_clear());
    let (leadership, leadership_seen) = watch::channel(Leadership::default());
    let (reads, stopping) = (Arc::new(ReadQueue::default()), CancellationToken::new());
    let handle = RaftHandle {
        raft: raft.clone(),
        peers: Arc::clone(&peers),
        reads: Arc::clone(&reads),
        leadership: leadership_seen.clone(),
        snapshots: Arc::clone(&files),
        vitals,
        removal: Arc::default(),
        offload,
        stopping: stopping.clone(),
        levels: replica.levels().clone(),
        contact: Arc::clone(&contact),
        acknowledged,
        own_address: Arc::clone(&own_address),
        history: Arc::clone(&history),
    };
    let vitals = VitalsRounds::of(&handle, metrics);
    let rounds = ReadRounds {
        queue: reads,
        raft: raft.clone(),
        peers,
        leadership: leadership_seen,
        applied: replica.watch_applied(),
    };
    let leadership = Arc::new(leadership);
    let followed = Arc::clone(&leadership);
    let leadership = LeadershipWatch { raft: raft.clone(), applied: applied_leader, leadership, contact, own_address };
    let removal = RemovalRounds { handle: handle.clone() };
    let own_address = OwnAddressRounds { handle: handle.clone() };
    let driver = RaftDriver { raft, rounds, leadership, schedule, vitals, removal, own_address, history, stopping };
    let service = PeerService {
        identity: Arc::new(identity),
        handle: handle.clone(),
        home,
        replica,
        renamed: Arc::default(),
        entropy: Arc::new(entropy),
        snapshots: files,
        offload,
        receiving: Arc::new(Semaphore::new(1)),
        told_at: Arc::default(),
        _followed: followed,
    };
    Ok(RaftGroup { handle, service, driver })
}

/// What openraft ended with is told in its words alone; that this node is held below its cluster is no damage.
fn not_recovered(replica: &Replica, said: String) -> RaftStartError {
    replica.levels().refused().map_or(RaftStartError::Recover(said), RaftStartError::Level)
}

fn unreadable(error: io::Error) -> RaftStartError {
    if error.kind() == io::ErrorKind::InvalidData {
        return RaftStartError::SnapshotDamaged { what: error };
    }
    RaftStartError::Snapshots(error)
}

/// What is committed for certain: a snapshot covers nothing else.
async fn committed<L: RaftLogStorage<TypeConfig>>(
    log: &mut L,
    files: &SnapshotFiles,
) -> Result<Option<LogIdOf<TypeConfig>>, RaftStartError> {
    let logged = log.read_committed().await.map_err(|error| RaftStartError::Recover(error.to_string()))?;
    Ok(logged.max(files.current().and_then(|snapshot| snapshot.meta.last_log_id)))
}

/// Starts Raft, and waits until it has said what it found on the disk: before, its status is that of a node without
/// data.
async fn taken_up(
    starting: impl Future<Output = Result<RaftNode, Fatal<TypeConfig>>>,
    has_log: bool,
) -> Result<RaftNode, String> {
    let raft = starting.await.map_err(|error| error.to_string())?;
    if has_log {
        let says_so = raft.wait(None);
        let said = says_so.metrics(|seen| seen.last_log_index.is_some(), "the log is taken up").await;
        said.map_err(|error| error.to_string())?;
    }
    Ok(raft)
}

async fn log_state<L: RaftLogStorage<TypeConfig>>(log: &mut L) -> Result<LogState<TypeConfig>, RaftStartError> {
    log.get_log_state().await.map_err(|error| RaftStartError::Recover(error.to_string()))
}

/// Whether the snapshot reaches the log.
async fn check_snapshot<L: RaftLogStorage<TypeConfig>>(
    log: &mut L,
    files: &SnapshotFiles,
) -> Result<(), RaftStartError> {
    let state = log_state(log).await?;
    let purged = state.last_purged_log_id.map(|id| id.index);
    let covered = files.current().and_then(|snapshot| snapshot.meta.last_log_id).map(|id| id.index);
    match purged {
        Some(purged) if covered < Some(purged) => {
            let found = covered.map_or_else(|| "no snapshot".to_owned(), |index| format!("a snapshot up to {index}"));
            Err(RaftStartError::SnapshotMissing { purged, found })
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether the others reach this node where it says that it is. A copy of a directory would otherwise take part beside
/// the member itself: under one number both could lead in one term, and be acknowledged different entries.
async fn check_address<L: RaftLogStorage<TypeConfig>>(
    log: &mut L,
    machine: &mut Machine,
    files: &SnapshotFiles,
    identity: &Identity,
    home: &Home,
) -> Result<(), RaftStartError> {
    let logged = StorageHelper::new(log, machine).get_membership().await;
    let logged = logged.map_err(|error| RaftStartError::Recover(error.to_string()))?;
    let mut membership = logged.effective().membership().clone();
    if logged.effective().log_id().is_none()
        && let Some(snapshot) = files.current()
    {
        membership = snapshot.meta.last_membership.membership().clone();
    }
    // Nobody has to reach a node that is alone, such as one that was restored and has no address yet.
    let is_alone = membership.nodes().count() < 2;
    let said = &home.advertised.peer_endpoint;
    match membership.get_node(&identity.node).map(|own| &own.peer_endpoint) {
        Some(known) if !is_alone && !known.is_empty() && known != said && !said.is_empty() => {
            let (node, known, said) = (identity.node, known.clone(), said.clone());
            let other = membership.nodes().find(|(_, other)| other.peer_endpoint == said).map(|(id, _)| *id);
            Err(match other {
                Some(other) => RaftStartError::Swapped { node, known, said, other },
                None => RaftStartError::Elsewhere { node, known, said },
            })
        }
        Some(_) | None => Ok(()),
    }
}
