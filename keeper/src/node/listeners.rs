//! Where a node's connections come from: ports of this machine, or a simulated network.

use std::io;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tonic::transport::server::Connected;

use crate::clock;
use crate::limits::ACCEPT_PAUSE;
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

impl Listeners<BoxStream<'static, io::Result<TcpStream>>> {
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
        Ok(Self {
            addresses: Addresses { client: at_client, peer: at_peer, http: at_http },
            client: accept(client),
            peer: accept(peer),
            http: Some(http),
        })
    }
}

/// How often it is said that connections cannot be accepted.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Connections to a port. A process that has no files left for them tries again after a pause: it has better to do than
/// to be told so at once.
fn accept(listener: TcpListener) -> BoxStream<'static, io::Result<TcpStream>> {
    let accepting = stream::unfold((listener, None), |(listener, mut told_at): (_, Option<Instant>)| async move {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => {
                    // A connection that is gone already says so when it is read.
                    let set = connection.set_nodelay(true);
                    return Some((set.map(|()| connection), (listener, told_at)));
                }
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    let now = clock::now();
                    if told_at.is_none_or(|told_at| now.duration_since(told_at) >= TOLD_EVERY) {
                        told_at = Some(now);
                        tracing::warn!(%error, "connections cannot be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    accepting.boxed()
}

/// Whether an error says that the connection is gone, and nothing about the listener.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
