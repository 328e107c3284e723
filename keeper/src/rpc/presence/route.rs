//! Replies that are bytes already.
//!
//! The generated service encodes a message for each subscriber. This one stands before it, takes the one path of the
//! presence stream, and sends what was encoded once; every other call passes through.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use keeper_proto::v1 as wire;
use keeper_proto::v1::sessions_server;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};
use tonic_prost::{ProstCodec, ProstDecoder};
use tower::Service;

use crate::rpc::error;
use crate::rpc::presence::PresenceService;

/// The path of the stream.
const PATH: &str = "/keeper.v1.Sessions/Presence";

/// What a subscriber holds while nothing happens, and the step in which that grows to a frame. A frame is sent as soon
/// as it is written, so that a slow subscriber holds one and no more.
const BUFFER_BYTES: usize = 1 << 10;

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
        Box::pin(async move { Ok(Grpc::new(EncodedReplies).server_streaming(presence, request).await) })
    }
}

impl ServerStreamingService<wire::PresenceRequest> for PresenceService {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<wire::PresenceRequest>) -> Self::Future {
        let presence = self.clone();
        Box::pin(async move {
            let replies = presence.follow_encoded(request.into_inner()).await;
            let replies = replies.map_err(|problem| error::status(&problem))?;
            Ok(Response::new(Box::pin(replies.map(Ok)) as Self::ResponseStream))
        })
    }
}

/// Requests are decoded, replies go out as they are.
#[derive(Debug, Clone, Copy, Default)]
struct EncodedReplies;

impl Codec for EncodedReplies {
    type Encode = Bytes;
    type Decode = wire::PresenceRequest;
    type Encoder = Self;
    type Decoder = ProstDecoder<wire::PresenceRequest>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<wire::PresenceReply, wire::PresenceRequest>::raw_decoder(BufferSettings::default())
    }
}

impl Encoder for EncodedReplies {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, reply: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(reply);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, 1)
    }
}
