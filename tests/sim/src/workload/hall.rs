//! A gateway as the library offers it: it says which connections there are, and the library keeps them registered.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use keeper_client_sdk::{Connection, Gateway, GatewayEvent, Registration};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::timeout;

use super::{key_of, text};
use crate::client::Client;
use crate::history::Kept;

/// How long its leases last.
const TTL: Duration = Duration::from_millis(3_000);

/// Users of halls, apart from those of rooms.
const USERS: u32 = 6;

/// Pause between two changes at most.
const PAUSE_MS: u64 = 200;

/// How long it waits for one connection to be registered before it gives it up again.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Lives for ever; at the end it changes nothing more, and says what it holds.
pub async fn keep_connections(client: Client, boot: u64) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    let (gateway, mut events) = keeper.instance("hall", &client.name).ttl(TTL).gateway().start();
    let mut held: BTreeMap<Bytes, Connection> = BTreeMap::new();
    // Names are used once, by all processes of this name together.
    let mut serial = boot * 1_000_000;
    loop {
        let quiet = Duration::from_millis(rng.random_range(1..=PAUSE_MS));
        match timeout(quiet, events.next()).await {
            Ok(Some(event)) => hear(event, &mut held),
            Ok(None) => return,
            Err(_) if client.history.is_over() => tell(&client, &held),
            Err(_) => change(&client, &gateway, &mut rng, &mut serial, &mut held).await,
        }
    }
}

/// An end of a connection is obeyed: its handle goes.
fn hear(event: GatewayEvent, held: &mut BTreeMap<Bytes, Connection>) {
    if let GatewayEvent::Displaced { connection, .. }
    | GatewayEvent::Kicked { connection, .. }
    | GatewayEvent::Refused { connection, .. } = event
    {
        held.remove(&connection);
    }
}

async fn change(
    client: &Client,
    gateway: &Gateway,
    rng: &mut StdRng,
    serial: &mut u64,
    held: &mut BTreeMap<Bytes, Connection>,
) {
    let leaving = held.keys().next().filter(|_| rng.random_range(0..3) == 0).cloned();
    if let Some(connection) = leaving.and_then(|name| held.remove(&name)) {
        // Happens also when nobody waits for it.
        _ = timeout(CONNECT_MAX, connection.close()).await;
        return;
    }
    *serial += 1;
    let name = Bytes::from(format!("{}-{serial}", client.name));
    let user = format!("h{}", rng.random_range(0..USERS));
    let registration = Registration::new(key_of(&user)).connection(name.clone());
    let connecting = timeout(CONNECT_MAX, gateway.connect(registration)).await;
    let connected = connecting.map_err(|_| "given up".to_owned()).and_then(|it| it.map_err(|error| error.to_string()));
    client.history.count("connect", &connected);
    if let Ok(connection) = connected {
        held.insert(name, connection);
    }
}

/// Says what it holds now, in place of what it said before.
fn tell(client: &Client, held: &BTreeMap<Bytes, Connection>) {
    let kept = held.iter().map(|(name, connection)| Kept {
        key: text(connection.key().user()),
        connection: text(name),
        epoch: connection.epoch(),
    });
    let prefix = format!("{}-", client.name);
    client.history.with(|records| {
        records.kept.retain(|it| !it.connection.starts_with(&prefix));
        records.kept.extend(kept);
    });
}
