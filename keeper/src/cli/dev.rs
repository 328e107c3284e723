//! `keeper dev`: a cluster of one node, founded by itself.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use etcetera::BaseStrategy as _;
use keeper::node::Node;
use keeper::settings::{Listen, PORT_BASE, Settings};
use keeper_proto::v1::StatusRequest;

use super::member::Member;
use super::{Failure, fresh, init, logging, open_files, run};

/// Its cluster's name; the data directory remembers it.
const CLUSTER: &str = "dev";
/// The number of its only node.
const NODE_ID: u64 = 1;
/// What a node that was never founded says about itself.
const UNINITIALIZED: &str = "uninitialized";

#[derive(Debug, Args)]
pub(super) struct Dev {
    /// Where the data lies; without it, keeper/dev under the user's state directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The client port; the peer and the HTTP port follow it. 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = PORT_BASE, value_parser = port_base)]
    port_base: u16,
}

impl Dev {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data_dir = match self.data_dir {
            Some(data_dir) => data_dir,
            None => default_data_dir()?,
        };
        let mut settings = Settings::new(CLUSTER, NODE_ID, &data_dir);
        settings.listen = Listen::loopback(self.port_base);
        logging::begin(&settings.log)?;
        open_files::raise_limit();
        run::node(settings, async |node| {
            found(node).await?;
            let addresses = node.addresses();
            let mut out = io::stdout().lock();
            writeln!(out, "clients  http://{}", addresses.client)?;
            writeln!(out, "metrics  http://{}/metrics", addresses.http)?;
            writeln!(out, "Ctrl-C stops; data in {}", data_dir.display())?;
            Ok(())
        })
    }
}

fn default_data_dir() -> anyhow::Result<PathBuf> {
    let base = etcetera::choose_base_strategy().context("no home directory is known: name one with --data-dir")?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Ok(state.join("keeper").join("dev"))
}

fn port_base(written: &str) -> Result<u16, String> {
    let last = u16::MAX - 2;
    match written.parse() {
        Ok(port) if port <= last => Ok(port),
        _ => Err(format!("it must be 0 to {last}: three ports in a row")),
    }
}

/// Founds the cluster at the first start.
async fn found(node: &Node) -> Result<(), Failure> {
    let addresses = node.addresses();
    let mut client = init::connect(&addresses.client.to_string()).await?;
    let status = client.status(StatusRequest {}).await.map_err(init::failure)?.into_inner();
    if status.role != UNINITIALIZED {
        return Ok(());
    }
    init::found(&mut client, CLUSTER, vec![only_member(addresses.peer, addresses.client)]).await?;
    fresh::declare_whole(&addresses.client.to_string()).await
}

fn only_member(peer: SocketAddr, client: SocketAddr) -> Member {
    Member::new(NODE_ID, peer.to_string(), client.to_string())
}
