//! The connections to the other nodes.
//!
//! Three a peer, so that none waits behind another's bytes: log entries; heartbeats, votes and read rounds; snapshots.
//! A connection is made when first used and made again after it broke, by whoever uses it next. Those to members stay.
//! One to a stranger ends with what it was made for: nothing here bounds how many addresses are asked about, and a name
//! may lead elsewhere the next time.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use keeper_proto::peer::peer_client::PeerClient;
use keeper_proto::v1::Problem;
use parking_lot::Mutex;
use prost::Message;
use tokio::runtime::Handle;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::acknowledged::Directory;
use super::dial::{Connection, Dial};
use crate::codec::DecodeError;
use crate::problem::whole_ms;
use crate::raft::identity::Identity;
use crate::raft::limits::{
    CONNECT_MAX, FRAME_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PEER_MESSAGE_BYTES_MAX, WINDOW_BYTES,
};
use crate::raft::type_config::Member;

/// What a connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Log,
    Control,
    Snapshot,
}

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{} at {address} cannot be reached: {}", named(*.peer), why(.status))]
    Unreachable { peer: u64, address: String, status: Box<tonic::Status> },
    #[error("{} at {address} did not answer within {:?}", named(*.peer), whole_ms(*.limit))]
    Silent { peer: u64, address: String, limit: Duration },
    #[error("{} at {address} refused: {message}", named(*.peer))]
    Refused { peer: u64, address: String, message: String },
    #[error("the answer of {} does not decode: {source}", named(*.peer))]
    Malformed { peer: u64, source: DecodeError },
    #[error("{} at {address} lacks entries up to {upto}, which it had acknowledged", named(*.peer))]
    TookBack { peer: u64, address: String, upto: u64 },
}

/// All peers of a node.
#[derive(Debug)]
pub(crate) struct Peers {
    identity: Identity,
    dial: Arc<dyn Dial>,
    /// Drives the connections, whoever asks for them.
    runtime: Handle,
    /// Ordered: when this is dropped, its connections end one after the other.
    channels: Mutex<BTreeMap<(Class, String), Channel>>,
}

/// One peer, by one class of connection.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) id: u64,
    pub(crate) address: String,
    /// Its data directory, as the membership names it.
    disk_id: u64,
    pub(crate) peers: Arc<Peers>,
    client: PeerClient<Channel>,
}

impl Peers {
    /// Must be called on the Raft runtime, which drives the connections.
    pub(crate) fn new(identity: Identity, dial: Arc<dyn Dial>) -> Self {
        Self { identity, dial, runtime: Handle::current(), channels: Mutex::new(BTreeMap::new()) }
    }

    /// This node's own data directory.
    pub(crate) const fn disk_id(&self) -> u64 {
        self.identity.disk_id
    }

    /// A member; nothing is connected yet.
    pub(crate) fn peer(self: &Arc<Self>, class: Class, id: u64, member: &Member) -> Peer {
        let address = &member.peer_endpoint;
        let mut channels = self.channels.lock();
        let channel = channels.entry((class, address.clone())).or_insert_with(|| self.channel(class, address)).clone();
        self.over(channel, id, member)
    }

    /// Whoever is found at an address now, on a connection that ends with what this returns.
    pub(crate) fn stranger(self: &Arc<Self>, id: u64, member: &Member) -> Peer {
        self.over(self.channel(Class::Control, &member.peer_endpoint), id, member)
    }

    fn over(self: &Arc<Self>, channel: Channel, id: u64, member: &Member) -> Peer {
        let client = PeerClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
        Peer { id, address: member.peer_endpoint.clone(), disk_id: member.disk_id, peers: Arc::clone(self), client }
    }

    fn channel(&self, class: Class, address: &str) -> Channel {
        // A snapshot fills the connection; its pings wait behind data.
        let patience = if class == Class::Snapshot { 5 } else { 1 };
        // The connector knows the address; the URI only names the authority in the requests.
        let endpoint = Endpoint::from_static("http://keeper.peer")
            .connect_timeout(CONNECT_MAX)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL * patience)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT * patience)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES);
        let _driven_there = self.runtime.enter();
        let (dial, address) = (Arc::clone(&self.dial), address.to_owned());
        endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
            let connecting = dial.dial(address.clone());
            async move { connecting.await.map(TokioIo::<Box<dyn Connection>>::new) }
        }))
    }
}

impl Peer {
    /// A message to this peer.
    pub(crate) fn envelope(&self, kind: Kind, body: Bytes) -> Envelope {
        self.peers.identity.envelope(self.id, self.disk_id, kind, body)
    }

    /// Which data directory it is.
    pub(super) const fn directory(&self) -> Directory {
        (self.id, self.disk_id)
    }

    /// The generated client, for streams.
    pub(crate) fn client(&self) -> PeerClient<Channel> {
        self.client.clone()
    }

    /// Asks once.
    pub(crate) async fn call(&self, kind: Kind, body: Bytes, limit: Duration) -> Result<Bytes, CallError> {
        let answer = self.exchange(kind, body, limit).await?;
        self.open(answer, kind)
    }

    /// Asks once; the answer is yet to be opened.
    pub(crate) async fn exchange(&self, kind: Kind, body: Bytes, limit: Duration) -> Result<Envelope, CallError> {
        self.send(self.envelope(kind, body), limit).await
    }

    /// Asks once, with a message that says more than its kind does.
    pub(crate) async fn send(&self, message: Envelope, limit: Duration) -> Result<Envelope, CallError> {
        let mut client = self.client();
        let answer = tokio::time::timeout(limit, client.call(message))
            .await
            .map_err(|_| self.silent(limit))?
            .map_err(|status| self.unreachable(status))?;
        Ok(answer.into_inner())
    }

    /// The content of an answer.
    pub(crate) fn open(&self, answer: Envelope, expected: Kind) -> Result<Bytes, CallError> {
        if answer.kind == i32::from(Kind::Problem) {
            let problem = Problem::decode(answer.body).unwrap_or_default();
            return Err(self.refused(problem.message));
        }
        // Who is asked for its name may have any.
        let is_whom_we_asked = answer.from == self.id || (self.id == 0 && expected == Kind::Identify);
        if !is_whom_we_asked || answer.kind != i32::from(expected) {
            return Err(self.refused(format!("node {} answered with kind {}", answer.from, answer.kind)));
        }
        Ok(answer.body)
    }

    pub(crate) fn silent(&self, limit: Duration) -> CallError {
        CallError::Silent { peer: self.id, address: self.address.clone(), limit }
    }

    pub(crate) fn unreachable(&self, status: tonic::Status) -> CallError {
        CallError::Unreachable { peer: self.id, address: self.address.clone(), status: Box::new(status) }
    }

    pub(crate) fn refused(&self, message: String) -> CallError {
        CallError::Refused { peer: self.id, address: self.address.clone(), message }
    }

    pub(crate) const fn malformed(&self, source: DecodeError) -> CallError {
        CallError::Malformed { peer: self.id, source }
    }
}

/// Whoever is asked for its number has none yet.
fn named(peer: u64) -> String {
    if peer == 0 { "the node".to_owned() } else { format!("node {peer}") }
}

/// What went wrong at the bottom: the layers above it only say that something did.
fn why(status: &tonic::Status) -> String {
    if status.code() == tonic::Code::Unimplemented {
        return "what listens there is no peer listener of a node (`listen.peer`, by default port 7401)".to_owned();
    }
    let mut deepest = None;
    let mut next = status.source();
    while let Some(cause) = next {
        deepest = Some(cause.to_string());
        next = cause.source();
    }
    let said = deepest.unwrap_or_else(|| status.message().to_owned());
    if said.is_empty() { status.code().to_string() } else { said }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} at {}", self.id, self.address)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{BoxFuture, join_all};
    use keeper_registry::Level;
    use tokio::io::AsyncReadExt;
    use tokio::task::JoinSet;

    use super::*;

    /// Its connections are taken by somebody who reads, says nothing, and notes which of them ended.
    #[derive(Debug, Default)]
    struct Silent {
        readers: Arc<Mutex<JoinSet<()>>>,
        ended: Arc<Mutex<Vec<String>>>,
    }

    impl Dial for Silent {
        fn dial(&self, address: String) -> BoxFuture<'static, std::io::Result<Box<dyn Connection>>> {
            let (near, mut far) = tokio::io::duplex(64 << 10);
            let ended = Arc::clone(&self.ended);
            self.readers.lock().spawn(async move {
                drop(far.read_to_end(&mut Vec::new()).await);
                ended.lock().push(address);
            });
            Box::pin(async move { Ok(Box::new(near) as Box<dyn Connection>) })
        }
    }

    fn dialing(dial: Arc<Silent>) -> Arc<Peers> {
        let identity =
            Identity { cluster: "east".to_owned(), group: 0, node: 1, disk_id: 10, level_max: Level::NEWEST };
        Arc::new(Peers::new(identity, dial))
    }

    fn at(address: &str) -> Member {
        Member { peer_endpoint: address.to_owned(), ..Member::default() }
    }

    async fn ask(peer: Peer) -> Result<Bytes, CallError> {
        peer.call(Kind::Identify, Bytes::new(), Duration::from_millis(10)).await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_met_at_ever_new_addresses_leaves_nothing_behind() {
        let dial = Arc::new(Silent::default());
        let peers = dialing(Arc::clone(&dial));
        for number in 10..26 {
            let answer = ask(peers.stranger(0, &at(&format!("10.0.0.{number}:7401")))).await;
            assert!(matches!(answer, Err(CallError::Silent { .. })), "{answer:?}");
        }
        assert_eq!(peers.channels.lock().len(), 0);
        let readers = std::mem::take(&mut *dial.readers.lock());
        assert_eq!(readers.join_all().await.len(), 16, "and every connection has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_is_dialed_anew_each_time() {
        let dial = Arc::new(Silent::default());
        let peers = dialing(Arc::clone(&dial));
        for asked in 1..=3 {
            drop(ask(peers.stranger(0, &at("node2:7401"))).await);
            assert_eq!(dial.readers.lock().len(), asked, "the name may lead elsewhere by now");
        }
        for _ in 0..3 {
            drop(ask(peers.peer(Class::Control, 2, &at("node2:7401"))).await);
            assert_eq!(dial.readers.lock().len(), 4, "a member is kept");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connections_to_peers_end_in_one_order() {
        let dial = Arc::new(Silent::default());
        let (readers, ended) = (Arc::clone(&dial.readers), Arc::clone(&dial.ended));
        let peers = dialing(dial);
        let addresses: Vec<_> = (10..26).map(|number| format!("10.0.0.{number}:7401")).collect();
        let calls = addresses.iter().rev().map(|address| ask(peers.peer(Class::Control, 2, &at(address))));
        let answers = join_all(calls).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(CallError::Silent { .. }))), "{answers:?}");
        assert!(ended.lock().is_empty(), "all of them are connected");
        drop(peers);
        let readers = std::mem::take(&mut *readers.lock());
        assert_eq!(readers.join_all().await.len(), addresses.len());
        assert_eq!(*ended.lock(), addresses);
    }
}
