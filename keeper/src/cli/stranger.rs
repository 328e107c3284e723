//! What answers where a client listener was expected.
//!
//! The ports of a node are easily taken for one another, and all of them speak HTTP/2. A peer listener says whose it is
//! even to whoever names no cluster, because it refuses by name.

use anyhow::anyhow;
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use keeper_proto::peer::peer_client::PeerClient;
use tonic::{Code, Status};

use super::Failure;
use super::init::{channel, failure};
use super::member::Member;

/// Where a client listener is, for those who look for it.
const CLIENT_PORT: &str = "its client port (`listen.client`, by default 7400)";

/// Why a node did not answer, and which port is meant if this was none for clients.
pub(super) async fn explain(endpoint: &str, status: Status, members: &[Member]) -> Failure {
    if status.code() != Code::Unimplemented {
        return failure(status);
    }
    let Some(answer) = identify(endpoint).await else {
        return anyhow!("{endpoint} is not the client port of a node; is it the one for metrics? Name {CLIENT_PORT}")
            .into();
    };
    let whose = if answer.from == 0 { "a node without a number".to_owned() } else { format!("node {}", answer.from) };
    let named = members.iter().find(|member| member.peer == endpoint);
    let meant = named.map_or_else(|| CLIENT_PORT.to_owned(), |member| format!("its client port, {}", member.client));
    anyhow!("{endpoint} is the peer port of {whose}, for other nodes alone: name {meant}").into()
}

/// Whoever it is, if it is a peer listener.
async fn identify(endpoint: &str) -> Option<Envelope> {
    let question = Envelope { kind: Kind::Identify.into(), ..Envelope::default() };
    let mut peer = PeerClient::new(channel(endpoint).await.ok()?);
    peer.call(question).await.ok().map(tonic::Response::into_inner)
}
