//! One device of a crowd.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    time::{self, Instant, MissedTickBehavior},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Message,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tracing::{debug, info};

use crate::{
    crowd::{Counts, pauses::Pauses},
    ending::{CODE_DISPLACED, CODE_SUPERSEDED},
    limits,
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) struct Device {
    pub(super) user: String,
    /// All of the address but the count of connections.
    pub(super) url: String,
    pub(super) conn_seq: u128,
    pub(super) ping_interval: Duration,
    pub(super) counts: Arc<Counts>,
}

/// How a connection ended, as far as the device's return depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It broke, or never came to be, or the room asked to come back.
    Broken,
    /// The room did not take the session.
    Refused,
    /// The device is connected elsewhere.
    Elsewhere,
}

impl End {
    fn of(frame: Option<&CloseFrame>) -> Self {
        match frame.map(|frame| frame.code) {
            Some(CloseCode::Policy | CloseCode::Again) => Self::Refused,
            Some(code) if [CODE_DISPLACED, CODE_SUPERSEDED].contains(&code.into()) => Self::Elsewhere,
            _ => Self::Broken,
        }
    }
}

impl Device {
    /// Connects, hears, and comes back, until it is connected elsewhere.
    pub(super) async fn run(mut self, connecting: Arc<Semaphore>) {
        let mut pauses = Pauses::new();
        loop {
            self.conn_seq += 1;
            let socket = self.connect(&connecting).await;
            let opened_at = Instant::now();
            let end = match socket {
                Some(socket) => self.stay(socket).await,
                None => End::Broken,
            };
            let Some(pause) = pauses.after(end, opened_at.elapsed()) else { return };
            time::sleep(pause).await;
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
                self.counts.fail(error.to_string());
                None
            }
            Err(_) => {
                self.counts.fail(format!("no answer within {} s", limits::HANDSHAKE_TIMEOUT.as_secs()));
                None
            }
        }
    }

    /// Counts the connection for as long as it lasts.
    async fn stay(&self, socket: Socket) -> End {
        self.counts.opened.fetch_add(1, Relaxed);
        self.counts.connected.fetch_add(1, Relaxed);
        let end = self.listen(socket).await;
        self.counts.connected.fetch_sub(1, Relaxed);
        self.counts.closed.fetch_add(1, Relaxed);
        end
    }

    /// Hears until the connection ends.
    async fn listen(&self, mut socket: Socket) -> End {
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
                    Some(Ok(Message::Close(frame))) => return self.closed(frame.as_ref()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        self.counts.fail(format!("a connection broke: {error}"));
                        return End::Broken;
                    }
                    None => return End::Broken,
                },
                _ = pings.tick() => if socket.send(Message::Ping(Bytes::new())).await.is_err() {
                    return End::Broken;
                },
            }
        }
    }

    fn closed(&self, frame: Option<&CloseFrame>) -> End {
        let (user, reason) = (&self.user, frame.map_or("", |frame| frame.reason.as_str()));
        let end = End::of(frame);
        if end != End::Refused {
            info!("{user} closed by the room: {reason}");
        } else if self.counts.refused.fetch_add(1, Relaxed) == 0 {
            info!("{user} refused by the room: {reason}; further refusals are only counted");
        } else {
            debug!("{user} refused by the room: {reason}");
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Keeper;
    use tokio::{sync::watch, task::JoinSet};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        config::{Bounded, RoomConfig},
        room::{Options, Room},
    };

    #[test]
    fn a_code_says_whether_to_come_back() {
        for (code, end) in [
            (1001, End::Broken),
            (1008, End::Refused),
            (1012, End::Broken),
            (1013, End::Refused),
            (CODE_DISPLACED, End::Elsewhere),
            (CODE_SUPERSEDED, End::Elsewhere),
        ] {
            let frame = CloseFrame { code: code.into(), reason: "".into() };
            assert_eq!(End::of(Some(&frame)), end, "{code}");
        }
        assert_eq!(End::of(None), End::Broken);
    }

    #[tokio::test]
    async fn why_nobody_is_connected_is_told() {
        let counts = Arc::new(Counts::default());
        // Port 1 is reserved, and nobody listens there.
        let url = "ws://127.0.0.1:1/connect?user=ann&conn_seq=".to_owned();
        let ping_interval = Duration::from_secs(15);
        let device = Device { user: "ann".into(), url, conn_seq: 1, ping_interval, counts: counts.clone() };
        assert!(device.connect(&Semaphore::new(1)).await.is_none());
        let told = counts.sentence(1);
        let expected = "0 of 1 connected; 0 opened, 0 closed, 0 messages received; 1 tries failed, the last one: IO error: \
                        Connection refused";
        assert!(told.starts_with(expected), "{told}");
    }

    #[tokio::test]
    async fn a_refusal_is_counted() {
        let any = "127.0.0.1:0".parse().unwrap();
        let (id, config) = ("room-1".to_owned(), String::new());
        let ttl = Duration::from_secs(10);
        let options = Options { id, listen: any, inbox: any, advertise: None, zone: String::new(), ttl, config };
        let room = Room::bind(options).await.unwrap();
        let (address, _) = room.addresses().unwrap();
        let (config, running) = watch::channel(Arc::default());
        config.send_replace(Arc::new(RoomConfig { max_connections: Bounded(0), ..RoomConfig::default() }));
        // Nobody listens there.
        let keeper = Keeper::builder().endpoint("127.0.0.1:1").build().unwrap();
        let mut parts = JoinSet::new();
        parts.spawn(room.run_by(running, keeper, CancellationToken::new()));

        let counts = Arc::new(Counts::default());
        let url = format!("ws://{address}/connect?user=ann&conn_seq=");
        let ping_interval = Duration::from_secs(15);
        let device = Device { user: "ann".into(), url, conn_seq: 1, ping_interval, counts: counts.clone() };
        let socket = device.connect(&Semaphore::new(1)).await.unwrap();
        assert_eq!(device.stay(socket).await, End::Refused);
        let told = counts.sentence(1);
        assert_eq!(told, "0 of 1 connected; 1 opened, 1 closed, 1 of them refused, 0 messages received");
    }
}
