//! Nodes of a cluster as processes of their own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use keeper::settings::Listen;
use keeper_client_sdk::Keeper;
use tempfile::TempDir;

use crate::ports;
use crate::wait::{until, until_some};

/// A cluster of processes. Dropping it kills them, by pid, and removes their data.
#[derive(Debug)]
pub struct Processes {
    nodes: Vec<Process>,
    folder: TempDir,
    files_max: Option<u64>,
}

#[derive(Debug)]
struct Process {
    listen: Listen,
    child: Option<Child>,
}

impl Processes {
    /// Starts and founds a cluster, and waits for its leader.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start(nodes: usize) -> Self {
        Self::begin(nodes, None).await
    }

    /// The same, with processes that may have so many files open.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_with_files(nodes: usize, files_max: u64) -> Self {
        Self::begin(nodes, Some(files_max)).await
    }

    async fn begin(nodes: usize, files_max: Option<u64>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the data");
        let listeners = ports::free(nodes).expect("free ports");
        let nodes = listeners.into_iter().map(|listen| Process { listen, child: None }).collect();
        let mut cluster = Self { nodes, folder, files_max };
        for at in 0..cluster.nodes.len() {
            cluster.write_settings(at, "");
            cluster.launch(at);
        }
        until("the cluster is founded", async || cluster.found().status.success()).await;
        cluster.leader().await;
        cluster
    }

    /// Writes the settings of a node; `more` is added to them.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn write_settings(&self, at: usize, more: &str) {
        let Listen { client, peer, http } = self.nodes[at].listen;
        let data = self.data(at);
        let text = format!(
            "cluster = \"test\"\nnode_id = {}\ndata_dir = \"{}\"\n{more}\n\
             [listen]\nclient = \"{client}\"\npeer = \"{peer}\"\nhttp = \"{http}\"\n",
            at + 1,
            data.display()
        );
        fs::write(self.settings(at), text).expect("settings are written");
    }

    /// Starts one more node, which waits to be added.
    ///
    /// # Panics
    /// It does not start.
    pub fn spare(&mut self) -> usize {
        let listen = ports::free(1).expect("free ports").remove(0);
        let at = self.nodes.len();
        self.nodes.push(Process { listen, child: None });
        self.write_settings(at, "");
        let text = fs::read_to_string(self.settings(at)).expect("settings are read");
        let unnumbered: String =
            text.lines().filter(|it| !it.starts_with("node_id")).map(|it| format!("{it}\n")).collect();
        fs::write(self.settings(at), unnumbered).expect("settings are written");
        self.launch(at);
        at
    }

    /// Runs `keeper init` for all nodes of a cluster that lost nothing.
    ///
    /// # Panics
    /// The binary does not run.
    #[must_use]
    pub fn found(&self) -> Output {
        self.init(&["--fresh"])
    }

    /// Runs `keeper init` for all nodes; `more` is added to the arguments.
    ///
    /// # Panics
    /// The binary does not run.
    #[must_use]
    pub fn init(&self, more: &[&str]) -> Output {
        let mut command = Command::new(binary("keeper"));
        command.args(["init", "--endpoint", &self.endpoint(0)]).args(more);
        for (at, node) in self.nodes.iter().enumerate() {
            command.arg("--member").arg(format!("{}={},{}", at + 1, node.listen.peer, self.endpoint(at)));
        }
        command.output().expect("keeper init runs")
    }

    /// Starts a node's process.
    ///
    /// # Panics
    /// The binary does not run.
    pub fn launch(&mut self, at: usize) {
        let log = File::options().create(true).append(true).open(self.log(at)).expect("a log file");
        let mut command = match self.files_max {
            None => Command::new(binary("keeper")),
            Some(files_max) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--nofile={files_max}:{files_max}")).arg(binary("keeper"));
                command
            }
        };
        let child = command
            .args(["start", "--config"])
            .arg(self.settings(at))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("keeper runs");
        self.nodes[at].child = Some(child);
    }

    /// Kills a node's process, and waits for its end.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&mut self, at: usize) {
        let mut child = self.nodes[at].child.take().expect("the process runs");
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
    }

    /// Removes what a node that does not run had on its disk.
    ///
    /// # Panics
    /// It runs, or cannot be removed.
    pub fn wipe(&self, at: usize) {
        assert!(self.nodes[at].child.is_none(), "the node runs");
        fs::remove_dir_all(self.data(at)).expect("the data is removed");
    }

    /// Stops a process where it stands, or lets it go on.
    ///
    /// # Panics
    /// It does not run.
    pub fn signal(&self, at: usize, name: &str) {
        let pid = self.nodes[at].child.as_ref().expect("the process runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "signal {name} to {pid}");
    }

    /// Waits for the leader that a majority follows, and says which it is.
    pub async fn leader(&self) -> usize {
        let all: Vec<_> = (0..self.nodes.len()).collect();
        self.leader_among(&all).await
    }

    /// The same among some of the nodes.
    pub async fn leader_among(&self, nodes: &[usize]) -> usize {
        until_some("a leader that a majority follows", async || {
            let keeper = Keeper::connect(nodes.iter().map(|at| self.endpoint(*at))).await.ok()?;
            let statuses = keeper.cluster().status().await;
            let known = statuses.iter().filter_map(|(endpoint, status)| {
                let asked = nodes.iter().any(|at| self.nodes[*at].listen.client.to_string() == endpoint.as_str());
                status.as_ref().ok().filter(|_| asked)?.leader_id
            });
            let known: Vec<_> = known.collect();
            let leader = *known.first()?;
            let agreed = known.iter().filter(|it| **it == leader).count() * 2 > self.nodes.len();
            let at = usize::try_from(leader).ok()?.checked_sub(1)?;
            (agreed && nodes.contains(&at)).then_some(at)
        })
        .await
    }

    /// Where clients reach a node.
    #[must_use]
    pub fn endpoint(&self, at: usize) -> String {
        format!("http://{}", self.nodes[at].listen.client)
    }

    /// Where a node listens.
    #[must_use]
    pub fn listen(&self, at: usize) -> Listen {
        self.nodes[at].listen
    }

    /// Where all clients reach the cluster.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        (0..self.nodes.len()).map(|at| self.endpoint(at)).collect()
    }

    /// A client that knows all nodes.
    ///
    /// # Panics
    /// No node answers.
    pub async fn keeper(&self) -> Keeper {
        Keeper::connect(self.endpoints()).await.expect("a client connects")
    }

    /// Where a node's data lies.
    #[must_use]
    pub fn data(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("node-{}", at + 1))
    }

    /// A node's settings file.
    #[must_use]
    pub fn settings(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("node-{}.toml", at + 1))
    }

    /// What a node has said.
    #[must_use]
    pub fn log(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("node-{}.log", at + 1))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().filter_map(|node| node.child.as_mut()) {
            // SIGKILL reaches a stopped process too.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A binary of this workspace, built with the tests.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    let folder = test.ancestors().find(|it| it.join(name).is_file());
    folder
        .map(|it: &Path| it.join(name))
        .unwrap_or_else(|| panic!("`{name}` is not built beside {}: run the tests with --workspace", test.display()))
}
