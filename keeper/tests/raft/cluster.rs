//! Nodes to test with.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keeper::batch::Batch;
use keeper::metrics::Metrics;
use keeper::raft::{
    Entropy, Home, Identity, Leadership, Member, Offload, ProposeError, Proposed, RaftFailed, RaftGroup, RaftHandle,
    RaftLog, RaftOptions, RaftParts, RaftStartError, RaftStatus, ReadError, RestoreError, RestoreParts, Restored,
    TcpDial, restore, serve, start,
};
use keeper::replica::Replica;
use keeper::store::memory::SyncPolicy;
use keeper::store::{
    Hooks, LogEngine, MemoryDisk, MemoryEngine, RocksEngine, RocksOptions, SnapshotFile, SnapshotStore, Space,
};
use keeper_registry::{
    Command, DocumentAction, DocumentChange, Format, Level, LogTime, PresenceLimits, Publish, StateId,
};
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;

/// Nothing that is going to happen takes longer, not even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Node {
    pub(crate) handle: RaftHandle,
    pub(crate) replica: Arc<Replica>,
    /// Always there, until the node is dropped.
    runtime: Option<Runtime>,
    ended: watch::Receiver<Option<Result<(), RaftFailed>>>,
}

/// What outlives a node's process.
pub(crate) struct Place {
    listener: TcpListener,
    log: Log,
    directory: TempDir,
}

/// Where a node's log is.
#[derive(Clone)]
enum Log {
    Memory(MemoryDisk),
    /// In the directory, with its mark.
    Files,
}

pub(crate) struct Cluster {
    places: BTreeMap<u64, Place>,
    pub(crate) nodes: BTreeMap<u64, Node>,
    options: RaftOptions,
    offload: Offload,
}

impl Cluster {
    /// Starts nodes 1 to `count`, of no group yet.
    pub(crate) fn idle(count: u64, options: RaftOptions, offload: Offload) -> Self {
        Self::at((1..=count).map(|id| (id, Place::new())).collect(), options, offload)
    }

    fn at(places: BTreeMap<u64, Place>, options: RaftOptions, offload: Offload) -> Self {
        let ids: Vec<_> = places.keys().copied().collect();
        let mut cluster = Self { places, nodes: BTreeMap::new(), options, offload };
        ids.into_iter().for_each(|id| cluster.start(id));
        cluster
    }

    /// The same, where node 1 begins with a state of another group.
    pub(crate) fn restored(count: u64, from: &SnapshotFile, state: StateId) -> Self {
        let places: BTreeMap<_, _> = (1..=count).map(|id| (id, Place::new())).collect();
        places[&1].restore(from, state).expect("a state");
        Self::at(places, RaftOptions::default(), Offload::Threads)
    }

    /// Starts a group of three and waits for its leader.
    pub(crate) async fn three() -> Self {
        Self::of(3, RaftOptions::default(), Offload::Threads).await
    }

    pub(crate) async fn of(count: u64, options: RaftOptions, offload: Offload) -> Self {
        Self::idle(count, options, offload).founded().await
    }

    /// Starts a group of three whose logs are files too, and waits for its leader.
    pub(crate) async fn on_files(options: RaftOptions) -> Self {
        let places = (1..=3).map(|id| (id, Place { log: Log::Files, ..Place::new() })).collect();
        Self::at(places, options, Offload::Inline).founded().await
    }

    async fn founded(self) -> Self {
        let cluster = self;
        cluster.nodes[&1].handle.initialize(cluster.members()).await.expect("a group");
        let leader = cluster.leader().await;
        let found = Batch::new(LogTime(1), vec![Command::Found(StateId(7))]);
        cluster.nodes[&leader].handle.propose(found).await.expect("a state");
        for node in cluster.nodes.values() {
            node.sees("a leader", |seen| seen.leader.is_some()).await;
        }
        cluster
    }

    pub(crate) fn members(&self) -> BTreeMap<u64, Member> {
        self.places.iter().map(|(id, place)| (*id, Member { disk_id: *id, ..place.member() })).collect()
    }

    /// Starts a node, again or for the first time.
    pub(crate) fn start(&mut self, id: u64) {
        self.try_start(id).expect("a node");
    }

    pub(crate) fn try_start(&mut self, id: u64) -> Result<(), RaftStartError> {
        let node = self.places[&id].start(id, self.options.clone(), self.offload)?;
        self.nodes.insert(id, node);
        Ok(())
    }

    /// Another machine in the place of this one, with nothing on its disk.
    pub(crate) fn replace(&mut self, id: u64) {
        self.kill(id);
        self.places.insert(id, Place::new());
        self.start(id);
    }

    pub(crate) fn snapshots(&self, id: u64) -> PathBuf {
        self.places[&id].snapshots()
    }

    /// Everything that a node keeps, which must not run.
    pub(crate) fn directory(&self, id: u64) -> &Path {
        self.places[&id].directory.path()
    }

    /// Stops a node as a crash would: whatever it was doing, it does no more.
    pub(crate) fn kill(&mut self, id: u64) {
        let mut node = self.nodes.remove(&id).expect("a running node");
        let runtime = node.runtime.take().expect("a runtime");
        // Waits until nothing of it runs any more, which may not be done on a runtime's own thread.
        std::thread::spawn(move || runtime.shutdown_timeout(PATIENCE)).join().expect("a stopped runtime");
        if let Log::Memory(disk) = &self.places[&id].log {
            disk.crash(0);
        }
    }

    /// The node that leads and is ready to.
    pub(crate) async fn leader(&self) -> u64 {
        let leading = self.nodes.iter().map(|(id, node)| {
            Box::pin(async move {
                node.sees("that it leads", |seen| seen.ready).await;
                *id
            })
        });
        tokio::time::timeout(PATIENCE, futures_util::future::select_all(leading)).await.expect("a leader").0
    }

    /// A node that does not lead.
    pub(crate) async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        *self.nodes.keys().find(|id| **id != leader).expect("a follower")
    }

    pub(crate) async fn propose(&self, path: &str, text: &str) -> Proposed {
        loop {
            let leader = self.leader().await;
            match self.nodes[&leader].propose(path, text).await {
                Ok(proposed) => return proposed,
                // It certainly did not happen: a busy machine costs a leader its lease.
                Err(ProposeError::NotLeader { .. }) => tokio::task::yield_now().await,
                Err(other) => panic!("a proposal ended as {other}"),
            }
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let directory = TempDir::new().expect("a directory");
        std::fs::create_dir(directory.path().join("snapshots")).expect("a directory");
        Self { listener, log: Log::Memory(MemoryDisk::default()), directory }
    }

    fn snapshots(&self) -> PathBuf {
        self.directory.path().join("snapshots")
    }

    fn engine(&self) -> Arc<dyn LogEngine> {
        let (root, options) = (self.directory.path(), RocksOptions::default());
        match &self.log {
            Log::Memory(disk) => Arc::new(MemoryEngine::open(disk, SyncPolicy::AtOnce, Hooks::ignore())),
            Log::Files => {
                let engine = RocksEngine::open(&root.join("log"), &root.join("mark"), &options, Hooks::ignore());
                Arc::new(engine.expect("a database"))
            }
        }
    }

    /// Gives node 1 a state to begin with.
    pub(crate) fn restore(&self, from: &SnapshotFile, state_id: StateId) -> Result<Restored, RestoreError> {
        restore(&RestoreParts {
            from,
            identity: &Identity { cluster: "test".to_owned(), group: 0, node: 1, disk_id: 1, level_max: Level::NEWEST },
            snapshots: &SnapshotStore::open(&self.snapshots()).expect("a directory"),
            log: &*self.engine(),
            presence: PresenceLimits::default(),
            state_id,
            wall_ms: 0,
        })
    }

    fn member(&self) -> Member {
        let address = self.listener.local_addr().expect("an address");
        Member { peer_endpoint: address.to_string(), client_endpoint: format!("http://{address}"), disk_id: 0 }
    }

    fn start(&self, id: u64, options: RaftOptions, offload: Offload) -> Result<Node, RaftStartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(format!("node-{id}"))
            .enable_all()
            .build()
            .expect("a runtime");
        let replica = Arc::new(Replica::default());
        let parts = parts(id, options, offload, self, Arc::clone(&replica));
        let (started, starting) = std::sync::mpsc::channel();
        runtime.spawn(async move { started.send(start(parts).await) });
        let group = match starting.recv().expect("a start") {
            Ok(group) => group,
            Err(refused) => {
                runtime.shutdown_background();
                return Err(refused);
            }
        };
        let RaftGroup { handle, service, driver } = group;
        let (end, ended) = watch::channel(None);
        runtime.spawn(async move { end.send_replace(Some(driver.run().await)) });
        let listener = self.listener.try_clone().expect("a listener");
        runtime.spawn(async move {
            let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener)?);
            serve(service, incoming, CancellationToken::new()).await.map_err(std::io::Error::other)
        });
        Ok(Node { handle, replica, runtime: Some(runtime), ended })
    }
}

fn parts(id: u64, options: RaftOptions, offload: Offload, place: &Place, replica: Arc<Replica>) -> RaftParts<RaftLog> {
    RaftParts {
        identity: Identity { cluster: "test".to_owned(), group: 0, node: id, disk_id: id, level_max: Level::NEWEST },
        home: Home::fixed(Member::default()),
        options,
        log: RaftLog::open(place.engine(), 0, offload).expect("a log"),
        replica,
        snapshots: SnapshotStore::open(&place.snapshots()).expect("a directory"),
        dial: Arc::new(TcpDial),
        entropy: Entropy::from_system(),
        offload,
        space: Space::boundless(),
        metrics: Arc::new(Metrics::register(&mut Registry::default())),
    }
}

impl Node {
    /// Publishes a document.
    pub(crate) async fn propose(&self, path: &str, text: &str) -> Result<Proposed, ProposeError> {
        self.handle.propose(document(path, text)).await
    }

    /// Reads, and asks again as long as nothing is confirmed: a busy machine may miss a deadline.
    pub(crate) async fn read(&self) -> u64 {
        let reading = async {
            loop {
                match self.handle.read_index().await {
                    Ok(index) => return index,
                    Err(ReadError::Stopped) => panic!("the node has stopped"),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("a confirmed read")
    }

    /// The text of a document, as this node has it.
    pub(crate) fn text(&self, path: &str) -> Option<Bytes> {
        self.replica.read(|state| state.config(path).map(|document| document.text.clone()))
    }

    /// Waits for a view of the leadership.
    pub(crate) async fn sees(&self, what: &str, wanted: impl FnMut(&Leadership) -> bool) -> Leadership {
        let mut leadership = self.handle.leadership();
        let seen = tokio::time::timeout(PATIENCE, leadership.wait_for(wanted)).await;
        seen.unwrap_or_else(|_| panic!("the node never saw {what}")).expect("a running node").clone()
    }

    /// Waits for its end.
    pub(crate) async fn fails(&self) -> RaftFailed {
        let mut ended = self.ended.clone();
        let ended = tokio::time::timeout(PATIENCE, ended.wait_for(Option::is_some)).await.expect("the node goes on");
        let ended = ended.expect("its last word").clone();
        ended.expect("an end").expect_err("it was not told to stop")
    }

    /// Waits for a status.
    pub(crate) async fn reaches(&self, what: &str, wanted: impl Fn(&RaftStatus) -> bool) -> RaftStatus {
        let mut status = self.handle.watch_status();
        let seen = tokio::time::timeout(PATIENCE, async {
            loop {
                let now = self.handle.status();
                if wanted(&now) {
                    return now;
                }
                status.changed().await;
            }
        });
        seen.await.unwrap_or_else(|_| panic!("the node never reached {what}: {:?}", self.handle.status()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn document(path: &str, text: &str) -> Batch {
    let text = Bytes::copy_from_slice(text.as_bytes());
    let action = DocumentAction::Put { format: Format::Json, value: text.clone(), text, policy: None };
    let change = DocumentChange { path: path.to_owned(), expected: None, action };
    let publish = Publish { changes: vec![change], ..Publish::default() };
    Batch::new(LogTime(1), vec![Command::Publish(publish)])
}
