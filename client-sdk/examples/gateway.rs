//! A gateway: holds a lease, registers connections, and hears when a user connects elsewhere.
//!
//! `cargo run --example gateway -- 127.0.0.1:7400`

use std::time::Duration;

use keeper_client_sdk::{Keeper, Notice, NoticeCause, Registration, SessionKey};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let keeper = Keeper::connect(std::env::args().skip(1)).await?;
    let instance = keeper
        .instance("demo", "gateway-1")
        .endpoint("ws://127.0.0.1:8100")
        .zone("local")
        .ttl(Duration::from_secs(10))
        .open()
        .await?;
    let sessions = instance.sessions();

    let key = SessionKey::of_user("alice")?;
    let registered = sessions.register(Registration::new(key.clone()).connection("1").topic("news")).await?;
    tracing::info!(%key, epoch = %registered.epoch, "registered");
    if let Some(displaced) = registered.displaced {
        tracing::info!(by = displaced.instance, "took the session over");
    }

    let mut notices = sessions.notices();
    loop {
        tokio::select! {
            reason = instance.lost() => anyhow::bail!("the lease is lost: {reason:?}"),
            Some(notice) = notices.next() => match notice? {
                Notice::Ended { key, cause: NoticeCause::Displaced(holder), .. } => {
                    tracing::info!(%key, to = holder.instance, "the user connected elsewhere");
                }
                Notice::Ended { key, cause: NoticeCause::Kicked { reason, .. }, .. } => {
                    tracing::info!(%key, reason, "kicked");
                }
                Notice::Reset => tracing::info!("compare the sessions held here with lookups"),
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    // A stale epoch is refused and changes nothing: the session may be somebody else's by now.
    if let Err(error) = sessions.unregister(&key, registered.epoch).await {
        tracing::info!(reason = error.reason(), "not unregistered");
    }
    instance.close().await?;
    Ok(())
}
