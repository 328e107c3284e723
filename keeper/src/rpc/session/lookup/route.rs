//! The stream of lookups, past generated code.
//!
//! The generated service would read and write messages. This one stands before it and takes the one path of the stream;
//! every other call passes through.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use futures_util::Stream;
use futures_util::future::{BoxFuture, Ready, ready};
use keeper_proto::v1::sessions_server;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status};
use tower::Service;

use super::answer::LookupAnswer;
use super::question::Question;
use crate::govern::{Guest, Share};
use crate::limits::{LOOKUP_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::rpc::session::SessionService;

/// The path of the stream.
const PATH: &str = "/keeper.v1.Sessions/Read";

/// The calls about sessions, lookups among them.
#[derive(Debug, Clone)]
pub(crate) struct WithLookups<S> {
    pub(crate) sessions: S,
    pub(crate) lookups: SessionService,
}

impl<S> NamedService for WithLookups<S> {
    const NAME: &'static str = sessions_server::SERVICE_NAME;
}

impl<S> Service<http::Request<Body>> for WithLookups<S>
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
        let lookups = Lookups(self.lookups.clone());
        let codec = LookupCodec(request.extensions().get::<Guest>().map(|guest| guest.share.clone()));
        let mut grpc = Grpc::new(codec).apply_max_message_size_config(Some(LOOKUP_BYTES_MAX), Some(MESSAGE_BYTES_MAX));
        Box::pin(async move { Ok(grpc.streaming(lookups, request).await) })
    }
}

struct Lookups(SessionService);

impl StreamingService<Question> for Lookups {
    type Response = LookupAnswer;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<LookupAnswer, Status>> + Send>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Question>>) -> Self::Future {
        ready(Ok(Response::new(Box::pin(self.0.answer_encoded(request.into_inner())))))
    }
}

/// With whatever counts what a client has in memory here.
#[derive(Debug, Clone)]
struct LookupCodec(Option<Share>);

impl Codec for LookupCodec {
    type Encode = LookupAnswer;
    type Decode = Question;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for LookupCodec {
    type Item = LookupAnswer;
    type Error = Status;

    fn encode(&mut self, answer: LookupAnswer, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(answer.bytes());
        Ok(())
    }
}

impl Decoder for LookupCodec {
    type Item = Question;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Question>, Status> {
        Ok(Some(Question::read(buffer)?.held_by(self.0.as_ref())))
    }
}
