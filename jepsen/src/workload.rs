//! What the clients do; see `SEMANTICS.md`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use keeper_client_sdk::{Edit, Epoch, Keeper, Registration, SessionKey, Sessions};
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time;

use crate::{Workload, history::History};

/// Few keys make many conflicts.
const KEYS: u32 = 4;
/// Outlives any outage of a run: nothing may expire.
const TTL: Duration = Duration::from_secs(600);
/// Keeps histories readable; throughput is measured elsewhere.
const PAUSE: Duration = Duration::from_millis(5);

/// Works until it is stopped; fails only when the harness itself does.
pub(crate) async fn run(
    workload: Workload,
    keeper: Keeper,
    process: i64,
    mut random: StdRng,
    history: Arc<History>,
) -> Result<Infallible> {
    match workload {
        Workload::Register => {
            let instance = keeper.instance("jepsen", format!("client-{process}")).ttl(TTL).open();
            let instance = instance.await.context("no lease")?;
            let sessions = instance.sessions();
            loop {
                let key = format!("user-{}", random.random_range(0..KEYS));
                if random.random_bool(0.5) {
                    register(&sessions, process, &key, &history).await?;
                } else {
                    lookup(&keeper, process, &key, &history).await?;
                }
                time::sleep(PAUSE).await;
            }
        }
        Workload::Cas => {
            let mut number = process * 1_000_000_000;
            loop {
                let key = format!("jepsen/cas-{}.toml", random.random_range(0..KEYS));
                let revision = read(&keeper, process, &key, &history).await?;
                if let Some(revision) = revision.filter(|_| random.random_bool(0.5)) {
                    number += 1;
                    replace(&keeper, process, &key, revision, number, &history).await?;
                }
                time::sleep(PAUSE).await;
            }
        }
    }
}

async fn register(sessions: &Sessions, process: i64, key: &str, history: &History) -> Result<()> {
    let session = SessionKey::of_user(key.to_owned())?;
    history.invoke(process, "register", key, Value::Null)?;
    match sessions.register(Registration::new(session)).await {
        Ok(registered) => history.ok(process, "register", key, epoch(registered.epoch)),
        Err(error) => history.not_ok(process, "register", key, &error),
    }
}

async fn lookup(keeper: &Keeper, process: i64, key: &str, history: &History) -> Result<()> {
    let session = SessionKey::of_user(key.to_owned())?;
    history.invoke(process, "lookup", key, Value::Null)?;
    match keeper.lookup().session(&session).await {
        Ok(looked) => {
            let found = looked.found.map_or(Value::Null, |session| epoch(session.epoch));
            history.ok(process, "lookup", key, found)
        }
        Err(error) => history.not_ok(process, "lookup", key, &error),
    }
}

fn epoch(epoch: Epoch) -> Value {
    json!([epoch.revision, epoch.position])
}

/// The revision found; 0 when there is no document.
async fn read(keeper: &Keeper, process: i64, key: &str, history: &History) -> Result<Option<u64>> {
    history.invoke(process, "read", key, Value::Null)?;
    match keeper.configs().get(key).await {
        Ok(Some(document)) => {
            let number = document.value()?["number"].clone();
            history.ok(process, "read", key, json!([document.revision, number]))?;
            Ok(Some(document.revision))
        }
        Ok(None) => {
            history.ok(process, "read", key, json!([0, null]))?;
            Ok(Some(0))
        }
        Err(error) => {
            history.not_ok(process, "read", key, &error)?;
            Ok(None)
        }
    }
}

async fn replace(
    keeper: &Keeper,
    process: i64,
    key: &str,
    revision: u64,
    number: i64,
    history: &History,
) -> Result<()> {
    history.invoke(process, "cas", key, json!([revision, number]))?;
    let edit = Edit::put(key, format!("number = {number}\n")).expecting(revision);
    match keeper.configs().publish(edit).await {
        Ok(published) => history.ok(process, "cas", key, published.revision.into()),
        Err(error) => history.not_ok(process, "cas", key, &error),
    }
}
