//! A connection as its listener sees it: its place, its share of memory, and when it ends without being asked.
//!
//! It ends when it has to give way, and when nothing but silence comes on it: whoever connects has [`GREETING_MAX`] for
//! the first bytes. From then on it is for HTTP/2 to ask whether the other side lives.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::govern::{Connection, Connections, Memory, Share};
use crate::limits::GREETING_MAX;

/// The greeting of HTTP/2; of HTTP/1, any request that says something is longer.
const GREETING_BYTES: usize = 24;

/// Who is at the other end; every request on the connection carries it.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Its place.
    pub connection: Arc<Connection>,
    /// What is held for it.
    pub share: Share,
}

/// A connection that ends when it has to.
#[derive(Debug)]
pub struct Guarded<C> {
    io: C,
    guest: Guest,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Until so many bytes more have come.
    greeting: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<C: Connected> Guarded<C> {
    /// Lets a connection in.
    pub fn new(io: C, connections: &Arc<Connections>, memory: &Arc<Memory>) -> Self {
        let address = address(&io.connect_info());
        let connection = connections.enter(address);
        let cut = connection.cut();
        let share = memory.share(cut.clone());
        let greeting = Some((Box::pin(tokio::time::sleep(GREETING_MAX)), GREETING_BYTES));
        let guest = Guest { connection: Arc::new(connection), share };
        Self { io, guest, cut: Box::pin(cut.cancelled_owned()), greeting }
    }
}

/// Where the other end is, in a network that has addresses.
fn address(info: &dyn std::any::Any) -> Option<IpAddr> {
    info.downcast_ref::<TcpConnectInfo>()?.remote_addr().map(|it| it.ip())
}

impl<C> Guarded<C> {
    /// An error once the connection has to end; also wakes its task then.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection had to give way"));
        }
        let Some((deadline, _)) = &mut self.greeting else { return Ok(()) };
        if deadline.as_mut().poll(context).is_ready() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing was said on the connection"));
        }
        Ok(())
    }

    fn heard(&mut self, bytes: usize) {
        self.greeting = self.greeting.take().and_then(|(deadline, left)| Some((deadline, left.checked_sub(bytes)?)));
        if self.greeting.as_ref().is_some_and(|(_, left)| *left == 0) {
            self.greeting = None;
        }
    }
}

impl<C> Connected for Guarded<C> {
    type ConnectInfo = Guest;

    fn connect_info(&self) -> Guest {
        self.guest.clone()
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Guarded<C> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = to.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, to);
        self.heard(to.filled().len() - before);
        read
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Guarded<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
