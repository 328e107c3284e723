//! The way of the presence stream past generated code; see [`encoded`].

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;

use crate::limits::PRESENCE_FRAMES_UNSENT_MAX;
use crate::rpc::detour::Bypass;
use crate::rpc::encoded::{self, Encoded};
use crate::rpc::error;
use crate::rpc::presence::PresenceService;

impl Bypass for PresenceService {
    const PATH: &'static str = "/keeper.v1.Sessions/Presence";

    fn answer(&self, request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> {
        let presence = self.clone();
        Box::pin(async move { serve(presence, request.into_body()).await.unwrap_or_else(Status::into_http) })
    }
}

async fn serve(presence: PresenceService, body: Body) -> Result<http::Response<Body>, Status> {
    let request = encoded::request(body).await?;
    let replies = presence.follow_encoded(request).await.map_err(|problem| error::status(&problem))?;
    let replies = replies.map(|frame| Ok(Encoded(vec![frame.bytes])));
    Ok(encoded::response(replies, PRESENCE_FRAMES_UNSENT_MAX))
}
