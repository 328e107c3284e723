//! Three daemons of their own processes, on loopback, with data on disk.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use keeper_client_sdk::Keeper;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{self, Instant},
};

pub(crate) const NODES: usize = 3;
const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Ends its processes and removes its data when dropped.
pub(crate) struct Cluster {
    keeper: PathBuf,
    nodes: Vec<Node>,
    folder: TempDir,
}

struct Node {
    client: String,
    peer: String,
    child: Option<Child>,
}

impl Cluster {
    /// Starts and founds a cluster, and waits until it has a leader.
    pub(crate) async fn start(keeper: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut nodes = Vec::new();
        for (number, [client, peer, http]) in (1..).zip(free_addresses()?) {
            let data = folder.path().join(format!("node-{number}"));
            let settings = format!(
                "cluster = \"jepsen\"\nnode_id = {number}\ndata_dir = \"{}\"\n\n\
                 [listen]\nclient = \"{client}\"\npeer = \"{peer}\"\nhttp = \"{http}\"\n",
                data.display()
            );
            fs::write(settings_file(folder.path(), nodes.len()), settings)?;
            nodes.push(Node { client: client.to_string(), peer: peer.to_string(), child: None });
        }
        let mut cluster = Self { keeper: keeper.to_owned(), nodes, folder };
        for node in 0..NODES {
            cluster.launch(node)?;
        }
        let deadline = Instant::now() + START_TIMEOUT;
        cluster.found(deadline).await?;
        let elected = async {
            while !cluster.has_leader().await {
                time::sleep(LOOK_AGAIN).await;
            }
        };
        time::timeout_at(deadline, elected).await.with_context(|| format!("no leader within {START_TIMEOUT:?}"))?;
        Ok(cluster)
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.client.clone()).collect()
    }

    pub(crate) async fn kill(&mut self, node: usize) -> Result<()> {
        let child = self.nodes[node].child.as_mut().context("the node runs")?;
        let ended = child.try_wait()?;
        ensure!(ended.is_none(), "node {} ended by itself: {ended:?}\n{}", node + 1, self.last_words(node));
        // SIGKILL, and wait for it.
        child.kill().await?;
        Ok(())
    }

    pub(crate) fn launch(&mut self, node: usize) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log(node))?;
        let child = Command::new(&self.keeper)
            .arg("start")
            .arg("--config")
            .arg(settings_file(self.folder.path(), node))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not run", self.keeper.display()))?;
        self.nodes[node].child = Some(child);
        Ok(())
    }

    /// Tries until the first node listens, or says what the last try said.
    async fn found(&self, deadline: Instant) -> Result<()> {
        let endpoint = format!("http://{}", self.nodes[0].client);
        let members =
            self.nodes.iter().enumerate().map(|(at, node)| format!("{}={},{}", at + 1, node.peer, node.client));
        let mut command = Command::new(&self.keeper);
        command.args(["init", "--endpoint", &endpoint]).kill_on_drop(true);
        for member in members {
            command.arg("--member").arg(member);
        }
        let mut said = String::new();
        loop {
            let Ok(tried) = time::timeout_at(deadline, command.output()).await else { break };
            let output = tried.with_context(|| format!("{} does not run", self.keeper.display()))?;
            if output.status.success() {
                return Ok(());
            }
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            time::sleep(LOOK_AGAIN).await;
        }
        bail!("not founded within {START_TIMEOUT:?}: {}", said.trim_end())
    }

    async fn has_leader(&self) -> bool {
        let Ok(keeper) = Keeper::connect(self.endpoints()).await else { return false };
        let statuses = keeper.cluster().status().await;
        statuses.iter().all(|(_, status)| status.as_ref().is_ok_and(|status| status.leader_id.is_some()))
    }

    fn log(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("node-{}.log", node + 1))
    }

    fn last_words(&self, node: usize) -> String {
        let log = fs::read_to_string(self.log(node)).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

/// Addresses that were free a moment ago: those of a node's clients, its peers and its metrics.
fn free_addresses() -> Result<[[SocketAddr; 3]; NODES]> {
    // All held until all are known, so that no port is given twice.
    let mut held = Vec::new();
    let mut addresses = [[SocketAddr::from(([127, 0, 0, 1], 0)); 3]; NODES];
    for address in addresses.as_flattened_mut() {
        let listener = TcpListener::bind(*address).context("no free port")?;
        *address = listener.local_addr()?;
        held.push(listener);
    }
    Ok(addresses)
}

fn settings_file(folder: &Path, node: usize) -> PathBuf {
    folder.join(format!("node-{}.toml", node + 1))
}
