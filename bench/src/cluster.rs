//! The cluster under load: three nodes of our own, or one that runs already.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::{Builder, Endpoint, Keeper, NodeStatus, Role};
use tempfile::TempDir;

use crate::{
    meter::{Served, Serving},
    node::Node,
    ports::Ports,
    wait::wait_for,
};

/// Nodes of a cluster of our own.
const NODES: u64 = 3;

/// How long nodes may take to answer, to elect, and to catch up. Generous: what is slow is to be measured, not given
/// up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to start.
pub(crate) struct Layout {
    /// The daemon.
    pub(crate) keeper: PathBuf,
    /// Lines added to the settings of each node.
    pub(crate) settings: String,
}

/// The cluster under load. The processes it started end with it, and their data with them.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Empty when they are not ours. Before `dir`: a process ends before its data does.
    nodes: Vec<Node>,
    endpoints: Vec<Endpoint>,
    size: usize,
    version: String,
    observer: Keeper,
    _dir: Option<TempDir>,
}

impl Cluster {
    /// Starts nodes of our own and founds a cluster.
    pub(crate) async fn start(layout: &Layout) -> Result<Self> {
        let dir = temporary_dir()?;
        let mut ports = Ports::new();
        let mut nodes = Vec::new();
        for id in 1..=NODES {
            let path = dir.path().join(format!("node-{id}"));
            nodes.push(Node::prepare(id, &layout.keeper, path, &mut ports, &layout.settings)?);
        }
        let endpoints = nodes.iter().map(Node::endpoint).collect::<Result<Vec<_>>>()?;
        let observer = client(&endpoints).build()?;
        let size = nodes.len();
        let mut cluster = Self { nodes, endpoints, size, version: String::new(), observer, _dir: Some(dir) };
        cluster.start_all().await?;
        cluster.found().await?;
        Ok(cluster)
    }

    /// Takes a cluster that runs.
    pub(crate) async fn join(endpoints: Vec<String>) -> Result<Self> {
        let endpoints = endpoints.iter().map(|it| Endpoint::parse(it)).collect::<Result<Vec<_>, _>>()?;
        let observer = client(&endpoints).connect().await.context("reaching the cluster")?;
        let mut cluster = Self { nodes: Vec::new(), endpoints, size: 0, version: String::new(), observer, _dir: None };
        let leader = cluster.led().await?;
        cluster.size = leader.members.len();
        Ok(cluster)
    }

    async fn found(&mut self) -> Result<()> {
        let members = self.nodes.iter().map(Node::member).collect();
        self.observer
            .cluster()
            .initialize(&self.endpoints[0], Node::CLUSTER, members)
            .await
            .context("founding a cluster")?;
        self.led().await?;
        Ok(())
    }

    /// Waits for a leader and every member's knowledge of it.
    async fn led(&mut self) -> Result<NodeStatus> {
        let leader = wait_for("electing a leader", PATIENCE, async || {
            let statuses = self.statuses().await;
            let all_know = statuses.iter().all(|it| it.leader_id.is_some());
            let leader = statuses.into_iter().find(|it| it.role == Role::Leader);
            Ok(leader.filter(|_| all_know))
        });
        let leader = leader.await?;
        self.version.clone_from(&leader.version);
        Ok(leader)
    }

    /// Starts every node that is dead, and waits until each answers.
    pub(crate) async fn start_all(&mut self) -> Result<()> {
        self.launch_all()?;
        wait_for("starting nodes", PATIENCE, async || {
            self.nodes.iter_mut().try_for_each(Node::check)?;
            let answers = self.statuses().await.len();
            Ok((answers == self.endpoints.len()).then_some(()))
        })
        .await
    }

    /// Starts every node that is dead, without waiting for any.
    pub(crate) fn launch_all(&mut self) -> Result<()> {
        self.nodes.iter_mut().filter(|node| node.usage().is_none()).try_for_each(Node::start)
    }

    /// `kill -9` for all of them, as close together as can be.
    pub(crate) fn kill_all(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
    }

    /// `kill -9` for the leader.
    pub(crate) fn kill(&mut self, id: u64) -> Result<()> {
        let Some(node) = self.nodes.iter_mut().find(|node| node.id == id) else { bail!("node {id} is not ours") };
        node.kill();
        Ok(())
    }

    /// The number of the node that leads.
    pub(crate) async fn leader(&mut self) -> Result<u64> {
        Ok(self.led().await?.node_id)
    }

    /// Starts what is dead, and waits until it has applied what the others had when it began.
    pub(crate) async fn recover(&mut self) -> Result<()> {
        let committed = self.statuses().await.iter().map(|it| it.committed_index).max().unwrap_or_default();
        self.start_all().await?;
        wait_for("catching up", PATIENCE, async || {
            let statuses = self.statuses().await;
            let caught_up = statuses.iter().filter(|it| it.applied_index >= committed).count();
            Ok((caught_up == self.endpoints.len()).then_some(()))
        })
        .await?;
        self.led().await.map(drop)
    }

    /// What each node that answers says about itself.
    pub(crate) async fn statuses(&self) -> Vec<NodeStatus> {
        let asks = self.endpoints.iter().map(async |it| self.observer.cluster().status_of(it).await.ok());
        futures_util::future::join_all(asks).await.into_iter().flatten().collect()
    }

    /// Stops the nodes in an orderly way.
    pub(crate) async fn stop(mut self) {
        futures_util::future::join_all(self.nodes.iter_mut().map(Node::stop)).await;
    }

    /// A client of all nodes.
    pub(crate) fn client(&self) -> Builder {
        client(&self.endpoints)
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Those of our own; none of a cluster that ran already.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many nodes there are.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Of the daemon.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Memory of each node, in order; none when the nodes are not ours.
    pub(crate) fn rss_bytes(&self) -> Option<Vec<u64>> {
        let each: Option<Vec<u64>> = self.nodes.iter().map(|node| Some(node.usage()?.rss_bytes)).collect();
        each.filter(|it| !it.is_empty())
    }
}

impl Serving for Cluster {
    fn usage(&self) -> Result<Option<Served>> {
        if self.nodes.is_empty() {
            return Ok(None);
        }
        let rss_bytes = self.nodes.iter().filter_map(Node::usage).map(|it| it.rss_bytes).max().unwrap_or_default();
        Ok(Some(Served { cpu_s: self.nodes.iter().map(Node::cpu_s).sum(), rss_bytes }))
    }
}

/// By how much all nodes together have grown, when both are known.
pub(crate) fn growth(before: Option<Vec<u64>>, after: Option<Vec<u64>>) -> Option<u64> {
    let (before, after) = before.zip(after)?;
    Some(after.iter().zip(&before).map(|(after, before)| after.saturating_sub(*before)).sum())
}

fn client(endpoints: &[Endpoint]) -> Builder {
    Keeper::builder().endpoints(endpoints.iter().map(ToString::to_string)).name("bench")
}

/// Beside the build: on the disk that is worked on, not in memory as temporary folders often are.
fn temporary_dir() -> Result<TempDir> {
    let own = std::env::current_exe().context("finding this program")?;
    let beside = own.parent().and_then(|it| it.parent()).context("this program lies in no folder")?;
    tempfile::Builder::new().prefix("keeper-bench-").tempdir_in(beside).context("making a folder for data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_of_all_nodes() {
        assert_eq!(growth(Some(vec![10, 20, 30]), Some(vec![15, 18, 40])), Some(15));
        assert_eq!(growth(None, Some(vec![1])), None);
    }
}
