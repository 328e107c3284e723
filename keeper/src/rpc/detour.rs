//! One path of a service, past generated code.
//!
//! The generated service reads and writes messages, each made for one call. For the streams that everything else waits
//! for that is too much work. A detour stands before the service and takes their path; every other call passes through.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::NamedService;
use tower::Service;

/// What answers the calls on a path instead of the service.
pub(crate) trait Bypass: Clone {
    /// The path, as in `/package.Service/Method`.
    const PATH: &'static str;

    /// Answers a call. What goes wrong is in the answer.
    fn answer(&self, request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>>;
}

/// A service of which one path is answered by something else.
#[derive(Debug, Clone)]
pub(crate) struct Detour<S, B> {
    pub(crate) service: S,
    pub(crate) bypass: B,
}

impl<S: NamedService, B> NamedService for Detour<S, B> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<Body>> for Detour<S, B>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Bypass,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != B::PATH {
            return Box::pin(self.service.call(request));
        }
        let answer = self.bypass.answer(request);
        Box::pin(async move { Ok(answer.await) })
    }
}
