//! A server that answers what it hears, over gRPC and over bare TCP: what this machine can do without Keeper.
//!
//! It is a process of its own, as a node is: a call between two processes costs more than one within.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    task::{Context as TaskContext, Poll},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    task::JoinSet,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codegen::{Service, http},
    server::{Grpc, NamedService, StreamingService, UnaryService},
    transport::Server,
};
use tonic_prost::ProstCodec;

use crate::{
    meter::{Served, Serving},
    process::Usage,
};

/// Bytes of one item.
pub(crate) const ITEM_BYTES: usize = 100;

/// One message in and the same out.
pub(crate) const UNARY: &str = "/bench.Echo/Unary";

/// Many in and the same out.
pub(crate) const STREAM: &str = "/bench.Echo/Stream";

/// What is sent, and comes back.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Echo {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) items: Vec<Bytes>,
}

impl Echo {
    pub(crate) fn of(items: usize) -> Self {
        Self { items: vec![Bytes::from_static(&[7; ITEM_BYTES]); items] }
    }
}

/// Runs as the server, until its parent ends.
pub(crate) async fn serve() -> Result<()> {
    let (grpc, tcp) = (listen().await?, listen().await?);
    let (grpc_address, tcp_address) = (grpc.local_addr()?, tcp.local_addr()?);
    writeln!(std::io::stdout(), "{grpc_address} {tcp_address}").context("telling the parent")?;
    let mut stdin = tokio::io::stdin();
    let mut byte = [0];
    let server = Server::builder().tcp_nodelay(true).add_service(EchoService);
    tokio::select! {
        served = server.serve_with_incoming(TcpListenerStream::new(grpc)) => served.context("serving gRPC"),
        served = answer_connections(tcp) => served,
        // A read that ends is the end of the parent.
        _ = stdin.read(&mut byte) => Ok(()),
    }
}

async fn listen() -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening")
}

async fn answer_connections(listener: TcpListener) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("accepting")?;
        connections.spawn(answer(stream));
    }
}

/// Until the other side is gone.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut item = [0; ITEM_BYTES];
    loop {
        stream.read_exact(&mut item).await?;
        stream.write_all(&item).await?;
    }
}

#[derive(Clone)]
struct EchoService;

impl NamedService for EchoService {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for EchoService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Echo, Echo>::default());
            Ok(match request.uri().path() {
                UNARY => grpc.unary(Self, request).await,
                STREAM => grpc.streaming(Self, request).await,
                path => Status::unimplemented(format!("there is no {path}")).into_http(),
            })
        })
    }
}

impl UnaryService<Echo> for EchoService {
    type Response = Echo;
    type Future = Ready<Result<Response<Echo>, Status>>;

    fn call(&mut self, request: Request<Echo>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

impl StreamingService<Echo> for EchoService {
    type Response = Echo;
    type ResponseStream = Streaming<Echo>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Echo>>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

/// The server as its parent holds it. The process ends with it.
#[derive(Debug)]
pub(crate) struct EchoServer {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) tcp: SocketAddr,
}

impl EchoServer {
    pub(crate) async fn start() -> Result<Self> {
        let own = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(own);
        command.arg("__echo").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("starting an echo server")?;
        let stdout = child.stdout.take().context("an echo server without output")?;
        let line = BufReader::new(stdout).lines().next_line().await.context("listening to an echo server")?;
        let (grpc, tcp) = line.as_deref().and_then(addresses).context("an echo server ended by itself")?;
        Ok(Self { child, grpc, tcp })
    }
}

fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (grpc, tcp) = line.split_once(' ')?;
    Some((grpc.parse().ok()?, tcp.parse().ok()?))
}

impl Serving for EchoServer {
    fn usage(&self) -> Result<Option<Served>> {
        let Some(pid) = self.child.id() else { return Ok(None) };
        let Usage { cpu_s, rss_bytes } = Usage::of(pid).context("reading what the echo server has used")?;
        Ok(Some(Served { cpu_s, rss_bytes }))
    }
}
