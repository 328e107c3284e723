//! One device: from its handshake to its close.
//!
//! Two things go on at once until either ends: talking to the device, and keeping it registered. Then the connection
//! leaves the table, the device is told why, and the session is given up, in this order, so that no push is accepted
//! for a connection that is closing, and a kick is confirmed when the device has been told of it.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use keeper_client_sdk::{Connection, Gateway, Registration};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{self, Instant},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::WebSocketConfig,
    },
};
use tracing::debug;

use crate::{
    config::RoomConfig,
    connections::{ConnectionId, Connections},
    ending::Ending,
    limits,
    params::{Params, refusal},
};

/// What every connection of a room shares.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) connections: Arc<Connections>,
    pub(crate) config: watch::Receiver<Arc<RoomConfig>>,
    pub(crate) gateway: Gateway,
}

type Socket = WebSocketStream<TcpStream>;

/// Serves one device. The permit is that of a handshake under way.
pub(crate) async fn serve(stream: TcpStream, around: Surroundings, permit: OwnedSemaphorePermit) {
    let (mut socket, params) = match time::timeout(limits::HANDSHAKE_TIMEOUT, handshake(stream)).await {
        Ok(Ok(greeted)) => greeted,
        Ok(Err(error)) => return debug!(%error, "handshake failed"),
        Err(_) => return debug!("handshake timed out"),
    };
    drop(permit);
    let Surroundings { connections, mut config, gateway } = around;
    let max = config.borrow().max_connections.0;
    let Some(mut line) = connections.admit(params.key.clone(), max) else {
        return close(&mut socket, &Ending::Full).await;
    };
    let registering = Registering { id: line.id, params, connections: &connections, config: config.clone() };
    let mut held = None;
    let ending = tokio::select! {
        ending = talk(&mut socket, &mut line.outbound, &mut config) => ending,
        ending = registering.run(&gateway, &mut held) => ending,
        ending = &mut line.end => ending.unwrap_or(Ending::GoingAway),
    };
    debug!(connection = %line.id, %ending, "connection ends");
    drop(line);
    close(&mut socket, &ending).await;
    match held {
        Some(held) if ending == Ending::Left => held.close().await,
        // The gateway knows what there is to give up.
        held => drop(held),
    }
}

/// A connection on its way into the registry.
struct Registering<'a> {
    id: ConnectionId,
    params: Params,
    connections: &'a Connections,
    config: watch::Receiver<Arc<RoomConfig>>,
}

impl Registering<'_> {
    /// Keeps the connection registered for ever, or says why it must end.
    async fn run(self, gateway: &Gateway, held: &mut Option<Connection>) -> Ending {
        let mut registration = Registration::new(self.params.key).connection(self.id.name());
        if let Some(conn_seq) = self.params.conn_seq {
            registration = registration.conn_seq(conn_seq);
        }
        for topic in &self.config.borrow().topics {
            registration = registration.topic(topic.clone());
        }
        match gateway.connect(registration).await {
            Ok(connection) => *held = Some(connection),
            Err(error) => return Ending::of_refusal(error),
        }
        let greeting = self.config.borrow().greeting.clone();
        if !greeting.is_empty() {
            self.connections.push(self.id, greeting);
        }
        // What becomes of it from now on is an event.
        std::future::pending().await
    }
}

async fn handshake(stream: TcpStream) -> Result<(Socket, Params), Error> {
    let config = WebSocketConfig::default()
        .read_buffer_size(limits::SOCKET_BUFFER_BYTES)
        .write_buffer_size(limits::SOCKET_BUFFER_BYTES)
        .max_write_buffer_size(limits::SOCKET_BUFFER_BYTES + 2 * limits::MESSAGE_BYTES_MAX)
        .max_message_size(Some(limits::MESSAGE_BYTES_MAX));
    stream.set_nodelay(true)?;
    let mut asked = None;
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let callback = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        asked = Some(Params::parse(request.uri()).map_err(refusal)?);
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(stream, callback, Some(config)).await?;
    asked.map(|params| (socket, params)).ok_or(Error::ConnectionClosed)
}

/// Reads what the device says and sends what is queued for it, until it goes or breaks a rule. Pings are answered by
/// the library whenever it reads.
async fn talk(
    socket: &mut Socket,
    outbound: &mut mpsc::Receiver<String>,
    config: &mut watch::Receiver<Arc<RoomConfig>>,
) -> Ending {
    let mut heard_at = Instant::now();
    loop {
        let now = config.borrow_and_update().clone();
        let idle = time::sleep_until(heard_at + now.idle_timeout());
        tokio::select! {
            heard = socket.next() => match heard {
                Some(Ok(Message::Close(_))) => return Ending::Left,
                Some(Err(_)) | None => return Ending::Disconnected,
                Some(Ok(message)) if message.len() > now.max_message_bytes.0 => {
                    return Ending::TooLarge { bytes: message.len(), bytes_max: now.max_message_bytes.0 };
                }
                Some(Ok(_)) => heard_at = Instant::now(),
            },
            Some(text) = outbound.recv() => {
                match time::timeout(limits::SEND_TIMEOUT, socket.send(Message::text(text))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Ending::Disconnected,
                    Err(_) => return Ending::Slow,
                }
            }
            Ok(()) = config.changed() => {}
            () = idle => return Ending::Idle { timeout_ms: now.idle_timeout_ms.0 as u64 },
        }
    }
}

/// Tells the device why and waits for its answer, so that the reason arrives before the connection goes.
async fn close(socket: &mut Socket, ending: &Ending) {
    let Some(frame) = ending.frame() else { return };
    let goodbye = async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // A device that does not answer is cut off.
    let _ = time::timeout(limits::CLOSE_TIMEOUT, goodbye).await;
}
