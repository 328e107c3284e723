//! The wire itself, for what the SDK never sends.

use keeper_proto::v1 as wire;
use keeper_proto::v1::instances_client::InstancesClient;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::InProcess;
use tokio_stream::iter;
use tonic::transport::{Channel, Endpoint};

/// A channel to the leader.
pub(crate) async fn leader(cluster: &InProcess) -> Channel {
    let endpoint = cluster.endpoint(cluster.leader().await);
    Endpoint::from_shared(endpoint).expect("a URL").connect().await.expect("the leader listens")
}

/// Opens an instance that nobody renews.
pub(crate) async fn open(channel: &Channel, id: &str, ttl_ms: u32) -> wire::OpenInstanceReply {
    let request =
        wire::OpenInstanceRequest { service: "room".to_owned(), id: id.to_owned(), ttl_ms, ..Default::default() };
    InstancesClient::new(channel.clone()).open(request).await.expect("an instance opens").into_inner()
}

/// Closes an incarnation behind its gateway's back.
pub(crate) async fn close(channel: &Channel, incarnation: u64, state_id: u64) {
    let request = wire::CloseInstanceRequest { incarnation, state_id, ..Default::default() };
    InstancesClient::new(channel.clone()).close(request).await.expect("it is open");
}

/// Sends frames on one stream, and reads as many answers.
pub(crate) async fn frames(channel: &Channel, frames: Vec<wire::WriteFrame>) -> Vec<wire::WriteFrameReply> {
    let expected = frames.len();
    let mut client = SessionsClient::new(channel.clone());
    let mut replies = client.write(iter(frames)).await.expect("a stream opens").into_inner();
    let mut read = Vec::new();
    while read.len() < expected {
        read.push(replies.message().await.expect("an answer").expect("one answer a frame"));
    }
    read
}

/// A frame of one registration.
pub(crate) fn register(gateway: &wire::OpenInstanceReply, sequence: u64, user: &str) -> wire::WriteFrame {
    let key = Some(wire::SessionKey { user: user.to_owned().into(), ..Default::default() });
    let register = wire::session_operation::Register { key, ..Default::default() };
    frame(gateway, sequence, vec![wire::session_operation::Operation::Register(register)])
}

/// A frame of any operations.
pub(crate) fn frame(
    gateway: &wire::OpenInstanceReply,
    sequence: u64,
    operations: Vec<wire::session_operation::Operation>,
) -> wire::WriteFrame {
    wire::WriteFrame {
        state_id: gateway.state_id,
        incarnation: gateway.incarnation,
        sequence,
        operations: operations.into_iter().map(|it| wire::SessionOperation { operation: Some(it) }).collect(),
        ..Default::default()
    }
}
