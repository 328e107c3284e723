//! `keeper-room`: the reference gateway of a push system.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Parser;
use keeper_client_sdk::Keeper;
use keeper_push::{
    process,
    room::{Options, Room},
};
use tokio_util::sync::CancellationToken;

/// Holds WebSocket connections of devices and registers them with Keeper.
///
/// Devices connect to ws://LISTEN/connect?user=U&slot=S&conn_seq=N; senders post to http://INBOX/push?user=U.
#[derive(Debug, Parser)]
#[command(name = "keeper-room", version)]
struct Arguments {
    /// Keeper nodes to begin with, as host:port; the others are learnt from them.
    #[arg(long, env = "KEEPER_ENDPOINTS", value_delimiter = ',', default_value = "127.0.0.1:7400")]
    endpoints: Vec<String>,
    /// This room's name.
    #[arg(long, default_value = "room-1")]
    id: String,
    /// Where devices connect.
    #[arg(long, default_value = "127.0.0.1:7510")]
    listen: SocketAddr,
    /// Where senders deliver; keep it away from devices.
    #[arg(long, default_value = "127.0.0.1:7520")]
    inbox: SocketAddr,
    /// What senders are told about the inbox [default: its own address].
    #[arg(long)]
    advertise: Option<String>,
    /// Where the room stands.
    #[arg(long, default_value = "")]
    zone: String,
    /// How long the room may be silent before its sessions count as gone, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    ttl_ms: u64,
    /// The document it runs by.
    #[arg(long, default_value = "push/room.toml")]
    config: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::log_to_stderr();
    process::exit("keeper-room", run(arguments).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::raise_file_limit();
    let room = Room::bind(Options {
        id: arguments.id.clone(),
        listen: arguments.listen,
        inbox: arguments.inbox,
        advertise: arguments.advertise,
        zone: arguments.zone,
        ttl: Duration::from_millis(arguments.ttl_ms),
        config: arguments.config,
    })
    .await?;
    let keeper = Keeper::builder().endpoints(arguments.endpoints).name(arguments.id).connect();
    let stop = CancellationToken::new();
    process::until_stopped(stop.clone(), async {
        let keeper = keeper.await.context("no Keeper node answers")?;
        room.run(keeper, stop).await
    })
    .await
}
