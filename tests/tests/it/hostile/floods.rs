//! HTTP/2 itself: frames that no client sends, or not in such numbers.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::{InProcess, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::metric;
use super::silent;
use crate::wire as raw;

/// A connection whose messages are whatever bytes a test makes of them.
pub(super) struct Raw {
    requests: SendRequest<Bytes>,
    calls: HashMap<u32, (ResponseFuture, SendStream<Bytes>)>,
    _driver: JoinSet<()>,
}

impl Raw {
    pub(super) async fn connect(cluster: &InProcess) -> Self {
        let stream = TcpStream::connect(cluster.settings(0).listen.client).await.expect("the node listens");
        let (requests, connection) = h2::client::handshake(stream).await.expect("a greeting");
        let mut driver = JoinSet::new();
        driver.spawn(async { drop(connection.await) });
        Self { requests, calls: HashMap::new(), _driver: driver }
    }

    /// Begins a call, which is known by a number from here on.
    pub(super) async fn open_call(&mut self, call: u32, path: &str) {
        let request = tonic::codegen::http::Request::post(format!("http://test{path}"));
        let request = request.header("content-type", "application/grpc").header("te", "trailers").body(());
        let mut ready = self.requests.clone().ready().await.expect("the connection is open");
        let opened = ready.send_request(request.expect("a request"), false).expect("a stream");
        self.calls.insert(call, opened);
    }

    /// Sends bytes of a call's messages; none when the node wants no more of it.
    pub(super) async fn data(&mut self, call: u32, bytes: &[u8]) -> Option<()> {
        let (_, stream) = self.calls.get_mut(&call).expect("the call was opened");
        let mut left = Bytes::copy_from_slice(bytes);
        while !left.is_empty() {
            stream.reserve_capacity(left.len());
            let capacity = std::future::poll_fn(|context| stream.poll_capacity(context)).await?.ok()?;
            stream.send_data(left.split_to(capacity.min(left.len())), false).ok()?;
        }
        Some(())
    }

    /// Says that there is no more.
    pub(super) async fn end(&mut self, call: u32) {
        let (_, stream) = self.calls.get_mut(&call).expect("the call was opened");
        // It may have been answered already.
        drop(stream.send_data(Bytes::new(), true));
    }

    /// How a call ends.
    pub(super) async fn status(&mut self, call: u32) -> (Code, String) {
        let (response, _stream) = self.calls.remove(&call).expect("the call was opened");
        let (head, mut body) = response.await.expect("an answer").into_parts();
        let status = match Status::from_header_map(&head.headers) {
            Some(status) => status,
            None => trailers(&mut body).await,
        };
        (status.code(), status.message().to_owned())
    }
}

async fn trailers(body: &mut RecvStream) -> Status {
    while let Some(data) = body.data().await {
        let bytes = data.expect("the body").len();
        body.flow_control().release_capacity(bytes).expect("it was taken");
    }
    let trailers = body.trailers().await.expect("the end").expect("trailers");
    Status::from_header_map(&trailers).expect("a status")
}

/// What opens every connection, with no settings of its own.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block of a call, and as many more headers as asked for.
fn block(more: usize, value: usize) -> Vec<u8> {
    let literal = |name: &[u8], value: &[u8]| {
        let size = |bytes: &[u8]| u8::try_from(bytes.len()).expect("it is short");
        [&[0, size(name)][..], name, &[size(value)], value].concat()
    };
    let path = literal(b":path", b"/keeper.v1.Cluster/Status");
    let mut block = [&[0x83, 0x86][..], &path, &literal(b":authority", b"test")].concat();
    block.extend(literal(b"content-type", b"application/grpc"));
    for at in 0..more {
        block.extend(literal(format!("x-{at}").as_bytes(), &vec![b'v'; value]));
    }
    block
}

/// Writes pieces for as long as the node takes them, and reads nothing. Whether it closed the connection.
async fn flood(address: std::net::SocketAddr, pieces: impl Iterator<Item = Vec<u8>>) -> bool {
    let mut stream = TcpStream::connect(address).await.expect("the node listens");
    stream.write_all(GREETING).await.expect("it reads the greeting");
    for piece in pieces {
        match timeout(Duration::from_secs(1), stream.write_all(&piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return true,
            // It takes no more until somebody reads, which is as good.
            Err(_) => return false,
        }
    }
    let mut read = Vec::new();
    timeout(Duration::from_secs(5), stream.read_to_end(&mut read)).await.is_ok()
}

/// Floods a listener while others go on, and waits until nothing is left of it.
async fn survives(pieces: impl Iterator<Item = Vec<u8>> + Clone) -> [bool; 2] {
    let cluster = InProcess::start(1).await;
    silent::populate(&cluster).await;
    let mut client = SessionsClient::new(raw::leader(&cluster).await);
    let listen = cluster.settings(0).listen;
    let connections = async || {
        let of = async |listener| metric(&cluster, &format!("keeper_connections{{listener=\"{listener}\"}}")).await;
        (of("client").await, of("peer").await)
    };
    let before = connections().await;
    let floods = async { tokio::join!(flood(listen.client, pieces.clone()), flood(listen.peer, pieces)) };
    let served = async {
        loop {
            client.lookup(silent::question(1)).await.expect("others are served");
        }
    };
    let closed = tokio::select! {
        (client, peer) = floods => [client, peer],
        () = served => unreachable!("it goes on for ever"),
    };
    until("the connections are gone", async || connections().await <= before).await;
    client.lookup(silent::question(1)).await.expect("the node is as well as before");
    closed
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_at_once_end_their_connection() {
    let call = |at: u32| {
        let stream = 2 * at + 1;
        [frame(HEADERS, END_HEADERS, stream, &block(0, 0)), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    assert_eq!(survives((0..20_000).map(call)).await, [true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_never_end_end_their_connection() {
    let begin = frame(HEADERS, 0, 1, &block(0, 0));
    let more = frame(CONTINUATION, 0, 1, &block(50, 200)[60..]);
    let pieces = std::iter::once(begin).chain(std::iter::repeat_n(more, 10_000));
    assert_eq!(survives(pieces).await, [true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_want_an_answer_which_nobody_reads_are_not_taken_for_ever() {
    let ping = frame(PING, 0, 0, b"whatever").repeat(1_000);
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]).repeat(1_000);
    let pieces = std::iter::repeat_n([ping, settings].concat(), 2_000);
    survives(pieces).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_without_measure_are_refused() {
    let calls = (0..50_u32).map(|at| {
        let stream = 2 * at + 1;
        let block = block(200, 100);
        let (begin, rest) = block.split_at(16_000);
        [frame(HEADERS, 0, stream, begin), frame(CONTINUATION, END_HEADERS, stream, rest)].concat()
    });
    survives(calls).await;
}
