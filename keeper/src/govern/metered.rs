//! Calls whose bytes are counted while they are in memory: before every service of a listener, once.
//!
//! **Coming in**: a message is counted while it is not whole. Once it is, its handler has it, and bounds what it does
//! with it. **Going out**: a piece of an answer is counted from when it was encoded until the connection drops it,
//! which it does when it was written to the socket. What a client asks for beyond its share is refused before it is
//! worked on; an answer that turns out too large for what is left is dropped and refused; a stream is not asked for
//! more until there is room.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use http_body::{Body as _, Frame, SizeHint};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::govern::{Guest, Held, Need, Share};
use crate::problem::Problem;

/// Before each message of gRPC: whether it is compressed, and how long it is.
const PREFIX_BYTES: usize = 5;

/// What differs between listeners.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether somebody may call this at all, and what holds for the call while the node is full.
    pub admit: fn(&Guest, &str) -> Result<Need, Problem>,
    /// A problem as the caller is told.
    pub refuse: fn(&Problem) -> Status,
    /// What is said instead of [`Code::Internal`], which is what a codec makes of a request that it cannot read; no
    /// handler answers with it.
    pub unreadable: fn(&Status) -> Status,
}

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub struct Metered<S> {
    inner: S,
    rules: Rules,
}

impl<S> Layer<S> for Rules {
    type Service = Metered<S>;

    fn layer(&self, inner: S) -> Metered<S> {
        Metered { inner, rules: *self }
    }
}

impl<S> Service<http::Request<Body>> for Metered<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let rules = self.rules;
        let Some(guest) = request.extensions().get::<Guest>().cloned() else {
            return Box::pin(self.inner.call(request));
        };
        // Somebody who has no room for the answer gets no work done either.
        let admitted = (rules.admit)(&guest, request.uri().path())
            .and_then(|need| guest.share.admit(need).map(|()| need))
            .map_err(|problem| (rules.refuse)(&problem));
        let need = match admitted {
            Ok(need) => need,
            Err(status) => return Box::pin(async move { Ok(status.into_http()) }),
        };
        let share = guest.share;
        let arriving = |inner| Arriving { inner, share: share.clone(), need, rules, message: Message::default() };
        let call = self.inner.call(request.map(|body| Body::new(arriving(body))));
        Box::pin(async move { Ok(leave(call.await?, share, need, rules).await) })
    }
}

/// A request body: counts the message that is not whole yet.
struct Arriving {
    inner: Body,
    share: Share,
    need: Need,
    rules: Rules,
    message: Message,
}

#[derive(Default)]
struct Message {
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
    /// Bytes of it that are there, and that are not.
    here: usize,
    missing: usize,
    held: Option<Held>,
}

impl Message {
    /// Goes over a piece of the body. Afterwards `here` is what lies waiting for the rest.
    fn read(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if self.prefix_bytes < PREFIX_BYTES {
                let taken = piece.len().min(PREFIX_BYTES - self.prefix_bytes);
                piece.copy_to_slice(&mut self.prefix[self.prefix_bytes..self.prefix_bytes + taken]);
                self.prefix_bytes += taken;
                if self.prefix_bytes == PREFIX_BYTES {
                    let [_, length @ ..] = self.prefix;
                    self.missing = u32::from_be_bytes(length) as usize;
                }
            } else {
                let taken = piece.len().min(self.missing);
                piece.advance(taken);
                (self.here, self.missing) = (self.here + taken, self.missing - taken);
            }
            if self.prefix_bytes == PREFIX_BYTES && self.missing == 0 {
                (self.prefix_bytes, self.here) = (0, 0);
            }
        }
    }

    fn count(&mut self, share: &Share, need: Need) -> Result<(), Problem> {
        match (&mut self.held, self.here) {
            (held, 0) => *held = None,
            (Some(held), here) if here <= held.bytes() => held.resize(here),
            (Some(held), here) => {
                drop(share.take(here - held.bytes(), need)?);
                held.resize(here);
            }
            (held @ None, here) => *held = Some(share.take(here, need)?),
        }
        Ok(())
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(frame) = ready!(Pin::new(&mut this.inner).poll_frame(context)?) else { return Poll::Ready(None) };
        if let Some(data) = frame.data_ref() {
            this.message.read(data);
            this.message.count(&this.share, this.need).map_err(|problem| (this.rules.refuse)(&problem))?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The beginning of an answer is encoded at once, so that none lies around uncounted.
async fn leave(response: http::Response<Body>, share: Share, need: Need, rules: Rules) -> http::Response<Body> {
    if let Some(status) = Status::from_header_map(response.headers()) {
        let is_unreadable = status.code() == Code::Internal;
        return if is_unreadable { (rules.unreadable)(&status).into_http() } else { response };
    }
    let (parts, mut inner) = response.into_parts();
    let first = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut inner).poll_frame(context))).await;
    let first = match first {
        Poll::Ready(Some(Ok(frame))) => match hold(frame, |bytes| share.take(bytes, need)) {
            Ok(frame) => Some(Ok(amend(frame, rules))),
            Err(problem) => return (rules.refuse)(&problem).into_http(),
        },
        Poll::Ready(Some(Err(status))) => Some(Err(status)),
        Poll::Ready(None) | Poll::Pending => None,
    };
    http::Response::from_parts(parts, Body::new(Leaving { inner, first, share, need, rules }))
}

/// A response body whose pieces are counted until they are dropped.
struct Leaving {
    inner: Body,
    first: Option<Result<Frame<Bytes>, Status>>,
    share: Share,
    need: Need,
    rules: Rules,
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(first));
        }
        if !this.inner.is_end_stream() {
            ready!(this.share.poll_room(this.need, context));
        }
        let Some(frame) = ready!(Pin::new(&mut this.inner).poll_frame(context)?) else { return Poll::Ready(None) };
        let Ok(frame) = hold(frame, |bytes| Ok::<_, Infallible>(this.share.hold(bytes)));
        Poll::Ready(Some(Ok(amend(frame, this.rules))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_none() { self.inner.size_hint() } else { SizeHint::default() }
    }
}

/// Bytes that are counted for as long as they are there.
struct Counted {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn hold<E>(frame: Frame<Bytes>, count: impl FnOnce(usize) -> Result<Held, E>) -> Result<Frame<Bytes>, E> {
    match frame.into_data() {
        Ok(bytes) if !bytes.is_empty() => {
            let held = count(bytes.len())?;
            Ok(Frame::data(Bytes::from_owner(Counted { bytes, _held: held })))
        }
        Ok(bytes) => Ok(Frame::data(bytes)),
        Err(frame) => Ok(frame),
    }
}

/// How a stream ended, in the words of [`Rules::unreadable`].
fn amend(frame: Frame<Bytes>, rules: Rules) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let status = Status::from_header_map(&trailers).filter(|status| status.code() == Code::Internal);
            let amended = status.map(|status| (rules.unreadable)(&status).into_http::<Body>().into_parts().0.headers);
            Frame::trailers(amended.unwrap_or(trailers))
        }
        Err(frame) => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_while_it_is_not_whole() {
        let body = [&[0, 0, 0, 0, 3][..], b"abc", &[0, 0, 0, 0, 0], &[0, 0, 0, 1, 0], &[b'x'; 255]].concat();
        let mut message = Message::default();
        let here: Vec<_> = body
            .iter()
            .map(|byte| {
                message.read(std::slice::from_ref(byte));
                message.here
            })
            .collect();
        let expected: Vec<_> = [0; 5].into_iter().chain([1, 2, 0]).chain([0; 10]).chain(1..=255).collect();
        assert_eq!(here, expected);
        let mut at_once = Message::default();
        at_once.read(&body);
        assert_eq!((at_once.here, at_once.missing), (255, 1));
    }
}
