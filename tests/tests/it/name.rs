//! A name that leads to a listener, and may lead to another one later, as in DNS: what is connected stays so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Its connections end with it.
pub(crate) struct Name {
    pub(crate) address: SocketAddr,
    leads_to: watch::Sender<SocketAddr>,
    counts: Arc<Counts>,
    _forwarding: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    ended: AtomicUsize,
}

impl Name {
    pub(crate) async fn leading_to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.4:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (leads_to, counts) = (watch::Sender::new(target), Arc::new(Counts::default()));
        let mut forwarding = JoinSet::new();
        forwarding.spawn(forward(listener, leads_to.subscribe(), Arc::clone(&counts)));
        Self { address, leads_to, counts, _forwarding: forwarding }
    }

    /// Whoever connects from now on gets there.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        self.leads_to.send_replace(target);
    }

    /// Connections that were ever made.
    pub(crate) fn made(&self) -> usize {
        self.counts.made.load(Ordering::SeqCst)
    }

    /// Connections there are.
    pub(crate) fn open(&self) -> usize {
        self.made() - self.counts.ended.load(Ordering::SeqCst)
    }
}

async fn forward(listener: TcpListener, leads_to: watch::Receiver<SocketAddr>, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        counts.made.fetch_add(1, Ordering::SeqCst);
        let (target, counts) = (*leads_to.borrow(), Arc::clone(&counts));
        connections.spawn(async move {
            if let Ok(mut far) = TcpStream::connect(target).await {
                // One side that breaks ends both.
                drop(copy_bidirectional(&mut near, &mut far).await);
            }
            counts.ended.fetch_add(1, Ordering::SeqCst);
        });
    }
}
