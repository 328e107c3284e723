//! A machine that runs one process.
//!
//! Its monotonic clock is that of its runtime. It moves with the world, a little faster or slower when it drifts, and
//! in one jump when a paused process goes on: as after a `SIGSTOP`, all that waited for time finds that it has passed.

use std::time::Duration;

use tokio::runtime::{Builder, RngSeed, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{self, Instant};

/// Names a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub usize);

/// A machine.
#[derive(Debug)]
pub struct Host {
    id: HostId,
    name: String,
    running: Option<Running>,
    drift_ppm: i32,
    /// Microseconds that its clock has yet to move.
    owed_us: u64,
    paused: Paused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paused {
    No,
    /// For so long already.
    For(u64),
}

#[derive(Debug)]
struct Running {
    runtime: Runtime,
    process: JoinHandle<()>,
}

impl Host {
    pub(super) const fn new(id: HostId, name: String) -> Self {
        Self { id, name, running: None, drift_ppm: 0, owed_us: 0, paused: Paused::No }
    }

    /// Which one.
    #[must_use]
    pub const fn id(&self) -> HostId {
        self.id
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a process runs on it, paused or not.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether its process is stopped.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused != Paused::No
    }

    /// How long from now on this host's clock until a moment; none when it is over or nothing runs.
    #[must_use]
    pub fn until(&self, moment: Instant) -> Option<Duration> {
        let running = self.running.as_ref()?;
        let _its_clock = running.runtime.enter();
        moment.checked_duration_since(Instant::now())
    }

    pub(super) fn start(&mut self, seed: u64, process: impl Future<Output = ()> + Send + 'static) {
        let seed = RngSeed::from_bytes(&seed.to_be_bytes());
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).rng_seed(seed).build();
        let runtime = runtime.expect("a runtime without IO needs nothing of the system");
        // Timers count whole milliseconds of a clock that began between two of them.
        runtime.block_on(pass(1));
        let process = runtime.spawn(process);
        self.running = Some(Running { runtime, process });
        (self.owed_us, self.paused) = (0, Paused::No);
    }

    pub(super) fn end(&mut self) {
        self.running = None;
        self.paused = Paused::No;
    }

    pub(super) fn pause(&mut self) {
        if self.running.is_some() {
            self.paused = Paused::For(0);
        }
    }

    pub(super) fn resume(&mut self) {
        let Paused::For(missed_ms) = std::mem::replace(&mut self.paused, Paused::No) else { return };
        if let Some(running) = &self.running {
            running.runtime.block_on(async { time::advance(Duration::from_millis(missed_ms)).await });
        }
    }

    pub(super) const fn drift(&mut self, ppm: i32) {
        self.drift_ppm = ppm;
    }

    /// Runs the process for a step; true when it ended by itself.
    pub(super) fn step(&mut self, step_ms: u64) -> bool {
        let Some(running) = &self.running else { return false };
        if let Paused::For(missed_ms) = &mut self.paused {
            *missed_ms += step_ms;
            return false;
        }
        self.owed_us += step_ms * 1_000 * 1_000_000_u64.saturating_add_signed(self.drift_ppm.into()) / 1_000_000;
        while self.owed_us >= 1_000 {
            self.owed_us -= 1_000;
            running.runtime.block_on(pass(1));
        }
        let ended = running.process.is_finished();
        if ended {
            self.end();
        }
        ended
    }
}

/// Lets time pass on a runtime, and whatever is due in it happen.
async fn pass(milliseconds: u64) {
    time::sleep(Duration::from_millis(milliseconds)).await;
}
