//! Nodes of a cluster in this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use keeper::node::{Node, Runtimes};
use keeper::raft::{InitializeRefused, Member};
use keeper::settings::Settings;
use keeper_client_sdk::{Endpoint, GiveUp, Keeper, NodeStatus, Rank};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::ports;
use crate::wait::{until, until_some};

/// How long what a node has under way may take to end.
const ENDING_MAX: Duration = Duration::from_secs(5);

/// A cluster whose nodes live in this process. Dropping it ends them and removes their data.
#[derive(Debug)]
pub struct InProcess {
    nodes: Vec<Slot>,
    folder: TempDir,
}

#[derive(Debug)]
struct Slot {
    settings: Settings,
    running: Option<Running>,
}

/// A node and the threads it runs on. They are its own, so that a crash takes every task along: those of openraft and
/// of open connections belong to nobody but the runtime.
#[derive(Debug)]
struct Running {
    node: Node,
    runtime: Runtime,
}

impl InProcess {
    /// Starts and founds a cluster of the default settings, and waits for its leader.
    pub async fn start(nodes: usize) -> Self {
        Self::start_with(nodes, |_| ()).await
    }

    /// The same, with other settings.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_with(nodes: usize, change: impl Fn(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the data");
        let listeners = ports::free(nodes).expect("free ports");
        let slot = |(at, listen)| {
            let mut settings = Settings::new("test", at as u64 + 1, data(folder.path(), at));
            settings.listen = listen;
            change(&mut settings);
            Slot { settings, running: None }
        };
        let nodes = listeners.into_iter().enumerate().map(slot).collect();
        let mut cluster = Self { nodes, folder };
        for at in 0..cluster.nodes.len() {
            cluster.restart(at).await;
        }
        cluster.found().await;
        let nothing_comes_back = cluster.keeper().await.sessions().give_up(GiveUp::Everybody, "tests").await;
        nothing_comes_back.expect("a new registry is whole");
        cluster
    }

    /// Founds a cluster of all nodes, and waits for its leader. It waits for gateways of a former history.
    ///
    /// # Panics
    /// It cannot be founded.
    pub async fn found(&self) {
        self.found_by(0).await.expect("a cluster is founded");
        self.leader().await;
    }

    /// Tries to found a cluster of all nodes through one of them.
    ///
    /// # Errors
    /// What the node says.
    pub async fn found_by(&self, at: usize) -> Result<(), InitializeRefused> {
        let member = |slot: &Slot| {
            let Settings { node_id, listen, .. } = &slot.settings;
            let client_endpoint = format!("http://{}", listen.client);
            (
                node_id.expect("a founder has a number"),
                Member { peer_endpoint: listen.peer.to_string(), client_endpoint, disk_id: 0 },
            )
        };
        let members: BTreeMap<_, _> = self.nodes.iter().map(member).collect();
        self.node(at).raft().initialize(members).await
    }

    /// A running node.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn node(&self, at: usize) -> &Node {
        &self.nodes[at].running.as_ref().expect("the node runs").node
    }

    /// How many nodes there are, running or not.
    #[must_use]
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Ends a node where it stands: its tasks never run again. What it had handed to the system survives.
    pub fn crash(&mut self, at: usize) {
        if let Some(Running { node, runtime }) = self.nodes[at].running.take() {
            runtime.shutdown_background();
            drop(node);
        }
    }

    /// Stops a node in order.
    ///
    /// # Panics
    /// Stopping panicked.
    pub async fn stop(&mut self, at: usize) {
        if let Some(Running { node, runtime }) = self.nodes[at].running.take() {
            runtime.spawn(node.shutdown()).await.expect("it stops");
            runtime.shutdown_background();
        }
    }

    /// Removes what a node that does not run had on its disk.
    ///
    /// # Panics
    /// It runs, or cannot be removed.
    pub async fn wipe(&self, at: usize) {
        let Slot { settings, running } = &self.nodes[at];
        assert!(running.is_none(), "the node runs");
        // A dropped node lets go of its files a moment later.
        until("the data is removed", async || {
            let removed = std::fs::remove_dir_all(&settings.data_dir);
            removed.is_ok() || !settings.data_dir.exists()
        })
        .await;
    }

    /// Changes the settings of a node that does not run.
    ///
    /// # Panics
    /// It runs.
    pub fn change(&mut self, at: usize, change: impl FnOnce(&mut Settings)) {
        let Slot { settings, running } = &mut self.nodes[at];
        assert!(running.is_none(), "the node runs");
        change(settings);
    }

    /// Starts a node on the data it left behind.
    ///
    /// # Panics
    /// It does not start.
    pub async fn restart(&mut self, at: usize) {
        assert!(self.nodes[at].running.is_none(), "the node runs already");
        until("a node starts", async || self.try_start(at).await.is_ok()).await;
    }

    /// Starts a node on the data it left behind, if it can. A dropped node lets go of its ports and files a moment
    /// later: that is waited for.
    ///
    /// # Errors
    /// Why not.
    ///
    /// # Panics
    /// Starting panicked, or what the node before it had stays in use.
    pub async fn try_start(&mut self, at: usize) -> Result<(), String> {
        until_some("the node before lets go", async || {
            let started = self.start_now(at).await;
            let is_held = started.as_ref().is_err_and(|error| error.contains(" in use"));
            (!is_held).then_some(started)
        })
        .await
    }

    async fn start_now(&mut self, at: usize) -> Result<(), String> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let runtimes = Runtimes { serve: runtime.handle().clone(), raft: runtime.handle().clone() };
        let starting = runtime.spawn(Node::start(self.nodes[at].settings.clone(), runtimes));
        match starting.await.expect("starting does not panic") {
            Ok(node) => {
                self.nodes[at].running = Some(Running { node, runtime });
                Ok(())
            }
            Err(error) => {
                runtime.shutdown_background();
                Err(keeper::problem::chain(&error))
            }
        }
    }

    /// Waits until every running node follows one leader that is ready, and says which it is.
    pub async fn leader(&self) -> usize {
        until_some("one leader that all running nodes follow", async || {
            let running = self.nodes.iter().filter_map(|slot| slot.running.as_ref());
            let seen: Vec<_> = running.map(|running| running.node.raft().leadership().borrow().clone()).collect();
            let (leader, term) = seen.iter().find(|it| it.ready).map(|it| (it.leader.clone(), it.term))?;
            let agreed = seen.iter().all(|it| it.leader == leader && it.term == term);
            let (id, _) = leader.filter(|_| agreed)?;
            self.place(id)
        })
        .await
    }

    /// Where the running node of a number is.
    #[must_use]
    pub fn place(&self, id: u64) -> Option<usize> {
        let is_it = |slot: &Slot| slot.running.as_ref().is_some_and(|running| running.node.raft().status().id == id);
        self.nodes.iter().position(is_it)
    }

    /// The number of a running node.
    #[must_use]
    pub fn id(&self, at: usize) -> u64 {
        self.node(at).raft().status().id
    }

    /// Starts one more node, which waits to be added.
    ///
    /// # Panics
    /// It does not start.
    pub async fn spare(&mut self) -> usize {
        let listen = ports::free(1).expect("free ports").remove(0);
        let at = self.nodes.len();
        let first = &self.nodes[0].settings;
        let data_dir = data(self.folder.path(), at);
        let settings = Settings { node_id: None, data_dir, listen, ..first.clone() };
        self.nodes.push(Slot { settings, running: None });
        self.restart(at).await;
        at
    }

    /// Waits until a node was given a number, and starts it anew under it, as its process does.
    pub async fn renumber(&mut self, at: usize) {
        let ended = self.node(at).stopped().await;
        assert!(ended.is_renumbering(), "it ended otherwise: {ended}");
        self.stop(at).await;
        self.restart(at).await;
    }

    /// Adds a node that waits, through a client; answers its number.
    ///
    /// # Panics
    /// It is refused.
    pub async fn add(&mut self, at: usize, rank: Rank) -> u64 {
        let adding = self.keeper().await.cluster().add(self.peer_endpoint(at), rank).done();
        let (added, ()) = tokio::join!(adding, self.renumber(at));
        added.expect("it is added").node_id
    }

    /// Where other nodes reach a node.
    #[must_use]
    pub fn peer_endpoint(&self, at: usize) -> String {
        self.nodes[at].settings.listen.peer.to_string()
    }

    /// A running node that does not lead.
    ///
    /// # Panics
    /// There is none.
    pub async fn follower(&self) -> usize {
        let leader = self.leader().await;
        (0..self.size()).find(|at| *at != leader && self.nodes[*at].running.is_some()).expect("a follower")
    }

    /// Waits until all running nodes have applied the same and hold equal states.
    pub async fn converge(&self) {
        until("all running nodes hold equal states", async || {
            let mut seen = Vec::new();
            for (at, _) in self.nodes.iter().enumerate().filter(|(_, slot)| slot.running.is_some()) {
                let status = self.status(at).await;
                seen.push((status.applied_index, status.state_hash));
            }
            seen.windows(2).all(|pair| pair[0] == pair[1])
        })
        .await;
    }

    /// What a node says about itself.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn status(&self, at: usize) -> NodeStatus {
        let endpoint = Endpoint::parse(&self.endpoint(at)).expect("an endpoint");
        self.client(at).await.cluster().status_of(&endpoint).await.expect("a running node answers")
    }

    /// Where clients reach a node.
    #[must_use]
    pub fn endpoint(&self, at: usize) -> String {
        format!("http://{}", self.nodes[at].settings.listen.client)
    }

    /// The settings of a node.
    #[must_use]
    pub fn settings(&self, at: usize) -> &Settings {
        &self.nodes[at].settings
    }

    /// A client that knows all nodes.
    ///
    /// # Panics
    /// No node answers.
    pub async fn keeper(&self) -> Keeper {
        let endpoints: Vec<_> = (0..self.size()).map(|at| self.endpoint(at)).collect();
        Keeper::connect(endpoints).await.expect("a client connects")
    }

    /// A client that begins with one node.
    ///
    /// # Panics
    /// The node does not answer.
    pub async fn client(&self, at: usize) -> Keeper {
        Keeper::connect([self.endpoint(at)]).await.expect("a client connects")
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        // A runtime must not be dropped where one may not block. And the process must not end while threads are still
        // inside RocksDB: the destructors of a C++ library would take locks away beneath them.
        let running: Vec<_> = self.nodes.iter_mut().filter_map(|slot| slot.running.take()).collect();
        let end = move || {
            for Running { node, runtime } in running {
                drop(node);
                runtime.shutdown_timeout(ENDING_MAX);
            }
        };
        if let Ok(ending) = std::thread::Builder::new().name("ending".to_owned()).spawn(end) {
            drop(ending.join());
        }
    }
}

fn data(folder: &Path, at: usize) -> std::path::PathBuf {
    folder.join(format!("node-{}", at + 1))
}
