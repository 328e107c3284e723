//! Messages that reach the wrong node.

use bytes::Bytes;
use keeper::raft::{InitializeRefused, Member, Offload, RaftOptions};
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use keeper_proto::peer::peer_client::PeerClient;
use keeper_proto::v1::Problem;
use prost::Message;

use crate::cluster::Cluster;

fn message(cluster: &str, to: u64, kind: Kind) -> Envelope {
    Envelope {
        cluster: cluster.to_owned(),
        from: 9,
        to,
        kind: kind.into(),
        body: Bytes::new(),
        to_disk: to,
        ..Envelope::default()
    }
}

async fn client(cluster: &Cluster) -> PeerClient<tonic::transport::Channel> {
    let address = format!("http://{}", cluster.members()[&1].peer_endpoint);
    PeerClient::connect(address).await.expect("a connection")
}

fn refusal(answer: Envelope) -> (String, String) {
    assert_eq!(answer.kind(), Kind::Problem);
    let problem = Problem::decode(answer.body).expect("a problem");
    (problem.reason, problem.message)
}

#[tokio::test]
async fn a_message_for_another_cluster_or_node_is_refused() {
    let cluster = Cluster::idle(1, RaftOptions::default(), Offload::Threads);
    let mut client = client(&cluster).await;
    let answer = client.call(message("other", 1, Kind::Vote)).await.expect("an answer").into_inner();
    let (reason, sentence) = refusal(answer);
    assert_eq!(reason, "wrong-cluster");
    assert_eq!(
        sentence,
        "the message is for cluster `other`; node 1 belongs to cluster `test`: check the peer addresses"
    );
    let answer = client.call(message("test", 2, Kind::Vote)).await.expect("an answer").into_inner();
    let sentence = refusal(answer).1;
    assert!(sentence.starts_with("the message is for node 2; this is node 1, which has no data: "), "{sentence}");
    assert!(sentence.ends_with("if node 2 is elsewhere, check the peer addresses"), "{sentence}");
    let answer = client.call(message("test", 1, Kind::Vote)).await.expect("an answer").into_inner();
    assert_eq!(refusal(answer).0, "malformed");
}

#[tokio::test]
async fn an_append_stream_for_another_node_ends_with_the_reason() {
    let cluster = Cluster::idle(1, RaftOptions::default(), Offload::Threads);
    let requests = futures_util::stream::iter([message("test", 2, Kind::Append)]);
    let mut answers = client(&cluster).await.append(requests).await.expect("a stream").into_inner();
    let answer = answers.message().await.expect("an answer").expect("an answer");
    assert_eq!(refusal(answer).0, "wrong-node");
    assert_eq!(answers.message().await.expect("an end"), None);
}

#[tokio::test]
async fn a_group_with_a_wrong_address_is_not_founded() {
    let cluster = Cluster::idle(3, RaftOptions::default(), Offload::Threads);
    let mut members = cluster.members();
    let (second, third) = (members[&2].clone(), members[&3].clone());
    members.insert(2, third);
    members.insert(3, second);
    let refused = cluster.nodes[&1].handle.initialize(members).await;
    let Err(InitializeRefused::MemberUnreachable { node: 2, reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("the message is for node 2; this is node 3"), "{reason}");

    let mut members = cluster.members();
    members.insert(4, Member { peer_endpoint: "127.0.0.1:1".to_owned(), client_endpoint: String::new(), disk_id: 0 });
    let refused = cluster.nodes[&1].handle.initialize(members).await;
    assert!(matches!(refused, Err(InitializeRefused::MemberUnreachable { node: 4, .. })), "{refused:?}");
    assert_eq!(cluster.nodes[&1].handle.is_initialized().await, Ok(false));
}
