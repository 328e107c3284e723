//! Three nodes, one that waits to be taken in, and their clients, in one world.

use std::fmt;
use std::sync::Arc;

use keeper_client_sdk::{Endpoint, GiveUp, InitialMember};
use keeper_registry::Level;
use rand::RngExt;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::fault::Fault;
use crate::fleet::Fleet;
use crate::history::{Growth, History};
use crate::node::{CLUSTER, SimNode};
use crate::rollout::Rollout;
use crate::workload::{self, Care};
use crate::world::{HostId, Trace, World};

/// Nodes that found the cluster.
const FOUNDERS: usize = 3;

/// All nodes: one more, so that members can come and go.
const NODES: usize = FOUNDERS + 1;

/// How long a node that stopped by itself stays down before its supervisor starts it again.
const RESTART_AFTER_MS: u64 = 300;

/// A cluster and its clients.
pub struct Cluster {
    /// Where they live.
    pub world: World,
    /// The nodes.
    pub nodes: Vec<SimNode>,
    /// What clients did.
    pub history: History,
    fleet: Fleet,
    /// Who replaces members whose disk is lost.
    care: Care,
    clients: Vec<ClientHost>,
    /// When each node that stopped by itself is started again.
    restarts: Vec<Option<u64>>,
    /// Which nodes are meant to be down.
    stopped: Vec<bool>,
    disk_failures: u64,
    /// The upgrade of the nodes, in a run that has one.
    pub rollout: Option<Rollout>,
    /// Which nodes have a damaged disk, and have not refused it yet.
    damaged: Vec<bool>,
    /// Nodes that stopped, and nobody knows a reason.
    pub unexplained: Vec<String>,
}

/// A host of clients, which live and die together.
struct ClientHost {
    host: HostId,
    crew: Vec<(Role, String)>,
    boots: u64,
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Room,
    Hall,
    Sender,
    Walker,
    Admin,
    Watcher,
    Subscriber,
    Operator,
    Reader,
    Follower,
    Publisher,
    Roller,
}

impl Cluster {
    /// A cluster whose nodes run, and that is not founded yet.
    ///
    /// # Errors
    /// The disks cannot be made.
    pub fn new(seed: u64, trace: Trace) -> anyhow::Result<Self> {
        let mut world = World::new(seed, trace.clone());
        let hosts: Vec<HostId> = (1..=NODES).map(|at| world.add_host(format!("node {at}"))).collect();
        let fleet = Fleet::default();
        let number = |at: usize| (at < FOUNDERS).then_some(at as u64 + 1);
        let nodes = hosts.into_iter().enumerate();
        let nodes = nodes.map(|(at, host)| SimNode::new(&mut world, host, number(at), fleet.clone()));
        let mut nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let crews: [&[(Role, &str)]; 5] = [
            &[
                (Role::Room, "room-1"),
                (Role::Room, "room-2"),
                (Role::Hall, "hall-1"),
                (Role::Reader, "reader-1"),
                (Role::Reader, "reader-2"),
            ],
            &[
                (Role::Room, "room-3"),
                (Role::Room, "room-4"),
                (Role::Hall, "hall-2"),
                (Role::Reader, "reader-3"),
                (Role::Reader, "reader-4"),
            ],
            &[(Role::Sender, "sender-1"), (Role::Sender, "sender-2"), (Role::Walker, "walker")],
            &[
                (Role::Admin, "admin-1"),
                (Role::Admin, "admin-2"),
                (Role::Watcher, "watcher-1"),
                (Role::Watcher, "watcher-2"),
                (Role::Subscriber, "subscriber-1"),
                (Role::Subscriber, "subscriber-2"),
                (Role::Publisher, "publisher"),
                (Role::Roller, "roller"),
                (Role::Follower, "as-reader-1"),
                (Role::Follower, "as-reader-4"),
                (Role::Follower, "like-reader-2"),
            ],
            &[(Role::Operator, "operator")],
        ];
        let clients = crews.into_iter().enumerate().map(|(at, crew)| ClientHost {
            host: world.add_host(format!("clients {}", at + 1)),
            crew: crew.iter().map(|(role, name)| (*role, (*name).to_owned())).collect(),
            boots: 0,
        });
        let clients = clients.collect();
        let history = History::new(trace);
        let care = if world.rng().random_range(0..2) == 0 { Care::Operator } else { Care::Leader };
        let rollout = cluster_before(&mut world, &mut nodes);
        let (restarts, stopped) = (vec![None; NODES], vec![false; NODES]);
        let (disk_failures, damaged, unexplained) = (0, vec![false; NODES], Vec::new());
        let mut cluster = Self {
            world,
            nodes,
            history,
            fleet,
            care,
            clients,
            restarts,
            stopped,
            disk_failures,
            rollout,
            damaged,
            unexplained,
        };
        for at in 0..NODES {
            cluster.start_node(at);
        }
        Ok(cluster)
    }

    /// One step of the world, and of whoever watches the nodes.
    pub fn step(&mut self) {
        self.world.step();
        let now_ms = self.world.now_ms();
        let is_short = self.nodes.iter().any(|node| node.leads() && node.shortage().is_some());
        self.history.follow(now_ms, if is_short { Growth::Refused } else { Growth::Taken });
        self.roll();
        for at in 0..self.nodes.len() {
            self.nodes[at].wall.follow(now_ms);
            self.check_damaged(at);
            self.check_acknowledged(at);
            if self.stopped[at] || self.world.host(self.nodes[at].host).is_running() {
                continue;
            }
            match self.restarts[at] {
                None => self.bury(at),
                Some(at_ms) if at_ms <= now_ms => self.start_node(at),
                Some(_) => {}
            }
        }
    }

    /// A node stopped by itself.
    fn bury(&mut self, at: usize) {
        self.restarts[at] = Some(self.world.now_ms() + RESTART_AFTER_MS);
        let failures = std::mem::take(&mut self.nodes[at].inside.lock().failures);
        let mut has_refused = false;
        for why in failures {
            if self.damaged[at] && why.starts_with("did not start") {
                has_refused = true;
            } else if why.contains("injected") || why.contains("log:") {
                self.disk_failures += 1;
            } else {
                self.unexplained.push(format!("stopped: node {}: {why}", at + 1));
            }
        }
        self.nodes[at].crashed(self.world.rng());
        if has_refused && let Err(error) = self.lose_disk(at) {
            self.unexplained.push(format!("the disk of node {} cannot be set aside: {error:#}", at + 1));
        }
    }

    /// No disk goes back to an older state: whoever acknowledged an entry has it. The leader sends nothing more to one
    /// that has not.
    fn check_acknowledged(&mut self, at: usize) {
        for node in self.nodes[at].taken_back() {
            let found = format!("stopped: node {node}, which lacks what it had acknowledged to node {}", at + 1);
            if !self.unexplained.contains(&found) {
                self.unexplained.push(found);
            }
        }
    }

    /// A node must not go on with a damaged disk, whatever of it is damaged.
    fn check_damaged(&mut self, at: usize) {
        if self.damaged[at] && self.nodes[at].replica().is_some() {
            self.unexplained.push(format!("damage: node {} has started on a damaged disk", at + 1));
            self.damaged[at] = false;
        }
    }

    /// The next node of an upgrade gets its release, once it can be started again.
    fn roll(&mut self) {
        let now_ms = self.world.now_ms();
        let Some(step) = self.rollout.as_ref().and_then(|rollout| rollout.due(now_ms)) else { return };
        if !self.is_up(step.at) || self.nodes[step.at].replica().is_none() {
            return;
        }
        self.tell(format_args!("node {} gets the release of level {}", step.at + 1, step.level_max));
        self.stop_node(step.at, Fault::Kill);
        self.nodes[step.at].install(step.level_max);
        self.start_node(step.at);
        if let Some(rollout) = &mut self.rollout {
            rollout.took(step, self.world.rng(), now_ms);
        }
    }

    /// The cluster's feature level, as whoever knows best has it.
    #[must_use]
    pub fn level(&self) -> Level {
        let states = self.nodes.iter().filter_map(|node| Some((node.applied(), node.level()?)));
        states.max_by_key(|(applied, _)| *applied).map_or(Level::FIRST, |(_, level)| level)
    }

    /// How often a node stopped because of its disk.
    #[must_use]
    pub const fn disk_failures(&self) -> u64 {
        self.disk_failures
    }

    /// Whether a node runs, and not paused.
    #[must_use]
    pub fn is_up(&self, at: usize) -> bool {
        let host = self.world.host(self.nodes[at].host);
        host.is_running() && !host.is_paused()
    }

    /// Whether a node is a member, as whoever knows best of those that run has it.
    #[must_use]
    pub fn is_member(&self, at: usize) -> bool {
        let newest = self.nodes.iter().filter_map(SimNode::members).max_by_key(|(membership, _)| *membership);
        newest.is_some_and(|(_, members)| members.contains(&self.nodes[at].number()))
    }

    /// Whether every member has the disk that it was taken in with.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let newest = self.nodes.iter().filter_map(SimNode::members).max_by_key(|(membership, _)| *membership);
        let has = |number: &u64| self.nodes.iter().any(|node| node.number() == *number);
        !self.damaged.contains(&true) && newest.is_some_and(|(_, members)| members.iter().all(has))
    }

    /// Whether a node is a member, and the one that it was before it lost its disk is too.
    #[must_use]
    pub fn is_half_taken_in(&self, at: usize) -> bool {
        self.is_up(at) && self.is_member(at) && !self.is_whole()
    }

    /// A node loses its disk for good, and starts with an empty one.
    pub fn lose_disk(&mut self, at: usize) -> anyhow::Result<()> {
        self.stop_node(at, Fault::PowerCut);
        self.damaged[at] = false;
        self.nodes[at].lose_disk(&mut self.world)?;
        self.start_node(at);
        Ok(())
    }

    /// The disk of a node is damaged while it has no power. The node refuses to start on it, and whoever watches it
    /// sets the disk aside. False: there is nothing on it yet.
    pub fn damage_disk(&mut self, at: usize) -> bool {
        self.stop_node(at, Fault::PowerCut);
        let what = self.nodes[at].disk.damage(self.world.rng());
        self.tell(format_args!("node {} has lost {what:?}", at + 1));
        self.damaged[at] = what.is_some();
        self.start_node(at);
        what.is_some()
    }

    /// Whether a node has yet to refuse a damaged disk.
    #[must_use]
    pub fn is_damaged(&self, at: usize) -> bool {
        self.damaged[at]
    }

    /// Whether a node has lost its disk, or is about to refuse it, and was not given another number yet.
    #[must_use]
    pub fn is_without_disk(&self, at: usize) -> bool {
        self.damaged[at] || self.nodes[at].number() == 0
    }

    /// Stops a node, and loses what it had not synced.
    pub fn stop_node(&mut self, at: usize, how: Fault) {
        self.stopped[at] = true;
        let host = self.nodes[at].host;
        if how == Fault::Kill {
            self.world.kill(host)
        } else {
            self.world.cut_power(host)
        }
        let lost = self.nodes[at].crashed(self.world.rng());
        self.tell(format_args!("{lost} writes are lost"));
    }

    /// Starts a node on what its disk holds, unless it runs.
    pub fn start_node(&mut self, at: usize) {
        (self.stopped[at], self.restarts[at]) = (false, None);
        if !self.world.host(self.nodes[at].host).is_running() {
            self.nodes[at].start(&mut self.world);
        }
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        let hosts: Vec<_> = self.nodes.iter().map(|it| it.host).chain(self.clients.iter().map(|it| it.host)).collect();
        hosts.into_iter()
    }

    /// Hosts of gateways.
    #[must_use]
    pub fn gateway_hosts(&self) -> Vec<HostId> {
        self.clients.iter().filter(|it| it.is_of_gateways()).map(|it| it.host).collect()
    }

    /// Ends the processes of one host of gateways, and says which.
    pub fn kill_gateways(&mut self) -> Option<usize> {
        let hosts = self.clients.iter().enumerate().filter(|(_, it)| it.is_of_gateways());
        let running: Vec<usize> =
            hosts.filter(|(_, it)| self.world.host(it.host).is_running()).map(|(at, _)| at).collect();
        let at = *running.get(self.world.rng().random_range(0..running.len().max(1)))?;
        self.world.kill(self.clients[at].host);
        let names: Vec<String> = self.clients[at].crew.iter().map(|(_, name)| name.clone()).collect();
        self.history.abandon(&names);
        Some(at)
    }

    /// Starts the clients of every host.
    pub fn start_all_clients(&mut self) {
        (0..self.clients.len()).for_each(|at| self.start_clients(at));
    }

    /// Starts the clients of one host.
    pub fn start_clients(&mut self, at: usize) {
        self.clients[at].boots += 1;
        let ClientHost { host, ref crew, boots } = self.clients[at];
        let crew = crew.clone();
        let crew: Vec<_> = crew.into_iter().map(|(role, name)| (role, self.client(host, name))).collect();
        let (fleet, care) = (self.fleet.clone(), self.care);
        self.world.start(host, async move {
            let mut tasks = JoinSet::new();
            for (role, client) in crew {
                match role {
                    Role::Room => tasks.spawn(workload::hold_sessions(client)),
                    Role::Hall => tasks.spawn(workload::keep_connections(client, boots)),
                    Role::Sender => tasks.spawn(workload::look_up(client)),
                    Role::Walker => tasks.spawn(workload::walk(client)),
                    Role::Admin => tasks.spawn(workload::replace_configs(client)),
                    Role::Watcher => tasks.spawn(workload::watch_configs(client)),
                    Role::Subscriber => tasks.spawn(workload::follow_presence(client)),
                    Role::Reader => tasks.spawn(workload::read_documents(client, boots)),
                    Role::Follower => tasks.spawn(workload::follow_documents(client)),
                    Role::Publisher => tasks.spawn(workload::publish_documents(client)),
                    Role::Roller => tasks.spawn(workload::roll_out_documents(client)),
                    Role::Operator => tasks.spawn(workload::operate(client, fleet.clone(), care)),
                };
            }
            while tasks.join_next().await.is_some() {}
            // The process outlives its work: leases are kept.
            std::future::pending::<()>().await;
        });
    }

    /// A client on a host.
    pub fn client(&mut self, host: HostId, name: String) -> Client {
        Client {
            host,
            name,
            net: Arc::clone(self.world.net()),
            endpoints: self.nodes.iter().map(SimNode::client_endpoint).collect(),
            history: self.history.clone(),
            seed: self.world.rng().random(),
        }
    }

    /// Founds the cluster from a host of its own; whoever drives the world waits for the end of that process.
    pub fn found(&mut self) -> HostId {
        let host = self.world.add_host("founder");
        let client = self.client(host, "founder".to_owned());
        let members: Vec<InitialMember> = self.nodes[..FOUNDERS].iter().map(SimNode::member).collect();
        self.world.start(host, async move {
            while found(&client, members.clone()).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        host
    }

    /// Says something in the trace.
    pub fn tell(&self, what: fmt::Arguments<'_>) {
        self.world.trace().tell(self.world.now_ms(), what);
    }
}

impl ClientHost {
    fn is_of_gateways(&self) -> bool {
        self.crew.iter().any(|(role, _)| *role == Role::Room)
    }
}

/// Of a run with an upgrade: some nodes begin at the release before.
fn cluster_before(world: &mut World, nodes: &mut [SimNode]) -> Option<Rollout> {
    let (behind, rollout) = Rollout::draw(world.rng(), FOUNDERS, nodes.len())?;
    behind.into_iter().for_each(|at| nodes[at].install(Level::FIRST));
    Some(rollout)
}

async fn found(client: &Client, members: Vec<InitialMember>) -> anyhow::Result<()> {
    let keeper = client.keeper()?;
    let first = Endpoint::parse(&client.endpoints[0])?;
    if let Err(error) = keeper.cluster().initialize(&first, CLUSTER, members).await
        && error.is_retryable()
    {
        return Err(error.into());
    }
    // No gateway comes back from a former history: there is none.
    keeper.sessions().give_up(GiveUp::Everybody, "sim").await?;
    Ok(())
}
