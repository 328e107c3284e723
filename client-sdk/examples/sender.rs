//! A sender: finds where a user is connected.
//!
//! `cargo run --example sender -- 127.0.0.1:7400`

use keeper_client_sdk::{Consistency, Keeper, SessionKey};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let keeper = Keeper::connect(std::env::args().skip(1)).await?;
    let lookup = keeper.lookup();

    let looked = lookup.session(&SessionKey::of_user("alice")?).await?;
    match looked.found {
        Some(session) => tracing::info!(at = ?session.owner.endpoints, connection = ?session.connection, "online"),
        None => tracing::info!(revision = looked.revision, "nobody"),
    }

    // Cheaper and maybe a moment old: any node answers from the state it has.
    let local = lookup.consistency(Consistency::Local);
    let keys = ["alice", "bob", "carol"].map(SessionKey::of_user);
    let keys = keys.into_iter().collect::<Result<Vec<_>, _>>()?;
    let looked = local.many(&keys).await?;
    let online = looked.found.iter().filter(|it| it.is_some()).count();
    tracing::info!(online, age = ?looked.age, "of three");
    Ok(())
}
