//! Replies that are bytes already.
//!
//! Generated code would encode a message for each subscriber, into a buffer of its own. Past it, the presence stream
//! sends what was encoded once: a subscriber holds pointers.
//!
//! HTTP/2 would take hundreds of kilobytes for a client that does not read. So a subscriber's next frame is made only
//! when its connection has let go of all but a few ([`PRESENCE_FRAMES_UNSENT_MAX`]).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use keeper_proto::v1 as wire;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Streaming};
use tonic::codegen::http;
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::{Code, Status};
use tonic_prost::ProstDecoder;

use crate::limits::{MESSAGE_BYTES_MAX, PRESENCE_FRAMES_UNSENT_MAX};
use crate::rpc::detour::Bypass;
use crate::rpc::error;
use crate::rpc::presence::PresenceService;
use crate::rpc::presence::frame::Frame;

impl Bypass for PresenceService {
    const PATH: &'static str = "/keeper.v1.Sessions/Presence";

    fn answer(&self, request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> {
        let presence = self.clone();
        Box::pin(async move { serve(presence, request.into_body()).await.unwrap_or_else(Status::into_http) })
    }
}

async fn serve(presence: PresenceService, body: Body) -> Result<http::Response<Body>, Status> {
    let decoder = ProstDecoder::<wire::PresenceRequest>::new(BufferSettings::default());
    let mut requests = Streaming::new_request(decoder, body, None, Some(MESSAGE_BYTES_MAX));
    let missing = || Status::internal("the request is missing");
    let request = requests.message().await?.ok_or_else(missing)?;
    let replies = presence.follow_encoded(request).await.map_err(|problem| error::status(&problem))?;
    let unsent = PollSemaphore::new(Arc::new(Semaphore::new(PRESENCE_FRAMES_UNSENT_MAX)));
    let replies = Replies::Open { replies: Box::pin(replies), unsent, next: None };
    let mut response = http::Response::new(Body::new(replies));
    response.headers_mut().insert(http::header::CONTENT_TYPE, GRPC_CONTENT_TYPE);
    Ok(response)
}

/// The body of an answer: frames of gRPC, and how it ended.
enum Replies {
    Open {
        replies: Pin<Box<dyn Stream<Item = Frame> + Send>>,
        unsent: PollSemaphore,
        /// Leave for the next frame.
        next: Option<OwnedSemaphorePermit>,
    },
    Ended,
}

/// A frame that the connection has. It is dropped when it was written to the socket.
struct Unsent {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl http_body::Body for Replies {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let Self::Open { replies, unsent, next } = &mut *self else { return Poll::Ready(None) };
        if next.is_none() {
            *next = ready!(unsent.poll_acquire(context));
        }
        if let Some(frame) = ready!(replies.as_mut().poll_next(context))
            && let Some(permit) = next.take()
        {
            let unsent = Unsent { bytes: frame.bytes, _permit: permit };
            return Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_owner(unsent)))));
        }
        *self = Self::Ended;
        let mut trailers = http::HeaderMap::new();
        trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from(Code::Ok as i32));
        Poll::Ready(Some(Ok(http_body::Frame::trailers(trailers))))
    }
}
