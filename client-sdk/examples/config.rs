//! A process that runs by a document: announced by its schema, followed, kept on disk for a start without a cluster.
//!
//! `cargo run --example config -- 127.0.0.1:7400`, once the example `admin` has published the document. Publish
//! `connections_max = 70000` afterwards: it is refused, and says who could not read it.

use keeper_client_sdk::{Keeper, LastKnownGood};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
struct Limits {
    connections_max: u16,
    /// What was taken at the start stays taken.
    #[serde(default)]
    #[schemars(extend("x-keeper-restart" = true))]
    threads: u16,
}

fn show(limits: &Limits) {
    tracing::info!(limits.connections_max, limits.threads, "limits");
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    // Without waiting for a node: there may be none yet.
    let keeper = Keeper::builder().endpoints(std::env::args().skip(1)).build()?;
    let process = keeper.instance("example", "example-1").version(env!("CARGO_PKG_VERSION"));
    let kept = LastKnownGood::in_folder(std::env::temp_dir().join("keeper-example"));
    let mut config = process.config::<Limits>("demo/limits.toml").last_known_good(kept).await?;
    show(&config.borrow());
    tracing::info!(origin = ?config.origin(), "running");
    let _instance = process.open().await?;
    loop {
        match config.changed().await {
            Ok(change) => {
                for field in &change.fields {
                    tracing::info!(field.path, old = ?field.old, new = ?field.new, "changed");
                }
                show(&change.value);
                tracing::info!(needs_restart = ?change.needs_restart, "running");
            }
            Err(error) if error.reason() == "misfit" => tracing::warn!(%error, "the running value stays"),
            Err(error) => return Err(error.into()),
        }
    }
}
