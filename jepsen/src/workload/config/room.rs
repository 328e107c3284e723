//! A room: its lease comes and goes with the faults, and it runs with what it is given, unless that says otherwise.
//!
//! Documents of one publish are swapped one after the other. A room is a thread that does one thing at a time, the
//! library's work for it included, so that it never looks at them in between.

use std::{pin::pin, sync::Arc, thread, time::Duration};

use anyhow::{Context, Result};
use keeper_client_sdk::{Config, Error, Instance, InstanceBuilder};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    sync::{oneshot, watch},
    time,
};
use tokio_util::sync::CancellationToken;

use super::{PATHS, SERVICE, is_first};
use crate::workload::{Left, client::Client};

/// How long its leases last.
const TTL: Duration = Duration::from_secs(3);

/// How long it may need for what is published when everything is healed.
const CATCH_UP: Duration = Duration::from_secs(30);

/// Before it tries again what failed.
const AGAIN: Duration = Duration::from_millis(100);

/// Numbers that were refused and are not in the history yet.
type Refused = Arc<Mutex<Vec<u64>>>;

/// Runs until it has taken the last there is.
pub(super) async fn run(mut client: Client, room: String, until: watch::Receiver<Option<u64>>) -> Result<Left> {
    let (stop, (done, ended)) = (CancellationToken::new(), oneshot::channel());
    // Whoever drops this future ends the thread.
    let _stopping = stop.clone().drop_guard();
    let work = move || -> Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            // What the library does goes on where it was begun.
            client.reconnect().await?;
            stop.run_until_cancelled(live(&mut client, &room, until)).await.unwrap_or(Ok(()))
        })
    };
    // Nobody is left to hear of it when the run has ended.
    let working = move || drop(done.send(work()));
    thread::Builder::new().name("room".to_owned()).spawn(working).context("a room has no thread")?;
    ended.await.context("a room panicked")??;
    Ok(None)
}

async fn live(client: &mut Client, room: &str, mut until: watch::Receiver<Option<u64>>) -> Result<()> {
    let keeper = client.keeper.clone();
    let ring = if is_first(room) { "first" } else { "second" };
    let instance = || keeper.instance(SERVICE, room).ttl(TTL).label("ring", ring);
    let refused = Refused::default();
    let mut refusing = [false; PATHS.len()];
    let mut lease = open(&instance).await;
    let (first, second) = (instance(), instance());
    let mut a = read(&first, PATHS[0], room, &refused).await;
    let mut opening = pin!(read(&second, PATHS[1], room, &refused));
    // It runs with the first one, and is said to, however long the other one takes.
    let mut b = loop {
        note_taken(client, room, [Some(&a), None], refusing).await?;
        tokio::select! {
            biased;
            changed = a.changed() => refusing[0] = is_refusing(changed.map(drop))?,
            b = &mut opening => break b,
        }
    };
    note_life(client, room, &lease).await?;
    loop {
        note_taken(client, room, [Some(&a), Some(&b)], refusing).await?;
        let numbers = std::mem::take(&mut *refused.lock());
        for number in numbers {
            client.note("refuse", room, Value::Null, json!({ "number": number })).await?;
        }
        let last = *until.borrow_and_update();
        if last.is_some_and(|last| a.revision() >= last && b.revision() >= last) {
            return Ok(());
        }
        tokio::select! {
            changed = a.changed() => refusing[0] = is_refusing(changed.map(drop))?,
            changed = b.changed() => refusing[1] = is_refusing(changed.map(drop))?,
            _ = lease.lost() => {
                client.note("lost", room, Value::Null, Value::Null).await?;
                lease = open(&instance).await;
                note_life(client, room, &lease).await?;
            }
            Ok(()) = until.changed() => {}
            // What it has not taken by now is missing, and the checker will say so.
            () = time::sleep(CATCH_UP), if last.is_some() => return Ok(()),
        }
    }
}

async fn note_taken(
    client: &mut Client,
    room: &str,
    documents: [Option<&Config<Value>>; PATHS.len()],
    refusing: [bool; PATHS.len()],
) -> Result<()> {
    let [a, b] = documents.map(|document| document.map(taken));
    let taken = json!({ "a": a, "b": b, "refusing": refusing.contains(&true) });
    client.note("take", room, Value::Null, taken).await
}

async fn note_life(client: &mut Client, room: &str, lease: &Instance) -> Result<()> {
    client.note("live", room, Value::Null, json!({ "incarnation": lease.incarnation() })).await
}

async fn open(instance: &impl Fn() -> InstanceBuilder) -> Instance {
    loop {
        match instance().open().await {
            Ok(lease) => return lease,
            Err(_) => time::sleep(AGAIN).await,
        }
    }
}

async fn read(instance: &InstanceBuilder, path: &str, room: &str, refused: &Refused) -> Config<Value> {
    loop {
        let (room, refused) = (room.to_owned(), Arc::clone(refused));
        let fits = move |value: &Value| {
            if value.get("refused_by").and_then(Value::as_str) != Some(&room) {
                return Ok(());
            }
            refused.lock().extend(number(value));
            Err(format!("{room} does not run with it"))
        };
        match instance.config::<Value>(path).validate(fits).or_empty().await {
            Ok(config) => return config,
            Err(_) => time::sleep(AGAIN).await,
        }
    }
}

/// A change that cannot be run with is one as well.
fn is_refusing(changed: Result<(), Error>) -> Result<bool> {
    match changed {
        Ok(()) => Ok(false),
        Err(ended @ Error::Ended { .. }) => Err(ended).context("a document is read no more"),
        Err(_) => Ok(true),
    }
}

fn taken(config: &Config<Value>) -> Value {
    json!({ "number": number(&config.borrow()), "revision": config.revision(), "rollout": config.rollout() })
}

fn number(value: &Value) -> Option<u64> {
    value.get("number").and_then(Value::as_u64)
}
