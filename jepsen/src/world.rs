//! What the faults of a run act upon, and how all of them end.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use keeper_client_sdk::{NodeStatus, Role};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    task::JoinSet,
    time::{self, Instant},
};

use crate::{
    cluster::Cluster,
    history::{History, Kind, MONITOR},
    nemesis::{self, Fault, Packets},
    network::Network,
    node::Standing,
    seats::Seat,
};

/// How often the nodes are asked about themselves.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// How long a healed cluster may take to be one again: a node may have to catch up by a snapshot.
const CONVERGE_TIMEOUT: Duration = Duration::from_secs(45);

/// How long a healed cluster may take to take in everybody and give them votes, one after another.
const ENLIST_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) cluster: AsyncMutex<Cluster>,
    pub(crate) network: Network,
    pub(crate) history: Arc<History>,
    pub(crate) packets: Mutex<Option<Packets>>,
    /// The leader when the nodes were asked last.
    leader: Mutex<Option<usize>>,
    /// Whether faults may be made, and last.
    faults: watch::Sender<Faults>,
    /// The feature level was raised: no node goes back.
    upgraded: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Faults {
    Striking,
    Over,
}

impl World {
    pub(crate) fn new(cluster: Cluster, network: Network, history: Arc<History>) -> Self {
        let (packets, leader) = (Mutex::new(None), Mutex::new(None));
        let faults = watch::Sender::new(Faults::Over);
        Self {
            cluster: AsyncMutex::new(cluster),
            network,
            history,
            packets,
            leader,
            faults,
            upgraded: AtomicBool::new(false),
        }
    }

    /// Sets faults to work. They strike until they are over, and end then.
    pub(crate) fn strike(self: &Arc<Self>, faults: &[Fault], seed: u64) -> JoinSet<Result<()>> {
        self.faults.send_replace(Faults::Striking);
        let mut nemeses = JoinSet::new();
        for fault in faults {
            nemeses.spawn(fault.run(self.clone(), faults.len(), seed));
        }
        nemeses
    }

    /// No fault strikes any more, and none lasts.
    pub(crate) async fn over(&self, mut nemeses: JoinSet<Result<()>>) -> Result<()> {
        self.faults.send_replace(Faults::Over);
        while let Some(ended) = nemeses.join_next().await {
            ended.context("a fault panicked")??;
        }
        Ok(())
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    pub(crate) fn note_upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.faults.borrow() == Faults::Over
    }

    /// A fault lasts, or waits for its turn.
    pub(crate) async fn rest(&self, duration: Duration) {
        let mut faults = self.faults.subscribe();
        // Either way the rest is over.
        let _ = time::timeout(duration, faults.wait_for(|it| *it == Faults::Over)).await;
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        *self.leader.lock()
    }

    /// Asks the nodes about themselves for as long as it is polled.
    pub(crate) async fn watch(&self) -> Result<std::convert::Infallible> {
        let asker = self.cluster.lock().await.asker();
        loop {
            let statuses = asker.statuses().await;
            self.note(&statuses)?;
            self.bury().await?;
            time::sleep(LOOK_AGAIN).await;
        }
    }

    fn note(&self, statuses: &[(usize, NodeStatus)]) -> Result<()> {
        for (at, status) in statuses {
            let value = json!({
                "id": status.node_id,
                "role": status.role.as_str(),
                "term": status.term,
                "cluster": format!("{:x}", status.state_id),
                "state": format!("{:x}", status.state_id),
                "applied": status.applied_index,
                "hash": format!("{:x}", status.state_hash),
                "snapshot": status.snapshot_index,
            });
            self.history.add(MONITOR, Kind::Info, "status", &format!("node-{}", at + 1), value)?;
        }
        // Within a term, only a node of a higher number can follow another.
        let leading =
            statuses.iter().filter(|(_, it)| it.role == Role::Leader).max_by_key(|(_, it)| (it.term, it.node_id));
        if let Some((leader, _)) = leading {
            *self.leader.lock() = Some(*leader);
        }
        Ok(())
    }

    /// A node that ended by itself had a right to, or did wrong.
    pub(crate) async fn bury(&self) -> Result<()> {
        let mut cluster = self.cluster.lock().await;
        for node in &mut cluster.nodes {
            let Some(status) = node.ended()? else { continue };
            let f = if node.may_end() { "stopped" } else { "died" };
            let value = json!({ "status": status.to_string(), "said": node.last_words() });
            self.history.add(MONITOR, Kind::Info, f, &node.name(), value)?;
        }
        Ok(())
    }

    /// Ends what may be left of faults, when they are over.
    pub(crate) async fn heal(&self) -> Result<()> {
        if let Some(routed) = self.network.routed_only() {
            routed.cut(BTreeSet::new())?;
        }
        drop(self.packets.lock().take());
        let mut cluster = self.cluster.lock().await;
        for node in &mut cluster.nodes {
            if let Some(control) = node.control() {
                control.calm()?;
            }
            if let Some(image) = node.image()
                && image.relieve().is_err()
            {
                image.restore().await?;
            }
            node.forbid_every_end()?;
            if node.standing == Standing::Paused {
                node.resume()?;
            }
        }
        drop(cluster);
        self.bury().await?;
        self.cluster.lock().await.launch_all()?;
        self.history.fault("heal", "all", json!(null))
    }

    /// Who is a member; none without a leader.
    pub(crate) async fn seats(&self) -> Option<Vec<Seat>> {
        let asker = self.cluster.lock().await.asker();
        asker.seats().await
    }

    /// Gives every node a vote, and writes down whether it came to that.
    pub(crate) async fn enlist(&self) -> Result<()> {
        let deadline = Instant::now() + ENLIST_TIMEOUT;
        loop {
            let seats = self.seats().await.unwrap_or_default();
            let is_whole = !seats.is_empty() && seats.iter().all(|it| it.is_voter && it.is_present());
            if is_whole || Instant::now() > deadline {
                let value = json!({ "enlisted": is_whole, "seats": format!("{seats:?}") });
                return self.history.add(MONITOR, Kind::Info, "enlisted", "all", value);
            }
            nemesis::enlist(self, &seats).await?;
            self.bury().await?;
            self.cluster.lock().await.launch_all()?;
            time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until the nodes hold the same, and writes down whether they came to it.
    pub(crate) async fn converge(&self) -> Result<()> {
        let (asker, sound): (_, Vec<usize>) = {
            let cluster = self.cluster.lock().await;
            let sound = cluster.nodes.iter().filter(|node| !node.is_damaged);
            (cluster.asker(), sound.map(|node| node.number).collect())
        };
        let deadline = Instant::now() + CONVERGE_TIMEOUT;
        loop {
            let all = asker.statuses().await;
            self.note(&all)?;
            self.bury().await?;
            self.cluster.lock().await.launch_all()?;
            let seen: Vec<_> = all.iter().filter(|(at, _)| sound.contains(at)).map(|(_, it)| it).collect();
            let first = seen.first().map(|it| (it.state_id, it.applied_index, it.state_hash));
            let is_one = seen.len() == sound.len()
                && seen.iter().all(|it| Some((it.state_id, it.applied_index, it.state_hash)) == first)
                && all.iter().any(|(_, it)| it.role == Role::Leader);
            if is_one || Instant::now() > deadline {
                let nodes: Vec<_> =
                    seen.iter().map(|it| (it.node_id, it.role.as_str(), it.applied_index, it.state_hash)).collect();
                let value = json!({ "converged": is_one, "expected": sound, "nodes": nodes });
                return self.history.add(MONITOR, Kind::Info, "healed", "all", value).context("the end");
            }
            time::sleep(LOOK_AGAIN / 4).await;
        }
    }
}
