//! A process that runs by a document and follows its changes.
//!
//! `cargo run --example config -- 127.0.0.1:7400`, once the example `admin` has published the document.

use keeper_client_sdk::Keeper;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Limits {
    connections_max: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let keeper = Keeper::connect(std::env::args().skip(1)).await?;
    let mut config = keeper.config::<Limits>("demo/limits.toml").await?;
    tracing::info!(connections_max = config.borrow().connections_max, "running");
    loop {
        match config.changed().await {
            Ok(change) => {
                for field in &change.fields {
                    tracing::info!(field.path, old = ?field.old, new = ?field.new, "changed");
                }
                tracing::info!(connections_max = change.value.connections_max, "running");
            }
            Err(error) if error.reason() == "misfit" => tracing::warn!(%error, "the running value stays"),
            Err(error) => return Err(error.into()),
        }
    }
}
