//! The network: connections between hosts, and what becomes of them.
//!
//! As TCP has it: bytes arrive in order or not at all, what a cut link swallows is sent again after it heals, an
//! acknowledgement needs the way back, a process that ends has its connections closed by its kernel, and a host that
//! lost its power says nothing until it is spoken to again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Waker;

use futures_util::future::BoxFuture;
use keeper::raft::{Connection, Dial};
use parking_lot::{Mutex, MutexGuard};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::link::{BrokenLink, Links};
use super::pipe::{Pipe, Segment};
use super::stream::SimStream;
use super::{HostId, Incoming, Trace};

/// How long a segment takes.
const LATENCY_MS: std::ops::RangeInclusive<u64> = 1..=3;

/// After how long what got no answer is sent again.
const RETRY_MS: std::ops::RangeInclusive<u64> = 50..=250;

/// The same for the beginning of a connection.
const SYN_RETRY_MS: u64 = 500;

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// All connections.
pub struct Net {
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    now_ms: u64,
    rng: StdRng,
    trace: Trace,
    links: Links,
    hosts: Vec<HostNet>,
    syns: Vec<Syn>,
    connections: BTreeMap<u64, Link>,
    next: u64,
    held: u64,
}

#[derive(Default)]
struct HostNet {
    /// Which life of the host; ends of an earlier one are unknown to it.
    boot: u64,
    is_dark: bool,
    listeners: BTreeMap<u16, Listener>,
}

#[derive(Default)]
struct Listener {
    queue: VecDeque<u64>,
    waker: Option<Waker>,
}

struct Syn {
    due_ms: u64,
    from: HostId,
    to: HostId,
    port: u16,
    boot: u64,
    answer: oneshot::Sender<io::Result<SimStream>>,
}

struct Link {
    /// Client to server, server to client.
    pipes: [Pipe; 2],
    /// The lives of the hosts that hold its ends; none: that end was let go of.
    ends: [Option<u64>; 2],
}

impl Side {
    const fn writes(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }

    const fn reads(self) -> usize {
        1 - self.writes()
    }
}

impl Net {
    pub(super) fn new(rng: StdRng, trace: Trace) -> Self {
        let inner = Inner {
            now_ms: 0,
            rng,
            trace,
            links: Links::default(),
            hosts: Vec::new(),
            syns: Vec::new(),
            connections: BTreeMap::new(),
            next: 0,
            held: 0,
        };
        Self { inner: Mutex::new(inner) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    pub(super) fn add_host(&self) {
        self.lock().hosts.push(HostNet::default());
    }

    /// A host begins another life.
    pub(super) fn boot(&self, host: HostId) {
        let mut inner = self.lock();
        let host = &mut inner.hosts[host.0];
        host.boot += 1;
        host.is_dark = false;
    }

    pub(super) fn cut_power(&self, host: HostId) {
        let mut inner = self.lock();
        let host = &mut inner.hosts[host.0];
        host.boot += 1;
        host.is_dark = true;
        host.listeners.clear();
    }

    /// Breaks a link in one direction.
    pub fn break_link(&self, link: BrokenLink) {
        let mut inner = self.lock();
        inner.trace.tell(inner.now_ms, format_args!("broken: {link:?}"));
        inner.links.break_one(link);
    }

    /// Mends what was broken.
    pub fn mend_link(&self, link: BrokenLink) {
        let mut inner = self.lock();
        inner.trace.tell(inner.now_ms, format_args!("mended: {link:?}"));
        inner.links.mend_one(link);
    }

    /// Segments held up by cut links or dark hosts so far.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.lock().held
    }

    /// Listens on a port of a host. Called by the process that runs on it.
    #[must_use]
    pub fn listen(self: &Arc<Self>, host: HostId, port: u16) -> Incoming {
        let mut inner = self.lock();
        let at = &mut inner.hosts[host.0];
        at.listeners.insert(port, Listener::default());
        Incoming { net: Arc::clone(self), host, boot: at.boot, port }
    }

    /// Connects from a host to `10.0.0.<host + 1>:<port>`.
    ///
    /// # Errors
    /// The address names no host, or nobody listens there.
    pub async fn connect(self: Arc<Self>, from: HostId, address: String) -> io::Result<SimStream> {
        let (to, port) = parse(&address).ok_or(io::ErrorKind::InvalidInput)?;
        let (answer, answered) = oneshot::channel();
        {
            let mut inner = self.lock();
            let due_ms = inner.now_ms + inner.latency_ms(from, to) + inner.latency_ms(to, from);
            let boot = inner.hosts[from.0].boot;
            inner.syns.push(Syn { due_ms, from, to, port, boot, answer });
        }
        answered.await.unwrap_or_else(|_| Err(io::ErrorKind::ConnectionAborted.into()))
    }

    pub(super) fn step(self: &Arc<Self>, now_ms: u64) {
        let mut inner = self.lock();
        inner.now_ms = now_ms;
        let told = inner.greet(self);
        inner.deliver();
        drop(inner);
        // Whoever gave up meanwhile lets go of the connection, which takes the lock.
        for (answer, result) in told {
            drop(answer.send(result));
        }
    }
}

impl Inner {
    fn latency_ms(&mut self, from: HostId, to: HostId) -> u64 {
        let extra_ms = self.links.extra_ms(from, to);
        let extra_ms = if extra_ms == 0 { 0 } else { self.rng.random_range(0..=extra_ms) };
        self.rng.random_range(LATENCY_MS) + extra_ms
    }

    /// Decides about connections whose time has come.
    fn greet(&mut self, net: &Arc<Net>) -> Vec<(oneshot::Sender<io::Result<SimStream>>, io::Result<SimStream>)> {
        let now_ms = self.now_ms;
        let mut told = Vec::new();
        for mut syn in std::mem::take(&mut self.syns) {
            let Syn { due_ms, from, to, .. } = syn;
            if syn.answer.is_closed() || self.hosts[from.0].boot != syn.boot {
                continue;
            }
            if due_ms > now_ms {
                self.syns.push(syn);
                continue;
            }
            if self.links.is_cut(from, to) || self.links.is_cut(to, from) || self.hosts[to.0].is_dark {
                self.held += 1;
                syn.due_ms = now_ms + SYN_RETRY_MS;
                self.syns.push(syn);
                continue;
            }
            let id = self.next;
            let HostNet { boot, listeners, .. } = &mut self.hosts[to.0];
            let Some(listener) = listeners.get_mut(&syn.port) else {
                told.push((syn.answer, Err(io::ErrorKind::ConnectionRefused.into())));
                continue;
            };
            listener.queue.push_back(id);
            if let Some(waker) = listener.waker.take() {
                waker.wake();
            }
            let ends = [Some(syn.boot), Some(*boot)];
            self.next += 1;
            self.connections.insert(id, Link { pipes: [Pipe::new(from, to), Pipe::new(to, from)], ends });
            self.trace.tell(now_ms, format_args!("connection {id}: {} to {}:{}", from.0, to.0, syn.port));
            told.push((syn.answer, Ok(SimStream::new(Arc::clone(net), id, Side::Client, syn.boot))));
        }
        told
    }

    fn deliver(&mut self) {
        let now_ms = self.now_ms;
        let mut gone = Vec::new();
        for (id, link) in &mut self.connections {
            let alive = link.ends.map(|end| end.is_some());
            for at in [0, 1] {
                let (from, to) = (link.pipes[at].from, link.pipes[at].to);
                // The way back must be open for the writer to learn what was read.
                if !self.links.is_cut(to, from) {
                    link.pipes[at].acknowledge();
                }
                if !link.pipes[at].is_due(now_ms) {
                    continue;
                }
                if self.links.is_cut(from, to) || self.hosts[to.0].is_dark {
                    self.held += 1;
                    link.pipes[at].postpone(now_ms + self.rng.random_range(RETRY_MS));
                    continue;
                }
                let is_known = link.ends[1 - at] == Some(self.hosts[to.0].boot);
                while let Some(segment) = link.pipes[at].arrived(now_ms) {
                    match segment {
                        Segment::Data(bytes) if is_known => {
                            link.pipes[at].take_in(bytes);
                            if let Some(reader) = link.pipes[at].reader.take() {
                                reader.wake();
                            }
                        }
                        Segment::Data(_) => {
                            let due_ms = now_ms + self.rng.random_range(LATENCY_MS);
                            link.pipes[1 - at].send(due_ms, Segment::Reset);
                            break;
                        }
                        Segment::Fin => {
                            link.pipes[at].is_finished = true;
                            link.pipes[at].wake();
                        }
                        Segment::Reset => {
                            link.pipes.iter_mut().for_each(Pipe::reset);
                            break;
                        }
                    }
                }
            }
            if alive == [false, false] && link.pipes.iter().all(Pipe::is_idle) {
                gone.push(*id);
            }
        }
        for id in gone {
            self.connections.remove(&id);
        }
    }

    /// The pipe an end reads, unless its host has begun another life.
    pub(super) fn reads(&mut self, id: u64, side: Side) -> Option<&mut Pipe> {
        self.connections.get_mut(&id).map(|link| &mut link.pipes[side.reads()])
    }

    /// The pipe an end writes.
    pub(super) fn writes(&mut self, id: u64, side: Side) -> Option<&mut Pipe> {
        self.connections.get_mut(&id).map(|link| &mut link.pipes[side.writes()])
    }

    pub(super) fn send(&mut self, id: u64, side: Side, segment: Segment) {
        let Some(link) = self.connections.get(&id) else { return };
        let Pipe { from, to, .. } = link.pipes[side.writes()];
        let due_ms = self.now_ms + self.latency_ms(from, to);
        let now_ms = self.now_ms;
        match &segment {
            Segment::Data(bytes) => {
                let (length, hash) = (bytes.len(), xxh3_64(bytes));
                self.trace.tell(now_ms, format_args!("{id} {side:?} sends {length} bytes, {hash:016x}"));
            }
            Segment::Fin | Segment::Reset => self.trace.tell(now_ms, format_args!("{id} {side:?} sends {segment:?}")),
        }
        if let Some(pipe) = self.writes(id, side) {
            pipe.send(due_ms, segment);
        }
    }

    /// An end is let go of by its process, or by the kernel for it.
    pub(super) fn let_go(&mut self, id: u64, side: Side, boot: u64) {
        let Some(link) = self.connections.get_mut(&id) else { return };
        let host = link.pipes[side.writes()].from;
        link.ends[side.writes()] = None;
        if self.hosts[host.0].boot != boot {
            // Its host lost power: nobody is left to say anything.
            return;
        }
        let (reads, writes) = (&link.pipes[side.reads()], &link.pipes[side.writes()]);
        if writes.is_reset {
            return;
        }
        let last = if reads.has_unread() { Segment::Reset } else { Segment::Fin };
        self.send(id, side, last);
    }

    /// Takes the next connection somebody made to a port.
    pub(super) fn accept(&mut self, host: HostId, port: u16, waker: &Waker) -> Option<u64> {
        let listener = self.hosts[host.0].listeners.get_mut(&port)?;
        let next = listener.queue.pop_front();
        if next.is_none() {
            listener.waker = Some(waker.clone());
        }
        next
    }

    pub(super) fn unlisten(&mut self, host: HostId, port: u16, boot: u64) {
        if self.hosts[host.0].boot != boot {
            return;
        }
        let queue = self.hosts[host.0].listeners.remove(&port).map(|it| it.queue).unwrap_or_default();
        for id in queue {
            self.let_go(id, Side::Server, boot);
        }
    }
}

fn parse(address: &str) -> Option<(HostId, u16)> {
    let (host, port) = address.strip_prefix("10.0.0.")?.split_once(':')?;
    let number: usize = host.parse().ok()?;
    Some((HostId(number.checked_sub(1)?), port.parse().ok()?))
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

/// How a node on a host reaches the others.
#[derive(Debug, Clone)]
pub struct SimDial {
    /// Through which network.
    pub net: Arc<Net>,
    /// From where.
    pub host: HostId,
}

impl Dial for SimDial {
    fn dial(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Connection>>> {
        let connecting = Arc::clone(&self.net).connect(self.host, address);
        Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn Connection>) })
    }
}
