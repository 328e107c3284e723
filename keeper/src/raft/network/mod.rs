//! The client side of what nodes say to each other.
//!
//! [`Network`] gives openraft one [`PeerNetwork`] per peer and purpose. Deadlines are openraft's own for single calls;
//! a stream has a watchdog on silence instead, because openraft sets it none.

mod acknowledged;
mod append_stream;
mod dial;
mod lane;
mod peer_network;
mod peers;
mod snapshot_sender;
mod witness;

use std::sync::Arc;

use openraft::RaftNetworkFactory;
use openraft::errors::{NetworkError, RPCError, Unreachable};
use tokio::sync::Semaphore;

pub(super) use acknowledged::Acknowledged;
pub use dial::{Connection, Dial, TcpDial};
pub(super) use peer_network::PeerNetwork;
pub(super) use peers::{CallError, Class, Peer, Peers};

use super::offload::Offload;
use super::type_config::{Member, TypeConfig};

/// Makes a [`PeerNetwork`] for whatever openraft wants to say.
#[derive(Debug, Clone)]
pub(super) struct Network {
    peers: Arc<Peers>,
    acknowledged: Arc<Acknowledged>,
    offload: Offload,
    /// One outgoing snapshot a node: a second would halve the speed of the first.
    sending: Arc<Semaphore>,
}

impl Network {
    pub(super) fn new(peers: Arc<Peers>, acknowledged: Arc<Acknowledged>, offload: Offload) -> Self {
        Self { peers, acknowledged, offload, sending: Arc::new(Semaphore::new(1)) }
    }

    fn network(&self, class: Class, target: u64, node: &Member) -> PeerNetwork {
        let peer = self.peers.peer(class, target, node);
        PeerNetwork::new(peer, class, Arc::clone(&self.acknowledged), self.offload, Arc::clone(&self.sending))
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = PeerNetwork;

    async fn new_client(&mut self, target: u64, node: &Member) -> PeerNetwork {
        self.network(Class::Log, target, node)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Member) -> PeerNetwork {
        self.network(Class::Control, target, node)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Member) -> PeerNetwork {
        self.network(Class::Snapshot, target, node)
    }
}

/// openraft waits before it tries an unreachable peer again, and tries at once after any other failure.
fn rpc_error(error: CallError) -> RPCError<TypeConfig> {
    match error {
        CallError::Unreachable { .. }
        | CallError::Refused { .. }
        | CallError::Malformed { .. }
        | CallError::TookBack { .. } => RPCError::Unreachable(Unreachable::from_string(error)),
        CallError::Silent { .. } => RPCError::Network(NetworkError::from_string(error)),
    }
}
