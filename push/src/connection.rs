//! One device: from its handshake to its close.
//!
//! Two things go on at once until either ends: talking to the device, and keeping it registered. Then the connection
//! leaves the table, the device is told why, and the session is given up, in this order, so that no push is accepted
//! for a connection that is closing.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
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
    connections::Connections,
    ending::Ending,
    limits,
    params::{Params, refusal},
    seat::Seat,
    tenure::Tenure,
};

/// What every connection of a room shares.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) connections: Arc<Connections>,
    pub(crate) config: watch::Receiver<Arc<RoomConfig>>,
    pub(crate) tenures: watch::Receiver<Option<Tenure>>,
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
    let Surroundings { connections, mut config, tenures } = around;
    let max = config.borrow().max_connections.0;
    let Some(mut line) = connections.admit(params.key.clone(), max) else {
        return close(&mut socket, &Ending::Full).await;
    };
    let mut seat = Seat::new(line.id, params, connections, config.clone(), tenures);
    let ending = tokio::select! {
        ending = talk(&mut socket, &mut line.outbound, &mut config) => ending,
        ending = seat.keep() => ending,
        ending = &mut line.end => ending.unwrap_or(Ending::GoingAway),
    };
    debug!(connection = %line.id, ?ending, "connection ends");
    drop(line);
    close(&mut socket, &ending).await;
    seat.give_up(&ending).await;
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
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ending::Disconnected,
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
