//! Packets that are late, lost and out of order: the kernel hands them to this process, which takes its time.
//!
//! A thread stands at the router (its network namespace is its own) and holds each packet for a time of its own, so
//! that some overtake others. When it ends, the rule that sends packets there goes first, and what is held passes.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    sync::{
        atomic::{AtomicU16, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nfq::{Message, Queue, Verdict};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::lasting;
use crate::{
    command,
    network::{self, Routed},
    world::World,
};

/// The next queue. A number is not used again: a node that was started meanwhile has inherited the socket of the old
/// one, and the kernel gives a queue to one socket alone.
static NEXT_QUEUE: AtomicU16 = AtomicU16::new(1);

/// Packets in the kernel's queue; beyond it they pass unhurt.
const QUEUE_PACKETS_MAX: u32 = 65_535;

/// How long the thread waits for the next packet before it looks at those it holds.
const POLL: Duration = Duration::from_micros(300);

/// What happens to packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    delay: Duration,
    /// More or less of it, for each packet.
    jitter: Duration,
    /// Share that is lost.
    loss: f64,
}

/// Packets are in trouble for as long as this lives.
pub(crate) struct Packets {
    router: String,
    number: u16,
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let weather = Weather {
        delay: Duration::from_millis(random.random_range(5..80)),
        jitter: Duration::from_millis(random.random_range(0..60)),
        loss: f64::from(random.random_range(0..8_u8)) / 100.0,
    };
    let routed = world.network.routed_only().context("packets need namespaces")?;
    let packets = Packets::begin(routed, weather, random.random())?;
    *world.packets.lock() = Some(packets);
    world.history.fault("packets", "all", json!(format!("{weather:?}")))?;
    world.rest(lasting(random)).await;
    drop(world.packets.lock().take());
    world.history.fault("calm", "all", json!(null))
}

/// Whether the kernel hands packets over at all.
pub(crate) fn probe(routed: &Routed) -> Result<()> {
    let weather = Weather { delay: Duration::ZERO, jitter: Duration::ZERO, loss: 0.0 };
    Packets::begin(routed, weather, 0).map(drop)
}

impl Packets {
    fn begin(routed: &Routed, weather: Weather, seed: u64) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (began, has_begun) = mpsc::channel();
        let router = routed.router();
        let number = NEXT_QUEUE.fetch_add(1, Ordering::Relaxed);
        let work = move || match open(&router, number) {
            Ok(queue) => {
                drop(began.send(Ok(())));
                let random = StdRng::seed_from_u64(seed);
                Holder { queue, weather, random, held: BTreeMap::new(), count: 0 }.run(&stopped);
            }
            Err(error) => drop(began.send(Err(error))),
        };
        let thread = thread::Builder::new().name("packets".to_owned()).spawn(work)?;
        has_begun.recv().context("the thread for packets died")?.context("NFQUEUE does not work")?;
        let packets = Self { router: routed.router(), number, stop, thread: Some(thread) };
        packets.rule("-A").context("packets cannot be queued")?;
        Ok(packets)
    }

    fn rule(&self, action: &str) -> Result<()> {
        let namespace = format!("--net=/run/netns/{}", self.router);
        let number = self.number.to_string();
        let prefix = [namespace.as_str(), "--", "iptables-legacy", "-w", action, "FORWARD", "-j", "NFQUEUE"];
        command::run("nsenter", &[&prefix[..], &["--queue-num", &number, "--queue-bypass"]].concat()).map(drop)
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        // First no packet comes any more, then those held pass.
        drop(self.rule("-D"));
        // A thread that is gone already has stopped.
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Brings this thread to the router, and opens the queue there.
fn open(router: &str, number: u16) -> Result<Queue> {
    network::enter(router)?;
    let mut queue = Queue::open()?;
    queue.bind(number)?;
    queue.set_queue_max_len(number, QUEUE_PACKETS_MAX)?;
    queue.set_nonblocking(true);
    Ok(queue)
}

struct Holder {
    queue: Queue,
    weather: Weather,
    random: StdRng,
    /// By when each may pass; a number keeps apart those of one moment.
    held: BTreeMap<(Instant, u64), Message>,
    count: u64,
}

impl Holder {
    fn run(mut self, stopped: &mpsc::Receiver<()>) {
        while stopped.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
            if self.take().is_err() || self.release(Instant::now()).is_err() {
                return;
            }
        }
        for message in std::mem::take(&mut self.held).into_values() {
            drop(self.pass(message, Verdict::Accept));
        }
    }

    fn take(&mut self) -> std::io::Result<()> {
        loop {
            match self.queue.recv() {
                Ok(message) if self.random.random_bool(self.weather.loss) => self.pass(message, Verdict::Drop)?,
                Ok(message) => {
                    let spread = 2 * u64::try_from(self.weather.jitter.as_micros()).unwrap_or_default();
                    let more = Duration::from_micros(self.random.random_range(0..=spread));
                    let wait = (self.weather.delay + more).saturating_sub(self.weather.jitter);
                    self.count += 1;
                    self.held.insert((Instant::now() + wait, self.count), message);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn release(&mut self, now: Instant) -> std::io::Result<()> {
        while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().0 <= now) {
            let message = entry.remove();
            self.pass(message, Verdict::Accept)?;
        }
        Ok(())
    }

    fn pass(&mut self, mut message: Message, verdict: Verdict) -> std::io::Result<()> {
        message.set_verdict(verdict);
        self.queue.verdict(message)
    }
}
