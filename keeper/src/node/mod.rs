//! A node put together: the one place that opens the store, binds the listeners and spawns tasks.
//!
//! **Tasks.** Each has a name and an owner, [`tasks::Tasks`]. A task that ends before it was told to is a failure of
//! the node: [`Node::stopped`] says which and why, and the process ends.
//!
//! **Shutdown has an order**: watches and streams first, so that clients go elsewhere; then rpc; then leases and the
//! proposer, which answer what is under way; then Raft; the store last.
//!
//! **Two runtimes.** Raft and the traffic between nodes run on their own, so that a storm of client requests delays no
//! heartbeat. Both come as arguments, with the dialer, the log engine and the listeners: the simulation passes one
//! single-threaded runtime and its own network and disk, and everything in between is the same code.

mod admin;
mod documents;
mod doors;
mod gauges;
mod listeners;
mod misplaced;
mod restore;
mod secrets;
mod start;
mod tasks;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

pub use listeners::{Accepted, Listeners};
pub use misplaced::misplaced;
pub use restore::restore;
pub use secrets::{KeysError, check_keys};
pub use start::{Failure, Parts, Runtimes, StartError, hooks};

use crate::node::tasks::Tasks;
use crate::raft::RaftHandle;
use crate::replica::Replica;

/// Where a node listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// `keeper.v1`.
    pub client: SocketAddr,
    /// `keeper.peer.v1`.
    pub peer: SocketAddr,
    /// Metrics and health.
    pub http: SocketAddr,
}

/// A running node. Dropping it ends its tasks without order; [`Node::shutdown`] is the way to stop it.
#[derive(Debug)]
pub struct Node {
    addresses: Addresses,
    raft: RaftHandle,
    replica: Arc<Replica>,
    /// Watches and streams of clients.
    streams: Tasks,
    /// Leases, the proposer and upkeep.
    services: Tasks,
    /// Raft and its peers.
    consensus: Tasks,
    failure: watch::Receiver<Option<Failure>>,
}

impl Node {
    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Consensus on this node, for tests and tools in the same process.
    #[must_use]
    pub const fn raft(&self) -> &RaftHandle {
        &self.raft
    }

    /// The state on this node, as [`raft`](Self::raft).
    #[must_use]
    pub const fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    /// Waits until this node cannot go on, and says why.
    pub async fn stopped(&self) -> Failure {
        let mut failure = self.failure.clone();
        let failed = failure.wait_for(Option::is_some).await;
        match failed.ok().and_then(|failure| failure.clone()) {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Stops in order: streams, rpc, leases, Raft, store.
    pub async fn shutdown(self) {
        self.streams.stop().await;
        self.services.stop().await;
        // Told first: Raft's tasks end with it, and that is no failure.
        self.consensus.stopping().cancel();
        self.raft.shutdown().await;
        self.consensus.stop().await;
        tracing::info!("the node has stopped");
    }
}
