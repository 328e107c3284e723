//! What this machine can do without Keeper: no figure of Keeper can be better than what it is made of.
//!
//! | name | one operation |
//! |---|---|
//! | `fdatasync_4k` | appending 4 KiB to a file and `fdatasync` |
//! | `tonic_unary_echo` | a gRPC call of 100 bytes, 64 callers on one connection |
//! | `tonic_stream_echo_256` | an item of 100 bytes, 256 a frame, 4 frames under way on one gRPC stream |
//! | `tcp_ping` | 100 bytes there and back over one TCP connection |
//!
//! Latencies of the stream are those of its frames.

use std::{
    collections::VecDeque,
    fs::File,
    io::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::{
    bench::Bench,
    crew::{Pace, measure},
    echo::{Echo, EchoServer, ITEM_BYTES, STREAM, UNARY},
    latency::Latencies,
    meter::{Cost, Meter, Nobody},
    report::{Figures, Row, rounded},
};

const BLOCK_BYTES: usize = 4_096;
const UNARY_CALLERS: usize = 64;
const FRAME_ITEMS: usize = 256;
const FRAMES_IN_FLIGHT: usize = 4;

#[derive(Debug, Serialize)]
pub(crate) struct Limits {
    pub(crate) name: &'static str,
    pub(crate) ops_per_s: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

impl Figures for Limits {
    const WORKLOAD: &'static str = "limits";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    let time = bench.seconds(10, 4);
    let (latencies, cost) = fdatasync(time).await?;
    row(bench, "fdatasync_4k", 0, 1, &latencies, &cost, 0)?;
    let server = EchoServer::start().await?;
    let channel = Endpoint::from_shared(format!("http://{}", server.grpc))?.tcp_nodelay(true).connect().await?;
    let unary = measure(&server, Pace::new(UNARY_CALLERS, time), {
        let channel = channel.clone();
        move |_| call(channel.clone())
    })
    .await?;
    super::tell_errors(bench, &unary);
    row(bench, "tonic_unary_echo", 1, 1, &unary.latencies, &unary.cost, unary.errors)?;
    let (latencies, cost) = stream(&server, channel, time).await?;
    row(bench, "tonic_stream_echo_256", 1, FRAME_ITEMS, &latencies, &cost, 0)?;
    let (latencies, cost) = tcp(&server, time).await?;
    row(bench, "tcp_ping", 1, 1, &latencies, &cost, 0)
}

fn row(
    bench: &mut Bench,
    name: &'static str,
    servers: usize,
    ops: usize,
    latencies: &Latencies,
    cost: &Cost,
    errors: u64,
) -> Result<()> {
    let ops_per_s = rounded(latencies.count() as f64 * ops as f64 / cost.seconds);
    let figures = Limits { name, ops_per_s, p50_us: latencies.p50_us(), p99_us: latencies.p99_us() };
    bench.row(&Row::of(env!("CARGO_PKG_VERSION"), servers, cost, errors, figures))
}

async fn fdatasync(time: Duration) -> Result<(Latencies, Cost)> {
    let meter = Meter::start(&Nobody)?;
    let latencies = tokio::task::spawn_blocking(move || append(time)).await.context("writing")??;
    Ok((latencies, meter.stop(&Nobody)?))
}

fn append(time: Duration) -> Result<Latencies> {
    let own = std::env::current_exe().context("finding this program")?;
    let beside = own.parent().context("this program lies in no folder")?;
    let mut file: File = tempfile::tempfile_in(beside).context("making a file")?;
    let mut latencies = Latencies::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let begun = Instant::now();
        file.write_all(&[7; BLOCK_BYTES]).context("appending")?;
        file.sync_data().context("fdatasync")?;
        latencies.record(begun.elapsed());
    }
    Ok(latencies)
}

async fn call(channel: Channel) -> Result<()> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.context("connecting")?;
    let codec = ProstCodec::<Echo, Echo>::default();
    grpc.unary(Request::new(Echo::of(1)), PathAndQuery::from_static(UNARY), codec).await.context("calling")?;
    Ok(())
}

async fn stream(server: &EchoServer, channel: Channel, time: Duration) -> Result<(Latencies, Cost)> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.context("connecting")?;
    let (frames, outgoing) = mpsc::channel(FRAMES_IN_FLIGHT);
    let mut sent = VecDeque::new();
    for _ in 0..FRAMES_IN_FLIGHT {
        sent.push_back(Instant::now());
        frames.send(Echo::of(FRAME_ITEMS)).await.context("sending")?;
    }
    let request = Request::new(ReceiverStream::new(outgoing));
    let codec = ProstCodec::<Echo, Echo>::default();
    let opened = grpc.streaming(request, PathAndQuery::from_static(STREAM), codec).await.context("opening a stream")?;
    let mut answers = opened.into_inner();
    let meter = Meter::start(server)?;
    let mut latencies = Latencies::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let answer = answers.message().await.context("listening")?.context("the stream ended")?;
        if let Some(begun) = sent.pop_front() {
            latencies.record(begun.elapsed());
        }
        sent.push_back(Instant::now());
        frames.send(answer).await.context("sending")?;
    }
    Ok((latencies, meter.stop(server)?))
}

async fn tcp(server: &EchoServer, time: Duration) -> Result<(Latencies, Cost)> {
    let mut connection = TcpStream::connect(server.tcp).await.context("connecting")?;
    connection.set_nodelay(true)?;
    let meter = Meter::start(server)?;
    let mut latencies = Latencies::new();
    let mut item = [7; ITEM_BYTES];
    let end = Instant::now() + time;
    while Instant::now() < end {
        let begun = Instant::now();
        connection.write_all(&item).await.context("sending")?;
        connection.read_exact(&mut item).await.context("listening")?;
        latencies.record(begun.elapsed());
    }
    Ok((latencies, meter.stop(server)?))
}
