//! A world in which everything happens in an order that one seed decides: hosts, the network between them, clocks.
//!
//! Each host has a tokio runtime of its own, single-threaded and with paused time; nothing in it waits for the real
//! clock. The world moves in steps of [`STEP_MS`]: the network delivers what is due, then every host runs until it has
//! nothing more to do in that step, in an order drawn anew each time. One thread does it all.
//!
//! It is not built on turmoil, which cannot do what matters most here: stop a process and let it go on as if nothing
//! had happened, let one host's clock run faster than another's, cut the power so that no connection is closed, or
//! deliver after a partition what TCP would have sent again.

mod clock;
mod host;
mod link;
mod listener;
mod net;
mod pipe;
mod stream;
mod system_clock;
mod trace;

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

pub use clock::SimClock;
pub use host::{Host, HostId};
pub use link::{BrokenLink, LinkFault};
pub use listener::Incoming;
pub use net::{Net, SimDial};
pub use stream::SimStream;
pub use trace::Trace;

/// How far the world moves at once.
pub const STEP_MS: u64 = 1;

/// When the world begins, in Unix milliseconds.
const EPOCH_MS: u64 = 1_900_000_000_000;

/// Everything there is.
pub struct World {
    now_ms: u64,
    net: Arc<Net>,
    trace: Trace,
    rng: StdRng,
    hosts: Vec<Host>,
    order: Vec<usize>,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, trace: Trace) -> Self {
        system_clock::set(EPOCH_MS);
        let mut rng = StdRng::seed_from_u64(seed);
        let net = Arc::new(Net::new(StdRng::seed_from_u64(rng.random()), trace.clone()));
        Self { now_ms: 0, net, trace, rng, hosts: Vec::new(), order: Vec::new() }
    }

    /// Adds a host; nothing runs on it yet.
    pub fn add_host(&mut self, name: impl Into<String>) -> HostId {
        let id = HostId(self.hosts.len());
        self.net.add_host();
        self.hosts.push(Host::new(id, name.into()));
        self.order.push(id.0);
        id
    }

    /// Time since the beginning.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The network.
    #[must_use]
    pub const fn net(&self) -> &Arc<Net> {
        &self.net
    }

    /// What happens is written here.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// A host.
    #[must_use]
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0]
    }

    /// Chance, for whoever decides what happens next.
    pub const fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// Starts a process on a host that runs none.
    pub fn start(&mut self, id: HostId, process: impl Future<Output = ()> + Send + 'static) {
        self.net.boot(id);
        let seed = self.rng.random();
        self.hosts[id.0].start(seed, process);
        self.trace.tell(self.now_ms, format_args!("{} starts", self.hosts[id.0].name()));
    }

    /// Ends a process; the host's kernel closes its connections.
    pub fn kill(&mut self, id: HostId) {
        self.trace.tell(self.now_ms, format_args!("{} is killed", self.hosts[id.0].name()));
        self.hosts[id.0].end();
    }

    /// Takes a host's power away: nobody is told.
    pub fn cut_power(&mut self, id: HostId) {
        self.trace.tell(self.now_ms, format_args!("{} loses power", self.hosts[id.0].name()));
        self.net.cut_power(id);
        self.hosts[id.0].end();
    }

    /// Stops a process where it stands; its host still takes what arrives.
    pub fn pause(&mut self, id: HostId) {
        self.trace.tell(self.now_ms, format_args!("{} is paused", self.hosts[id.0].name()));
        self.hosts[id.0].pause();
    }

    /// Lets a paused process go on; its clock has gone on without it.
    pub fn resume(&mut self, id: HostId) {
        self.trace.tell(self.now_ms, format_args!("{} goes on", self.hosts[id.0].name()));
        self.hosts[id.0].resume();
    }

    /// Lets a host's monotonic clock run fast, or slow.
    pub fn drift(&mut self, id: HostId, ppm: i32) {
        self.trace.tell(self.now_ms, format_args!("{} drifts by {ppm} ppm", self.hosts[id.0].name()));
        self.hosts[id.0].drift(ppm);
    }

    /// One step.
    pub fn step(&mut self) {
        self.now_ms += STEP_MS;
        system_clock::set(EPOCH_MS + self.now_ms);
        self.net.step(self.now_ms);
        self.order.shuffle(&mut self.rng);
        for at in &self.order {
            let host = &mut self.hosts[*at];
            if host.step(STEP_MS) {
                self.trace.tell(self.now_ms, format_args!("the process of {} ended", host.name()));
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            host.end();
        }
    }
}
