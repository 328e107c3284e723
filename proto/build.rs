//! Compiles the `.proto` files with protox, so that no protoc is needed.

use std::path::Path;

use prost::Message as _;

const CLIENTS: [&str; 8] = [
    "keeper/v1/problem.proto",
    "keeper/v1/session.proto",
    "keeper/v1/instance.proto",
    "keeper/v1/config.proto",
    "keeper/v1/follow.proto",
    "keeper/v1/rollout.proto",
    "keeper/v1/control.proto",
    "keeper/v1/cluster.proto",
];

const PEERS: &str = "keeper/peer/v1/peer.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let root = Path::new("proto");
    let clients = protox::compile(CLIENTS, [root])?;
    let peers = protox::compile([PEERS], [root])?;
    let out = std::env::var("OUT_DIR")?;
    // Reflection tells clients of what they can call, and of nothing else.
    std::fs::write(Path::new(&out).join("keeper_descriptor.bin"), clients.encode_to_vec())?;
    for set in [clients, peers] {
        tonic_prost_build::configure().bytes(".").btree_map(".").compile_fds(set)?;
    }
    Ok(())
}
