//! The daemons of a run, together.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::{Endpoint, Error, Keeper, NodeStatus};
use tokio::time::{self, Instant};

use crate::{
    image::Image,
    leftovers::Ledger,
    nemesis::{Control, Needs, build_shim},
    network::Network,
    node::{Equipment, Node, Numbering, Standing},
    seats::{Seat, seats},
};

const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A change of the membership goes on for as long as something moves; this is how long nothing may.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(5);

/// One try of a question to every node; a paused one does not answer at all.
const STATUS_TIMEOUT: Duration = Duration::from_millis(700);

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    founders: usize,
    ledger: Arc<Ledger>,
    asker: Asker,
    admin: Keeper,
    pub(crate) builds: Builds,
}

/// The daemons that nodes may run.
#[derive(Debug, Clone)]
pub(crate) struct Builds {
    pub(crate) newest: PathBuf,
    /// What nodes begin with, where there is one.
    pub(crate) old: Option<PathBuf>,
}

impl Builds {
    fn first(&self) -> &Path {
        self.old.as_ref().unwrap_or(&self.newest)
    }
}

/// Asks the nodes about themselves.
#[derive(Clone)]
pub(crate) struct Asker {
    keeper: Keeper,
    /// Where each is reached: its number in the cluster's books changes with its disk.
    endpoints: Vec<Endpoint>,
}

/// What a cluster is made of.
pub(crate) struct Plan<'a> {
    pub(crate) builds: &'a Builds,
    /// How many found it.
    pub(crate) founders: usize,
    /// How many there are: the others wait to be taken in.
    pub(crate) nodes: usize,
    pub(crate) needs: &'a Needs,
    /// Beside it lie the logs of the nodes.
    pub(crate) history: &'a Path,
}

impl Cluster {
    /// Starts and founds a cluster, and waits until it has a leader.
    pub(crate) async fn start(plan: &Plan<'_>, network: &Network, ledger: Arc<Ledger>) -> Result<Self> {
        let shim = if plan.needs.shim { Some(build_shim(ledger.folder())?) } else { None };
        let mut nodes = Vec::new();
        for (number, addresses) in network.addresses(plan.nodes)?.into_iter().enumerate() {
            let folder = ledger.folder().to_owned();
            let image = if plan.needs.image { Some(Image::make(&folder, number, &ledger)?) } else { None };
            let shim = match &shim {
                Some(library) => {
                    let control = Control::create(folder.join(format!("control-{}", number + 1)))?;
                    Some((library.clone(), control))
                }
                None => None,
            };
            let log = plan.history.with_extension(format!("node-{}.log", number + 1));
            fs::write(&log, "")?;
            let equipment = Equipment { prefix: network.prefix(number), addresses, folder, image, shim, log };
            let numbering = if number < plan.founders { Numbering::Founder } else { Numbering::Newcomer };
            nodes.push(Node::new(plan.builds.first(), number, numbering, equipment)?);
        }
        let asker = Asker::new(&nodes)?;
        let admin = Keeper::builder().endpoints(nodes.iter().map(Node::client)).name("admin");
        let admin = admin.operation_timeout(ADMIN_TIMEOUT).build()?;
        let mut cluster = Self { nodes, founders: plan.founders, ledger, asker, admin, builds: plan.builds.clone() };
        cluster.launch_all()?;
        cluster.found().await?;
        Ok(cluster)
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(Node::client).collect()
    }

    pub(crate) fn launch(&mut self, at: usize) -> Result<()> {
        self.nodes[at].launch(&self.ledger)
    }

    /// Starts whatever is down and may run.
    pub(crate) fn launch_all(&mut self) -> Result<()> {
        for at in 0..self.nodes.len() {
            if self.nodes[at].standing == Standing::Down {
                self.launch(at)?;
            }
        }
        Ok(())
    }

    /// Numbers of the nodes that stand so.
    pub(crate) fn standing(&self, standing: Standing) -> Vec<usize> {
        self.nodes.iter().filter(|node| node.standing == standing).map(|node| node.number).collect()
    }

    /// A client that changes the cluster itself.
    pub(crate) fn admin(&self) -> Keeper {
        self.admin.clone()
    }

    pub(crate) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// Founds the cluster and waits for its leader, or says what the last try said.
    pub(crate) async fn found(&self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let members: Vec<String> = self.nodes[..self.founders].iter().map(Node::member).collect();
        let mut said = "no node answered in time".to_owned();
        loop {
            let Ok(tried) = time::timeout_at(deadline, self.nodes[0].found(&members)).await else { break };
            match tried? {
                Ok(()) => return self.elected(deadline).await,
                Err(reason) => said = reason,
            }
            if time::timeout_at(deadline, time::sleep(LOOK_AGAIN)).await.is_err() {
                break;
            }
        }
        bail!("not founded within {START_TIMEOUT:?}: {said}; {}", self.nodes[0].last_words())
    }

    async fn elected(&self, deadline: Instant) -> Result<()> {
        let elected = async {
            while !self.asker.statuses().await.iter().any(|(_, it)| it.leader_id == Some(it.node_id)) {
                time::sleep(LOOK_AGAIN).await;
            }
        };
        time::timeout_at(deadline, elected).await.with_context(|| format!("no leader within {START_TIMEOUT:?}"))
    }

    /// The cluster loses all it has, and is founded anew.
    pub(crate) async fn lose_everything(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.wipe().await?;
        }
        for node in &mut self.nodes[..self.founders] {
            node.become_founder()?;
        }
        self.launch_all()?;
        self.found().await
    }
}

impl Asker {
    fn new(nodes: &[Node]) -> Result<Self> {
        let endpoints: Vec<String> = nodes.iter().map(Node::client).collect();
        let builder = Keeper::builder().endpoints(endpoints.clone()).name("monitor").operation_timeout(STATUS_TIMEOUT);
        let keeper = builder.attempt_timeout(STATUS_TIMEOUT).connect_timeout(STATUS_TIMEOUT).build()?;
        let endpoints: std::result::Result<_, _> = endpoints.iter().map(|it| Endpoint::parse(it)).collect();
        Ok(Self { keeper, endpoints: endpoints? })
    }

    /// What the nodes that answer say about themselves, each with its place in the run.
    pub(crate) async fn statuses(&self) -> Vec<(usize, NodeStatus)> {
        let answers = self.keeper.cluster().status().await.into_iter();
        let answer = |(endpoint, status): (Endpoint, std::result::Result<NodeStatus, Error>)| {
            Some((self.endpoints.iter().position(|it| *it == endpoint)?, status.ok()?))
        };
        answers.filter_map(answer).collect()
    }
    /// Who is a member; none without a leader.
    pub(crate) async fn seats(&self) -> Option<Vec<Seat>> {
        seats(&self.endpoints, &self.statuses().await)
    }
}
