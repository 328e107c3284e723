//! The doors of a node: how many may come in by each listener, and how many files that leaves.
//!
//! Each connection is a file, and a node without files cannot write its log. So client connections are bounded by what
//! the process may open, less what the node itself needs and what the other listeners may take; the log of the start
//! says so where it is less than the settings ask for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt};
use rustix::process::{Resource, getrlimit};
use tonic::transport::server::Connected;

use crate::govern::{ConnectionLimits, Connections, Guarded, Memory, MemoryLimits, Welcome};
use crate::limits;
use crate::metrics::{Gatekeeper, Listener, Metrics};
use crate::settings::Limits;

/// How often the memory for clients is looked at.
const RELIEVE_INTERVAL: Duration = Duration::from_secs(1);

/// All that a node bounds about its connections.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) clients: Door,
    pub(super) peers: Door,
    pub(super) http: Door,
}

/// What one listener bounds.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) connections: Arc<Connections>,
    pub(super) memory: Arc<Memory>,
}

impl Doors {
    pub(super) fn new(limits: &Limits, metrics: &Metrics) -> Self {
        let level = |listener| metrics.connections.of(listener).clone();
        let refused = || metrics.refused.of(Gatekeeper::Memory).clone();
        let answer_bytes_max = limits::MESSAGE_BYTES_MAX;
        let (bytes_max, share_bytes_max) = (limits.client_bytes_max, limits.connection_bytes_max);
        let bytes = MemoryLimits { bytes_max, share_bytes_max, answer_bytes_max };
        let clients = ConnectionLimits {
            places_max: client_places(limits.connections_max, getrlimit(Resource::Nofile).current),
            address_max: limits.address_connections_max,
            spare_max: limits::SPARE_CONNECTIONS_MAX,
        };
        let peers = ConnectionLimits {
            places_max: limits::PEER_CONNECTIONS_MAX,
            address_max: limits::PEER_CONNECTIONS_MAX,
            spare_max: limits::PEER_STRANGERS_MAX,
        };
        let http = ConnectionLimits { places_max: 0, address_max: 0, spare_max: limits::HTTP_CONNECTIONS_MAX };
        let of_peers = MemoryLimits {
            bytes_max: limits::STRANGER_BYTES_MAX,
            share_bytes_max: limits::PEER_CONNECTION_BYTES_MAX,
            answer_bytes_max,
        };
        let within = Memory::new(of_peers, Default::default(), refused());
        Self {
            clients: Door {
                connections: Connections::new(clients, Welcome::AtOnce, level(Listener::Client)),
                memory: Memory::new(bytes, metrics.client_bytes.clone(), refused()),
            },
            peers: Door {
                connections: Connections::new(peers, Welcome::OnProof, level(Listener::Peer)),
                memory: Arc::clone(&within),
            },
            http: Door { connections: Connections::new(http, Welcome::OnProof, level(Listener::Http)), memory: within },
        }
    }
}

impl Door {
    /// Connections as they come, each in its place.
    pub(super) fn guard<C, E, S>(&self, incoming: S) -> impl Stream<Item = Result<Guarded<C>, E>> + use<C, E, S>
    where
        C: Connected,
        S: Stream<Item = Result<C, E>>,
    {
        let door = self.clone();
        incoming.map_ok(move |io| Guarded::new(io, &door.connections, &door.memory))
    }

    /// Cuts off whoever keeps the memory full, until told to stop.
    pub(super) fn relieve<S: Future<Output = ()>>(&self, stop: S) -> impl Future<Output = ()> + use<S> {
        let memory = Arc::clone(&self.memory);
        async move {
            let mut stop = std::pin::pin!(stop);
            loop {
                tokio::select! {
                    () = &mut stop => return,
                    () = tokio::time::sleep(RELIEVE_INTERVAL) => memory.relieve(),
                }
            }
        }
    }
}

/// How many places there are for clients, when so many files may be open.
fn client_places(wanted: usize, files: Option<u64>) -> usize {
    let Some(files) = files.and_then(|files| usize::try_from(files).ok()) else { return wanted };
    let others = limits::PEER_CONNECTIONS_MAX + limits::PEER_STRANGERS_MAX + limits::HTTP_CONNECTIONS_MAX;
    let needed = limits::NODE_FILES + limits::SPARE_CONNECTIONS_MAX + others;
    // What the node needs is what it needs at the most: of very few files, clients get a part all the same.
    let places = wanted.min(files.saturating_sub(needed)).max(files / 8).max(1);
    if places < wanted {
        tracing::warn!(
            files,
            places,
            wanted,
            "the limit of open files allows fewer client connections than limits.connections_max"
        );
    }
    places.min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_the_node_can_do_without() {
        assert_eq!(client_places(16_384, None), 16_384);
        assert_eq!(client_places(16_384, Some(1 << 20)), 16_384);
        assert_eq!(client_places(16_384, Some(1_024)), 1_024 - 544);
        assert_eq!(client_places(16_384, Some(256)), 32, "an eighth of very few");
        assert_eq!(client_places(10, Some(256)), 10);
    }
}
