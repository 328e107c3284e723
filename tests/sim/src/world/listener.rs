//! A port of a host.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::HostId;
use super::net::{Net, Side};
use super::stream::SimStream;

/// Connections made to a port; it closes when this is dropped.
#[derive(Debug)]
pub struct Incoming {
    pub(super) net: Arc<Net>,
    pub(super) host: HostId,
    pub(super) boot: u64,
    pub(super) port: u16,
}

impl Stream for Incoming {
    type Item = io::Result<SimStream>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = self.net.lock().accept(self.host, self.port, context.waker());
        match accepted {
            Some(id) => Poll::Ready(Some(Ok(SimStream::new(Arc::clone(&self.net), id, Side::Server, self.boot)))),
            None => Poll::Pending,
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.net.lock().unlisten(self.host, self.port, self.boot);
    }
}
