//! The stream of lookups, past generated code, which would read and write messages.

use std::pin::Pin;

use bytes::BufMut;
use futures_util::Stream;
use futures_util::future::{BoxFuture, Ready, ready};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::codegen::http;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status};

use super::answer::LookupAnswer;
use super::question::Question;
use crate::govern::{Guest, Share};
use crate::limits::{LOOKUP_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::rpc::detour::Bypass;
use crate::rpc::session::SessionService;

/// Answers the stream of lookups.
#[derive(Debug, Clone)]
pub(crate) struct Lookups(pub(crate) SessionService);

impl Bypass for Lookups {
    const PATH: &'static str = "/keeper.v1.Sessions/Read";

    fn answer(&self, request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> {
        let lookups = self.clone();
        let codec = LookupCodec(request.extensions().get::<Guest>().map(|guest| guest.share.clone()));
        let mut grpc = Grpc::new(codec).apply_max_message_size_config(Some(LOOKUP_BYTES_MAX), Some(MESSAGE_BYTES_MAX));
        Box::pin(async move { grpc.streaming(lookups, request).await })
    }
}

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
