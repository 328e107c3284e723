//! An admin: looks at the nodes, publishes a document unless somebody changed it meanwhile.
//!
//! `cargo run --example admin -- 127.0.0.1:7400`

use keeper_client_sdk::{Edit, Keeper, Publish};

/// What the example `config` runs by.
const PATH: &str = "demo/limits.toml";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let keeper = Keeper::connect(std::env::args().skip(1)).await?;
    for (endpoint, status) in keeper.cluster().status().await {
        match status {
            Ok(status) => tracing::info!(%endpoint, role = status.role.as_str(), status.applied_index, "node"),
            Err(error) => tracing::warn!(%endpoint, %error, "node"),
        }
    }

    let configs = keeper.configs();
    let edit = Edit::put(PATH, "connections_max = 20000\n");
    let edit = match configs.get(PATH).await? {
        Some(document) => edit.expecting(document.revision),
        None => edit.expecting_none(),
    };
    match configs.publish(Publish::of(edit).author("admin").message("room for more")).await {
        Ok(published) => tracing::info!(published.revision, published.changed, "published"),
        Err(error) if error.reason() == "revision-mismatch" => tracing::warn!(%error, "look again"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
