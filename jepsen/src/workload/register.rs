//! `register`: each client is an instance, and they take a few users from each other.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use keeper_client_sdk::{
    Consistency, Epoch, Error, Found, Instance, Keeper, Looked, Registered, Registration, Route, SessionKey, Sessions,
};
use rand::RngExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Crowd, Left,
    client::{Client, session_key},
    keys::Keys,
};

/// Outlives any outage of a run: nothing may expire.
pub(super) const TTL: Duration = Duration::from_secs(600);

pub(super) async fn spawn(crowd: &mut Crowd, client: Client, keys: Arc<Keys>) -> Result<()> {
    let instance = open(&client).await?;
    crowd.workers.spawn(work(client, instance, keys, crowd.stop.clone()));
    Ok(())
}

/// The lease under which a client writes sessions.
pub(super) async fn open(client: &Client) -> Result<Instance> {
    let instance = client.keeper.instance("jepsen", format!("client-{}", client.process)).ttl(TTL).open();
    instance.await.context("no lease")
}

async fn work(mut client: Client, instance: Instance, keys: Arc<Keys>, stop: CancellationToken) -> Result<Left> {
    let sessions = instance.sessions();
    let mut held: HashMap<String, (u64, Epoch)> = HashMap::new();
    let mut revision = 0;
    while !stop.is_cancelled() {
        let key = keys.pick(&mut client.random);
        match client.random.random_range(0..100) {
            0..40 => {
                let id = keys.number();
                if let Some(registered) = register(&mut client, &sessions, &key, id).await? {
                    revision = registered.revision;
                    held.insert(key, (id, registered.epoch));
                }
            }
            40..70 => drop(lookup(&mut client, &key).await?),
            70..80 => {
                if let Some((id, epoch)) = held.remove(&key) {
                    unregister(&mut client, &sessions, &key, id, epoch).await?;
                }
            }
            80..90 => read_state(&mut client, "local", &key, Value::Null, Consistency::Local).await?,
            _ => read_state(&mut client, "at-least", &key, revision.into(), Consistency::AtLeast(revision)).await?,
        }
        client.pause().await;
    }
    Ok(Some(instance))
}

pub(super) async fn register(
    client: &mut Client,
    sessions: &Sessions,
    key: &str,
    id: u64,
) -> Result<Option<Registered>> {
    let registration = Registration::new(session_key(key)?).connection(id.to_string());
    let answer = |it: &Registered| {
        let displaced = it.displaced.as_ref().and_then(|holder| number(&holder.connection));
        json!({ "epoch": epoch(it.epoch), "displaced": displaced })
    };
    client.run("register", key, json!({ "id": id }), sessions.register(registration), answer).await
}

pub(super) async fn unregister(
    client: &mut Client,
    sessions: &Sessions,
    key: &str,
    id: u64,
    held: Epoch,
) -> Result<()> {
    let session = session_key(key)?;
    let asked = json!({ "id": id, "epoch": epoch(held) });
    client.run("unregister", key, asked, sessions.unregister(&session, held), |()| Value::Null).await.map(drop)
}

async fn lookup(client: &mut Client, key: &str) -> Result<Option<Looked<Found>>> {
    // Half of them by a node that must ask the leader first.
    let route = if client.random.random_bool(0.5) { Route::Leader } else { Route::AnyNode };
    let asking = ask(client.keeper.clone(), session_key(key)?, Consistency::Linearizable, route);
    client.run("lookup", key, Value::Null, asking, |looked| found(&looked.found)).await
}

async fn read_state(
    client: &mut Client,
    f: &'static str,
    key: &str,
    asked: Value,
    consistency: Consistency,
) -> Result<()> {
    let asking = ask(client.keeper.clone(), session_key(key)?, consistency, Route::AnyNode);
    let answer = |it: &Looked<Found>| json!({ "revision": it.revision, "found": found(&it.found) });
    client.run(f, key, asked, asking, answer).await.map(drop)
}

async fn ask(keeper: Keeper, key: SessionKey, consistency: Consistency, route: Route) -> Result<Looked<Found>, Error> {
    keeper.lookup().consistency(consistency).route(route).session(&key).await
}

pub(super) fn found(found: &Found) -> Value {
    match found {
        Some(session) => json!({ "id": number(&session.connection), "epoch": epoch(session.epoch) }),
        None => Value::Null,
    }
}

pub(super) fn epoch(epoch: Epoch) -> Value {
    json!([epoch.revision, epoch.position])
}

/// The number that a connection is named by.
pub(super) fn number(connection: &[u8]) -> Option<u64> {
    std::str::from_utf8(connection).ok()?.parse().ok()
}

pub(super) async fn finish(client: &mut Client) -> Result<u64> {
    let mut revision = 0;
    for key in client.keys(&["register"])? {
        if let Some(looked) = lookup(client, &key).await? {
            revision = looked.revision;
        }
    }
    Ok(revision)
}
