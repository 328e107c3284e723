//! Replies that are bytes already.
//!
//! The generated service encodes a message for each subscriber, into a buffer of its own. This one stands before it,
//! takes the one path of the presence stream, and sends what was encoded once: a subscriber holds pointers. Every other
//! call passes through.
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
use keeper_proto::v1::sessions_server;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Streaming};
use tonic::codegen::http;
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tonic_prost::ProstDecoder;
use tower::Service;

use crate::limits::{MESSAGE_BYTES_MAX, PRESENCE_FRAMES_UNSENT_MAX};
use crate::rpc::error;
use crate::rpc::presence::PresenceService;
use crate::rpc::presence::frame::Frame;

/// The path of the stream.
const PATH: &str = "/keeper.v1.Sessions/Presence";

/// The calls about sessions, presence among them.
#[derive(Debug, Clone)]
pub(crate) struct WithPresence<S> {
    pub(crate) sessions: S,
    pub(crate) presence: PresenceService,
}

impl<S> NamedService for WithPresence<S> {
    const NAME: &'static str = sessions_server::SERVICE_NAME;
}

impl<S> Service<http::Request<Body>> for WithPresence<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.sessions.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return Box::pin(self.sessions.call(request));
        }
        let presence = self.presence.clone();
        Box::pin(async move { Ok(serve(presence, request.into_body()).await.unwrap_or_else(Status::into_http)) })
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
