//! A gateway: keeps connections registered, and hears when a user connects elsewhere or is kicked.
//!
//! `cargo run --example gateway -- 127.0.0.1:7400`

use std::collections::HashMap;

use bytes::Bytes;
use keeper_client_sdk::{Answer, GatewayEvent, Keeper, Registration, SessionKey};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let keeper = Keeper::connect(std::env::args().skip(1)).await?;
    let instance = keeper.instance("demo", "gateway-1").endpoint("ws://127.0.0.1:8100").zone("local");
    let (gateway, mut events) = instance.gateway().start();

    // By the names the gateway gives them.
    let mut connections = HashMap::new();
    for (name, user) in [("1", "alice"), ("2", "bob")] {
        let key = SessionKey::of_user(user)?;
        let connection = gateway.connect(Registration::new(key).connection(name).topic("news")).await?;
        tracing::info!(user, epoch = ?connection.epoch(), "registered");
        connections.insert(Bytes::from(name), connection);
    }
    loop {
        let event = tokio::select! {
            Some(event) = events.next() => event,
            _ = tokio::signal::ctrl_c() => break,
            else => break,
        };
        match event {
            GatewayEvent::Displaced { key, connection, by } => {
                tracing::info!(%key, to = by.instance, "the user connected elsewhere");
                // Closed, and let go of: that confirms it.
                connections.remove(&connection);
            }
            GatewayEvent::Kicked { key, connection, reason, .. } => {
                tracing::info!(%key, reason, "kicked");
                connections.remove(&connection);
            }
            GatewayEvent::Drain(action) => {
                connections.clear();
                action.acknowledge(Answer::Done).await?;
                break;
            }
            GatewayEvent::Refused { key, connection, error } => {
                tracing::info!(%key, %error, "not taken again");
                connections.remove(&connection);
            }
            GatewayEvent::Lost { reason, .. } => tracing::info!(?reason, "nobody finds us until the next life"),
            GatewayEvent::Reregistered { .. } => tracing::info!("everybody is found again"),
            GatewayEvent::Replaced { .. } => break,
            GatewayEvent::Control(_) | GatewayEvent::Opened { .. } | GatewayEvent::Unopened { .. } | _ => {}
        }
    }
    // Whoever said good-bye is offline at once; the rest ends with the lease.
    if let Some(alice) = connections.remove(&b"1"[..]) {
        alice.close().await;
    }
    gateway.close().await;
    Ok(())
}
