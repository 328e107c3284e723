//! The listener's side of the peer service.

use std::time::Duration;

use futures_util::Stream;
use keeper_proto::peer::peer_server::PeerServer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::PeerService;
use crate::govern::{Guest, Need, Rules};
use crate::limits::{HEADER_BYTES_MAX, PEER_STREAMS_MAX, RESETS_OWN_MAX, RESETS_PENDING_MAX};
use crate::raft::limits::{FRAME_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PEER_MESSAGE_BYTES_MAX, WINDOW_BYTES};

/// How long open streams may take to end when the node stops. Raft is down by then, and its streams with it.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Strangers share little memory; what nodes of the cluster send is bounded by their senders.
const RULES: Rules = Rules {
    admit: |guest: &Guest, _| Ok(if guest.connection.is_kept() { Need::Essential } else { Need::Ordinary }),
    refuse: |problem| Status::resource_exhausted(problem.to_string()),
    unreadable: |status| Status::invalid_argument(status.message()),
};

/// Serves connections until `stop`. Accepted TCP sockets should have `TCP_NODELAY` set. Runs on the Raft runtime.
///
/// # Errors
/// The transport failed; not one connection, but the serving of them.
pub async fn serve<C, E>(
    service: PeerService,
    incoming: impl Stream<Item = Result<C, E>>,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error>
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    E: Into<tonic::codegen::StdError>,
{
    let service = PeerServer::new(service)
        .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
    let serving = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL * 5))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT * 5))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_concurrent_streams(PEER_STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_PENDING_MAX))
        .http2_max_local_error_reset_streams(Some(RESETS_OWN_MAX))
        .layer(RULES)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let drained_or_not = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        served = serving => served,
        () = drained_or_not => Ok(()),
    }
}
