//! What a session costs: `cargo run -p keeper-registry --release --example footprint -- 1000000`.
//!
//! Times are of this thread on the processor, so that what else the machine does counts less.
//!
//! Loads sessions with 16-byte users, 8-byte connections and one topic, as ten gateways would, and prints memory and
//! times. Then measures what the state must do beside it: re-registers, a snapshot, writes while it is held, a
//! gateway's death and its sweeps.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use keeper_registry::{
    Command, Frame, Frozen, Incarnation, LogTime, OpenInstance, Outcome, PresenceLimits, PresenceWhat, Register, Reply,
    Revision, SessionFilter, SessionKey, SessionOperation, Stamp, State, StateId, Thawing,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const GATEWAYS: u64 = 10;
const FRAME: u64 = 256;
const STATE: StateId = StateId(7);

fn main() -> Result<()> {
    let sessions: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let mut bench = Bench::new()?;
    let before = rss_bytes()?;
    let (mean, worst) = bench.register_all(sessions, 0)?;
    let loaded = rss_bytes()?;
    println!("sessions            {}", bench.state.sessions_live());
    println!("bytes per session   {:.1}", (loaded - before) as f64 / sessions as f64);
    println!("register, new       {mean:?} mean, frame of {FRAME} at worst {worst:?}");

    let (mean, worst) = bench.register_all(sessions, 1)?;
    println!("register, same      {mean:?} mean, frame of {FRAME} at worst {worst:?}");
    let (mean, worst) = bench.register_all(sessions / 4, 0x5555)?;
    println!("register, displaces {mean:?} mean, frame of {FRAME} at worst {worst:?}");
    println!("bytes per session   {:.1} after re-registers", (rss_bytes()? - before) as f64 / sessions as f64);

    bench.lookups(sessions)?;
    let frozen = bench.freeze();
    let (mean, worst) = bench.register_all(sessions / 10, 1)?;
    println!("register, frozen    {mean:?} mean, frame of {FRAME} at worst {worst:?}");
    println!("bytes per session   {:.1} with the snapshot held", (rss_bytes()? - before) as f64 / sessions as f64);
    drop(frozen);
    bench.walk();
    bench.rebuild()?;
    bench.sweep()?;
    bench.presence();
    Ok(())
}

struct Bench {
    state: State,
    revision: u64,
    gateways: Vec<(Incarnation, u64)>,
}

impl Bench {
    fn new() -> Result<Self> {
        let mut bench = Self { state: State::new(PresenceLimits::default()), revision: 0, gateways: Vec::new() };
        bench.apply(Command::Found(STATE));
        for gateway in 0..GATEWAYS {
            let open = OpenInstance {
                service: "room".to_owned(),
                id: format!("room-{gateway}"),
                endpoints: vec![format!("ws://10.0.0.{gateway}:7000")],
                zone: String::new(),
                weight: 1,
                labels: Vec::new(),
                version: "1.0.0".to_owned(),
                ttl_ms: 10_000,
                former_state: None,
                flush_total: 0,
                request: None,
            };
            let Ok(Reply::Opened { incarnation }) = bench.apply(Command::OpenInstance(open)).reply else {
                anyhow::bail!("an instance was refused");
            };
            bench.gateways.push((incarnation, 0));
        }
        Ok(bench)
    }

    fn apply(&mut self, command: Command) -> Outcome {
        self.revision += 1;
        let at = Stamp { revision: Revision(self.revision), time: LogTime(self.revision) };
        self.state.apply(at, &command)
    }

    /// Registers users 0..n, user i at gateway i + shift. Returns the mean time of one and the worst of a frame.
    fn register_all(&mut self, sessions: u64, shift: u64) -> Result<(Duration, Duration)> {
        let (mut total, mut worst) = (Duration::ZERO, Duration::ZERO);
        for first in (0..sessions).step_by(FRAME as usize) {
            let gateway = ((first / FRAME + shift) % GATEWAYS) as usize;
            let operations = (first..(first + FRAME).min(sessions)).map(|user| register(user, shift)).collect();
            let (incarnation, sequence) = &mut self.gateways[gateway];
            *sequence += 1;
            let (incarnation, sequence, confirmed, flush_remaining) = (*incarnation, *sequence, None, None);
            let frame = Frame { incarnation, sequence, state: STATE, operations, confirmed, flush_remaining };
            let start = cpu_time();
            let outcome = self.apply(Command::Frame(frame));
            let took = cpu_time() - start;
            ensure!(outcome.reply.is_ok(), "a frame was refused: {:?}", outcome.reply);
            total += took;
            worst = worst.max(took);
        }
        Ok((total / sessions.max(1) as u32, worst))
    }

    fn lookups(&self, sessions: u64) -> Result<()> {
        let start = cpu_time();
        let mut found = 0;
        for user in (0..sessions).map(|number| name(number * 7_919 % sessions)) {
            found += u64::from(self.state.session(&user, b"").is_some());
        }
        ensure!(found == sessions, "{found} of {sessions} were found");
        println!("lookup, one by one  {:?} mean", (cpu_time() - start) / sessions as u32);
        let start = cpu_time();
        for first in (0..sessions).step_by(256) {
            let users: Vec<_> =
                (first..sessions.min(first + 256)).map(|number| name(number * 7_919 % sessions)).collect();
            self.state.warm(users.iter().map(<[u8; 16]>::as_slice));
            found -= users.iter().filter(|user| self.state.session(*user, b"").is_some()).count() as u64;
        }
        ensure!(found == 0, "{found} were not found again");
        println!("lookup, in batches  {:?} mean", (cpu_time() - start) / sessions as u32);
        Ok(())
    }

    fn freeze(&self) -> Frozen {
        let start = cpu_time();
        let frozen = self.state.freeze();
        println!("freeze              {:?}", (cpu_time() - start));
        frozen
    }

    fn walk(&self) {
        let start = cpu_time();
        let (mut found, mut after) = (0_u64, None);
        loop {
            let page = self.state.sessions_page(after.as_ref(), 1_000, &SessionFilter::default());
            found += page.sessions.len() as u64;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        println!("walk                {found} in {:?}", (cpu_time() - start));
    }

    fn rebuild(&self) -> Result<()> {
        let start = cpu_time();
        let mut thawing = Thawing::new(PresenceLimits::default());
        self.state.freeze().visit(|record| thawing.push(record))?;
        let state = thawing.finish()?;
        println!("freeze and thaw     {:?}", (cpu_time() - start));
        ensure!(state.hash() == self.state.hash(), "the rebuilt state differs");
        Ok(())
    }

    fn sweep(&mut self) -> Result<()> {
        let (incarnation, _) = *self.gateways.last().context("no gateway")?;
        let rows = self.state.sessions_of_instance(incarnation);
        let start = cpu_time();
        self.apply(Command::Expire(incarnation));
        println!("expire              {:?} with {rows} sessions", (cpu_time() - start));
        let (mut total, mut worst) = (Duration::ZERO, Duration::ZERO);
        while self.state.next_sweep().is_some_and(|due| due <= self.state.time()) {
            let start = cpu_time();
            self.apply(Command::Sweep);
            let took = cpu_time() - start;
            total += took;
            worst = worst.max(took);
        }
        println!("sweep               {total:?} in all, a slice at worst {worst:?}");
        Ok(())
    }

    fn presence(&self) {
        let ring = self.state.presence();
        println!("presence            {} facts in {} bytes", ring.facts(), ring.bytes());
        let start = cpu_time();
        let slice = ring.read_all();
        let shared = cpu_time() - start;
        let online = slice.iter().filter(|fact| matches!(fact.what, PresenceWhat::Online)).count();
        println!("presence, read      {shared:?} under the lock, {:?} outside, {online} online", cpu_time() - start);
    }
}

/// Scattered, like real user ids.
fn name(number: u64) -> [u8; 16] {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut name = [0; 16];
    name[..8].copy_from_slice(&spread.to_be_bytes());
    name[8..].copy_from_slice(&number.to_be_bytes());
    name
}

fn register(number: u64, shift: u64) -> SessionOperation {
    SessionOperation::Register(Register {
        flushed: None,
        key: SessionKey { user: Bytes::copy_from_slice(&name(number)), slot: Bytes::new() },
        connection: Bytes::copy_from_slice(&(number ^ shift).to_be_bytes()),
        conn_seq: None,
        topics: vec![Bytes::from_static(b"app")],
        attributes: Bytes::new(),
    })
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn rss_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
