//! Looks for the leader when nobody is known to lead: asks every node what it knows, so that one living node is enough.
//!
//! One task per client, however many callers wait. A node's claim is only a hint: a deposed leader that has not noticed
//! claims too, refuses the next write, and is forgotten again.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use keeper_proto::v1::{StatusReply, StatusRequest, cluster_client::ClusterClient};
use tokio::time::{self, Instant};

use crate::{
    Endpoint, Error,
    connection::{Aim, Backoff, Nodes, Retry},
};

/// How long one node may take to say what it knows; it asks nobody for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs for as long as the client.
pub(crate) async fn scout(nodes: Arc<Nodes>) {
    let mut backoff = Backoff::new(nodes.random.clone());
    loop {
        nodes.leaderless().await;
        look(&nodes).await;
        // Also after success: a claim that proves false must not be believed in a tight circle.
        time::sleep(backoff.next(None)).await;
        if nodes.leader().is_some() {
            backoff.reset();
        }
    }
}

/// Asks all nodes at once and believes the claim of the highest term. Whether anybody answered.
pub(crate) async fn look(nodes: &Nodes) -> Option<()> {
    let mut answers: FuturesUnordered<_> = nodes.endpoints().into_iter().map(|endpoint| ask(nodes, endpoint)).collect();
    let mut best: Option<(u64, Endpoint)> = None;
    let mut heard = None;
    while let Some(answer) = answers.next().await {
        let Some((endpoint, status)) = answer else { continue };
        heard = Some(());
        if let Some(leader) = claim(&endpoint, &status)
            && best.as_ref().is_none_or(|(term, _)| *term < status.term)
        {
            nodes.members(&members(&status));
            best = Some((status.term, leader));
        }
    }
    if let Some((_, leader)) = best {
        nodes.leads(&leader);
    }
    heard
}

impl Nodes {
    /// Resolves when any node has answered.
    pub(crate) async fn greet(&self) -> Result<(), Error> {
        let deadline = Instant::now() + self.settings.operation_timeout;
        let mut backoff = Backoff::new(self.random.clone());
        while look(self).await.is_none() {
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

async fn ask(nodes: &Nodes, endpoint: Endpoint) -> Option<(Endpoint, StatusReply)> {
    let node = nodes.pick(&Aim::At(endpoint)).ok()?;
    let mut client = ClusterClient::new(node.channel);
    let reply = time::timeout(PATIENCE, client.status(StatusRequest {})).await.ok()?.ok()?;
    Some((node.endpoint, reply.into_inner()))
}

/// Whom this node takes for the leader.
fn claim(endpoint: &Endpoint, status: &StatusReply) -> Option<Endpoint> {
    if status.role == "leader" {
        return Some(endpoint.clone());
    }
    let leader = status.members.iter().find(|it| it.node_id == status.leader_id && status.leader_id != 0)?;
    Endpoint::parse(&leader.client_endpoint).ok()
}

fn members(status: &StatusReply) -> Vec<Endpoint> {
    status.members.iter().filter_map(|it| Endpoint::parse(&it.client_endpoint).ok()).collect()
}
