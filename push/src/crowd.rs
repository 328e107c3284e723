//! Devices by the thousand: each a real WebSocket connection that comes back when it breaks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{self, Instant, MissedTickBehavior},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::{
    ending::{CODE_DISPLACED, CODE_SUPERSEDED},
    limits,
};

/// Devices that connect at the same time: a crowd should not be a flood.
const CONNECTING_MAX: usize = 64;
/// Longest pause before a device comes back; the first is a hundredth of it.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
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
    received: AtomicU64,
}

impl Counts {
    fn sentence(&self, devices: u32) -> String {
        let [connected, opened, closed, received] =
            [&self.connected, &self.opened, &self.closed, &self.received].map(|count| count.load(Relaxed));
        format!("{connected} of {devices} connected; {opened} opened, {closed} closed, {received} messages received")
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

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Device {
    user: String,
    url: String,
    conn_seq: u128,
    ping_interval: Duration,
    counts: Arc<Counts>,
}

/// Whether a device comes back.
enum After {
    Return,
    StayAway,
}

impl Device {
    async fn run(mut self, connecting: Arc<Semaphore>) {
        let mut pause = BACKOFF_MAX / 100;
        loop {
            self.conn_seq += 1;
            let opened_at = Instant::now();
            if let Some(socket) = self.connect(&connecting).await {
                self.counts.opened.fetch_add(1, Relaxed);
                self.counts.connected.fetch_add(1, Relaxed);
                let after = self.listen(socket).await;
                self.counts.connected.fetch_sub(1, Relaxed);
                self.counts.closed.fetch_add(1, Relaxed);
                if matches!(after, After::StayAway) {
                    return;
                }
            }
            if opened_at.elapsed() > BACKOFF_MAX {
                pause = BACKOFF_MAX / 100;
            }
            time::sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    async fn connect(&self, connecting: &Semaphore) -> Option<Socket> {
        let _permit = connecting.acquire().await.ok()?;
        let config = WebSocketConfig::default()
            .read_buffer_size(limits::SOCKET_BUFFER_BYTES)
            .write_buffer_size(limits::SOCKET_BUFFER_BYTES);
        let url = format!("{}{}", self.url, self.conn_seq);
        let connect = connect_async_with_config(url, Some(config), true);
        match time::timeout(limits::HANDSHAKE_TIMEOUT, connect).await {
            Ok(Ok((socket, _))) => Some(socket),
            Ok(Err(error)) => {
                debug!(user = self.user, %error, "not connected");
                None
            }
            Err(_) => None,
        }
    }

    /// Hears until the connection ends.
    async fn listen(&self, mut socket: Socket) -> After {
        let first = self.ping_interval.mul_f64(rand::random_range(0.0..1.0));
        let mut pings = time::interval_at(Instant::now() + first, self.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = socket.next() => match heard {
                    Some(Ok(Message::Text(text))) => {
                        self.counts.received.fetch_add(1, Relaxed);
                        debug!("{} received: {text}", self.user);
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let frame = frame.as_ref();
                        let code = frame.map(|frame| u16::from(frame.code));
                        info!("{} closed by the room: {}", self.user, frame.map_or("", |frame| frame.reason.as_str()));
                        let elsewhere = matches!(code, Some(CODE_DISPLACED | CODE_SUPERSEDED));
                        return if elsewhere { After::StayAway } else { After::Return };
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return After::Return,
                },
                _ = pings.tick() => if socket.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                    return After::Return;
                },
            }
        }
    }
}
