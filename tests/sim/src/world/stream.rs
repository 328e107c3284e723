//! One end of a connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::net::{Net, Side};
use super::pipe::Segment;

/// Bytes to and from the other end.
#[derive(Debug)]
pub struct SimStream {
    net: Arc<Net>,
    id: u64,
    side: Side,
    boot: u64,
    has_finished: bool,
}

impl SimStream {
    pub(super) const fn new(net: Arc<Net>, id: u64, side: Side, boot: u64) -> Self {
        Self { net, id, side, boot, has_finished: false }
    }
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut net = self.net.lock();
        let Some(pipe) = net.reads(self.id, self.side) else { return Poll::Ready(Err(reset())) };
        if pipe.is_reset {
            return Poll::Ready(Err(reset()));
        }
        if let Some(bytes) = pipe.read(into.remaining()) {
            into.put_slice(&bytes);
            return Poll::Ready(Ok(()));
        }
        if pipe.is_finished {
            return Poll::Ready(Ok(()));
        }
        pipe.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.has_finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut net = self.net.lock();
        let Some(pipe) = net.writes(self.id, self.side) else { return Poll::Ready(Err(reset())) };
        if pipe.is_reset {
            return Poll::Ready(Err(reset()));
        }
        let length = bytes.len().min(pipe.room());
        if length == 0 && !bytes.is_empty() {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        net.send(self.id, self.side, Segment::Data(Bytes::copy_from_slice(&bytes[..length])));
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_finished {
            self.has_finished = true;
            self.net.lock().send(self.id, self.side, Segment::Fin);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.net.lock().let_go(self.id, self.side, self.boot);
    }
}

impl Connected for SimStream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}
