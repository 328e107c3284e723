//! Compiles the `.proto` files with protox, so that no protoc is needed.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("proto");
    let files = [
        "keeper/v1/problem.proto",
        "keeper/v1/session.proto",
        "keeper/v1/instance.proto",
        "keeper/v1/config.proto",
        "keeper/v1/control.proto",
        "keeper/v1/cluster.proto",
        "keeper/peer/v1/peer.proto",
    ];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, [root])?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("keeper_descriptor.bin"), prost_types_encode(&descriptors))?;
    tonic_prost_build::configure().bytes(".").btree_map(".").compile_fds(descriptors)?;
    Ok(())
}

fn prost_types_encode(set: &prost_types::FileDescriptorSet) -> Vec<u8> {
    use prost::Message;
    set.encode_to_vec()
}
