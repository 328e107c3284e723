//! How a connection to another node is made: real TCP, or whatever a simulation has in its place.

use std::fmt::Debug;
use std::io;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection, as far as HTTP/2 needs it.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection for T {}

/// Makes connections.
pub trait Dial: Debug + Send + Sync + 'static {
    /// Connects to `host:port`.
    fn dial(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Connection>>>;
}

/// Plain TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn dial(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Connection>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // Answers are a few bytes; Nagle's algorithm would hold them back for the other side's acknowledgement.
            stream.set_nodelay(true)?;
            let connection: Box<dyn Connection> = Box::new(stream);
            Ok(connection)
        })
    }
}
