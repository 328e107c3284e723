//! Where a node's connections come from: ports of this machine, or a simulated network.

use std::io;

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tonic::transport::server::{Connected, TcpIncoming};

use crate::node::{Addresses, StartError};
use crate::settings::Settings;

/// Connections as they are made.
pub trait Accepted: Stream<Item = io::Result<Self::Connection>> + Send + 'static {
    /// One of them.
    type Connection: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static;
}

impl<C, S> Accepted for S
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    S: Stream<Item = io::Result<C>> + Send + 'static,
{
    type Connection = C;
}

/// All listeners of a node.
#[derive(Debug)]
pub struct Listeners<S> {
    /// Where they listen.
    pub addresses: Addresses,
    /// From clients.
    pub client: S,
    /// From other nodes.
    pub peer: S,
    /// Metrics and health; none where nobody looks.
    pub http: Option<TcpListener>,
}

impl Listeners<TcpIncoming> {
    /// Ports of this machine.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let listen = settings.listen;
        let bind = async |key, address| {
            let bound = async {
                let listener = TcpListener::bind(address).await?;
                let bound = listener.local_addr()?;
                Ok((listener, bound))
            };
            bound.await.map_err(|source| StartError::Listen { key, address, source })
        };
        let (client, at_client) = bind("listen.client", listen.client).await?;
        let (peer, at_peer) = bind("listen.peer", listen.peer).await?;
        let (http, at_http) = bind("listen.http", listen.http).await?;
        let accepted = |listener| TcpIncoming::from(listener).with_nodelay(Some(true));
        Ok(Self {
            addresses: Addresses { client: at_client, peer: at_peer, http: at_http },
            client: accepted(client),
            peer: accepted(peer),
            http: Some(http),
        })
    }
}
