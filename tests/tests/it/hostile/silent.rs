//! A client that asks and never reads.

use keeper_proto::v1 as wire;
use keeper_tests::InProcess;
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::wire as raw;

/// Slots of the user whose sessions are large.
const SLOTS: u64 = 16;

/// The user.
const USER: &str = "everywhere";

/// Somebody whose answers are some ten kilobytes.
pub(super) async fn populate(cluster: &InProcess) {
    let channel = raw::leader(cluster).await;
    let gateway = raw::open(&channel, "large", 600_000).await;
    let register = |slot: u64| {
        let key = Some(wire::SessionKey { user: USER.into(), slot: slot.to_string().into() });
        let topics = (0..8).map(|topic| format!("{topic:060}").into()).collect();
        let register = wire::session_operation::Register { key, topics, ..Default::default() };
        wire::session_operation::Operation::Register(register)
    };
    let frame = raw::frame(&gateway, 1, (0..SLOTS).map(register).collect());
    let answer = &raw::frames(&channel, vec![frame]).await[0];
    assert!(answer.problem.is_none(), "{answer:?}");
}

/// A question with so many times that user: some eight kilobytes of answer each.
pub(super) fn question(times: usize) -> wire::LookupRequest {
    wire::LookupRequest { users: vec![USER.into(); times], ..Default::default() }
}

/// A connection of its own, with windows as small as they can be: whatever is not read stays with the node.
pub(super) async fn connect(cluster: &InProcess) -> Channel {
    let endpoint = Endpoint::from_shared(cluster.endpoint(0)).expect("a URL");
    let endpoint = endpoint.initial_connection_window_size(65_535).initial_stream_window_size(65_535);
    endpoint.connect().await.expect("the node listens")
}

/// Calls, and leaves the answer where it is.
pub(super) async fn call<Q, R>(channel: &Channel, path: &'static str, question: Q) -> Result<Streaming<R>, Status>
where
    Q: Message + Send + Sync + 'static,
    R: Message + Default + Send + Sync + 'static,
{
    let requests = tokio_stream::iter([question]);
    calls(channel, path, requests).await
}

/// The same with many questions.
pub(super) async fn calls<Q, R>(
    channel: &Channel,
    path: &'static str,
    questions: impl tokio_stream::Stream<Item = Q> + Send + 'static,
) -> Result<Streaming<R>, Status>
where
    Q: Message + Send + Sync + 'static,
    R: Message + Default + Send + Sync + 'static,
{
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("the connection is open");
    let path = PathAndQuery::from_static(path);
    let answer = client.streaming(Request::new(questions), path, ProstCodec::<Q, R>::default()).await;
    answer.map(tonic::Response::into_inner)
}

/// What a refusal says.
pub(super) fn problem(status: &Status) -> wire::Problem {
    wire::Problem::decode(status.details()).unwrap_or_else(|_| panic!("a problem: {status:?}"))
}
