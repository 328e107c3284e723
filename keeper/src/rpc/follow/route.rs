//! The way of the stream past generated code; see [`encoded`].

use futures_util::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;

use super::FollowService;
use crate::limits::FOLLOW_FRAMES_UNSENT_MAX;
use crate::rpc::detour::Bypass;
use crate::rpc::{encoded, error};

impl Bypass for FollowService {
    const PATH: &'static str = "/keeper.v1.Follows/Follow";

    fn answer(&self, request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> {
        let service = self.clone();
        Box::pin(async move { serve(service, request.into_body()).await.unwrap_or_else(Status::into_http) })
    }
}

async fn serve(service: FollowService, body: Body) -> Result<http::Response<Body>, Status> {
    let request = encoded::request(body).await?;
    let replies = service.follow_encoded(request).await.map_err(|problem| error::status(&problem))?;
    Ok(encoded::response(replies, FOLLOW_FRAMES_UNSENT_MAX))
}
