//! `keeper-room-clients`: many devices of one room.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use keeper_push::{crowd::Crowd, process};
use tokio_util::sync::CancellationToken;

/// Opens many WebSocket connections to a room, keeps them open, and says how many stand.
#[derive(Debug, Parser)]
#[command(name = "keeper-room-clients", version)]
struct Arguments {
    /// The room, as host:port.
    #[arg(long, default_value = "127.0.0.1:7510")]
    room: String,
    /// How many devices.
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
    /// Users are called by this and a number of five digits.
    #[arg(long, default_value = "user-")]
    prefix: String,
    /// How often a device says that it is there, in milliseconds; shorter than the room's idle timeout.
    #[arg(long, default_value_t = 15_000)]
    ping_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { room, devices, prefix, ping_ms } = Arguments::parse();
    process::log_to_stderr();
    process::raise_file_limit();
    let stop = CancellationToken::new();
    let crowd = Crowd { room, devices, prefix, ping_interval: Duration::from_millis(ping_ms) };
    process::exit("keeper-room-clients", process::until_stopped(stop.clone(), crowd.run(stop)).await)
}
