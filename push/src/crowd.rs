//! Devices by the thousand: each a real WebSocket connection that comes back when it breaks.
//!
//! A room that refuses sessions refuses them by the thousand. So refusals are counted, only the first is told, and a
//! device that was refused comes back later each time ([`pauses`]).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tokio::{sync::Semaphore, task::JoinSet, time};
use tokio_util::sync::CancellationToken;
use tracing::info;

use device::Device;

mod device;
mod pauses;

/// Devices that connect at the same time: a crowd should not be a flood.
const CONNECTING_MAX: usize = 64;
/// How often the counts are looked at, and told when they changed.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Who connects where.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// The room, as `host:port`.
    pub room: String,
    /// How many devices.
    pub devices: u32,
    /// Users are called by this and a number of five digits.
    pub prefix: String,
    /// How often a device says that it is there.
    pub ping_interval: Duration,
}

#[derive(Debug, Default)]
struct Counts {
    connected: AtomicU64,
    opened: AtomicU64,
    closed: AtomicU64,
    /// Those of them that the room did not take.
    refused: AtomicU64,
    received: AtomicU64,
    /// Tries that came to nothing.
    failed: AtomicU64,
    /// Why the last of them did.
    failure: Mutex<String>,
}

impl Counts {
    /// Tells with the counts, not by itself: a room that is down fails everybody, again and again.
    fn fail(&self, why: String) {
        self.failed.fetch_add(1, Relaxed);
        *self.failure.lock() = why;
    }

    fn sentence(&self, devices: u32) -> String {
        let [connected, opened, closed, refused, received] =
            [&self.connected, &self.opened, &self.closed, &self.refused, &self.received]
                .map(|count| count.load(Relaxed));
        let refused = if refused == 0 { String::new() } else { format!(", {refused} of them refused") };
        let failed = match self.failed.load(Relaxed) {
            0 => String::new(),
            failed => format!("; {failed} tries failed, the last one: {}", self.failure.lock()),
        };
        format!(
            "{connected} of {devices} connected; {opened} opened, {closed} closed{refused}, {received} messages \
             received{failed}"
        )
    }
}

impl Crowd {
    /// Keeps every device connected until `stop`.
    ///
    /// # Errors
    /// When the address of the room cannot be read.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let counts = Arc::new(Counts::default());
        let connecting = Arc::new(Semaphore::new(CONNECTING_MAX));
        // A device counts its connections; one that has no memory of its own begins at the clock.
        let conn_seq = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let mut devices = JoinSet::new();
        for number in 1..=self.devices {
            let user = format!("{}{number:05}", self.prefix);
            let url = format!("ws://{}/connect?user={user}&conn_seq=", self.room);
            let device = Device { user, url, conn_seq, ping_interval: self.ping_interval, counts: counts.clone() };
            devices.spawn(device.run(connecting.clone()));
        }
        let mut told = String::new();
        let mut reports = time::interval(REPORT_INTERVAL);
        while stop.run_until_cancelled(reports.tick()).await.is_some() {
            let sentence = counts.sentence(self.devices);
            if sentence != told {
                info!("{sentence}");
                told = sentence;
            }
        }
        Ok(())
    }
}
