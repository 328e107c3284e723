//! Looks for the leader when somebody wants it and nobody is known to lead: asks every node what it knows, so that one
//! living node is enough. Asks the node that a client begins with who the others are.
//!
//! One task per client, however many callers wait. A node's claim is only a hint: a deposed leader that has not noticed
//! claims too, refuses the next write, and is forgotten again.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use keeper_proto::v1::{StatusReply, StatusRequest, cluster_client::ClusterClient};
use tokio::time::{self, Instant};

use crate::{
    Endpoint, Error,
    connection::{Aim, Backoff, Node, Nodes, Retry, nodes::Wanted},
    limits,
};

/// How long one node may take to say what it knows; it asks nobody for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs for as long as the client.
pub(crate) async fn scout(nodes: Arc<Nodes>) {
    let mut backoff = Backoff::new(nodes.random.clone());
    loop {
        match nodes.wanted().await {
            Wanted::Leader => look(&nodes).await,
            Wanted::Members(home) => ask_all(&nodes, vec![home]).await,
        };
        let found_at = nodes.leader().map(|_| Instant::now());
        // Also after success: a claim that proves false must not be believed in a tight circle.
        time::sleep(backoff.next(None)).await;
        nodes.wanted().await;
        if found_at.is_some_and(|at| at.elapsed() > limits::BACKOFF_MAX) {
            backoff.reset();
        }
    }
}

/// Whether anybody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nobody,
    Somebody,
}

/// Asks all nodes at once, and once more those that were learnt by it.
async fn look(nodes: &Nodes) -> Heard {
    let known = nodes.endpoints();
    let heard = ask_all(nodes, known.clone()).await;
    let learnt: Vec<_> = nodes.endpoints().into_iter().filter(|it| !known.contains(it)).collect();
    if nodes.leader().is_none() && !learnt.is_empty() {
        ask_all(nodes, learnt).await;
    }
    heard
}

/// Believes who says of itself that it leads, the highest term most, and within a term the highest number: a term may
/// have a second leader, and only a node of a higher number can follow in it. What followers say about a leader is not
/// believed: for as long as an election takes they name the dead one.
async fn ask_all(nodes: &Nodes, endpoints: Vec<Endpoint>) -> Heard {
    let mut answers: FuturesUnordered<_> = endpoints.into_iter().map(|endpoint| ask(nodes, endpoint)).collect();
    let mut heard = Heard::Nobody;
    let mut newest = (0, 0);
    while let Some(answer) = answers.next().await {
        let Some((node, status)) = answer else { continue };
        heard = Heard::Somebody;
        if status.term >= newest.0 {
            nodes.members(&members(&status));
        }
        // At once, not after the last answer: a dead node takes long to say nothing.
        let claimed = (status.term, status.node_id);
        if status.role == "leader" && claimed > newest {
            newest = claimed;
            nodes.leads(&node.endpoint);
            nodes.stay(node);
        }
    }
    heard
}

impl Nodes {
    /// Resolves when any node has answered.
    pub(crate) async fn greet(&self) -> Result<(), Error> {
        let deadline = Instant::now() + self.settings.operation_timeout;
        let mut backoff = Backoff::new(self.random.clone());
        while look(self).await == Heard::Nobody {
            let pause = backoff.next(None);
            if Instant::now() + pause >= deadline {
                // One more try by the ordinary way, for the sake of its error.
                let method = |channel, request| async move { ClusterClient::new(channel).status(request).await };
                return self.call("cluster status", Aim::Any, Retry::Never, StatusRequest {}, method).await.map(drop);
            }
            time::sleep(pause).await;
        }
        Ok(())
    }
}

async fn ask(nodes: &Nodes, endpoint: Endpoint) -> Option<(Node, StatusReply)> {
    let node = nodes.visit(endpoint).ok()?;
    let mut client = ClusterClient::new(node.channel.clone());
    let reply = time::timeout(PATIENCE, client.status(StatusRequest {})).await.ok()?.ok()?;
    Some((node, reply.into_inner()))
}

fn members(status: &StatusReply) -> Vec<Endpoint> {
    status.members.iter().filter_map(|it| Endpoint::parse(&it.client_endpoint).ok()).collect()
}
