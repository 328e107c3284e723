//! Answers of a stream that are bytes already.
//!
//! Generated code would encode a message for each who is told it, into a buffer of its own. Past it, what was encoded
//! once is sent to all: whoever is told holds pointers.
//!
//! HTTP/2 would take hundreds of kilobytes for a client that does not read. So the next message of a stream is made
//! only when its connection has let go of all but a few.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Streaming};
use tonic::codegen::http;
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::{Code, Status};
use tonic_prost::ProstDecoder;

use crate::limits::MESSAGE_BYTES_MAX;

/// Before each message of gRPC: whether it is compressed, and how long it is.
pub(super) const PREFIX_BYTES: usize = 5;

/// A message with its prefix, in pieces that lie end to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Encoded(pub(super) Vec<Bytes>);

impl Encoded {
    /// The message, in one piece.
    pub(super) fn message(&self) -> Bytes {
        let whole: Bytes = match &*self.0 {
            [piece] => piece.clone(),
            pieces => pieces.concat().into(),
        };
        whole.slice(PREFIX_BYTES.min(whole.len())..)
    }
}

/// The prefix of a message so long.
pub(super) fn prefix(length: usize) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    prefix[1..].copy_from_slice(&length.to_be_bytes());
    prefix
}

/// The one message of a request.
pub(super) async fn request<T: prost::Message + Default + Send + 'static>(body: Body) -> Result<T, Status> {
    let decoder = ProstDecoder::<T>::new(BufferSettings::default());
    let mut requests = Streaming::new_request(decoder, body, None, Some(MESSAGE_BYTES_MAX));
    requests.message().await?.ok_or_else(|| Status::internal("the request is missing"))
}

/// An answer of these messages, of which the connection holds so many at a time.
pub(super) fn response(
    replies: impl Stream<Item = Result<Encoded, Status>> + Send + 'static,
    unsent_max: usize,
) -> http::Response<Body> {
    let unsent = PollSemaphore::new(Arc::new(Semaphore::new(unsent_max)));
    let pieces = Vec::new().into_iter();
    let replies = Replies::Open { replies: Box::pin(replies), unsent, next: None, pieces };
    let mut response = http::Response::new(Body::new(replies));
    response.headers_mut().insert(http::header::CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}

type Replying = Pin<Box<dyn Stream<Item = Result<Encoded, Status>> + Send>>;

/// The body of an answer: frames of gRPC, and how it ended.
enum Replies {
    Open {
        replies: Replying,
        unsent: PollSemaphore,
        /// Leave for the next message.
        next: Option<OwnedSemaphorePermit>,
        /// What is left of the message that is being handed over.
        pieces: std::vec::IntoIter<Bytes>,
    },
    Ended,
}

/// A message that the connection has, or a piece of it. It is dropped when it was written to the socket.
struct Unsent {
    bytes: Bytes,
    _permit: Arc<OwnedSemaphorePermit>,
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
        let Self::Open { replies, unsent, next, pieces } = &mut *self else { return Poll::Ready(None) };
        if let Some(piece) = pieces.next() {
            return Poll::Ready(Some(Ok(http_body::Frame::data(piece))));
        }
        if next.is_none() {
            *next = ready!(unsent.poll_acquire(context));
        }
        let end = match ready!(replies.as_mut().poll_next(context)) {
            Some(Ok(Encoded(message))) if next.is_some() => {
                let permit = next.take().map(Arc::new);
                let held = |bytes| match &permit {
                    Some(permit) => Bytes::from_owner(Unsent { bytes, _permit: Arc::clone(permit) }),
                    None => bytes,
                };
                *pieces = message.into_iter().map(held).collect::<Vec<_>>().into_iter();
                let first = pieces.next().unwrap_or_default();
                return Poll::Ready(Some(Ok(http_body::Frame::data(first))));
            }
            Some(Err(status)) => status,
            Some(Ok(_)) | None => Status::new(Code::Ok, ""),
        };
        *self = Self::Ended;
        let mut trailers = http::HeaderMap::new();
        if end.add_header(&mut trailers).is_err() {
            trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from(Code::Internal as i32));
        }
        Poll::Ready(Some(Ok(http_body::Frame::trailers(trailers))))
    }
}
