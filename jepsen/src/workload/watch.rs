//! `watch`: two clients publish pairs of documents, the others follow all of them.

use std::time::Duration;

use anyhow::{Context, Result};
use keeper_client_sdk::{Cursor, Document, DocumentsChanged, Edit, Error, Keeper, Publish};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

use super::{Crowd, Left, cas, client::Client};

/// What is followed.
const PREFIX: &str = "jepsen/";

const PAIRS: u32 = 3;

/// The others follow.
const PUBLISHERS: u32 = 2;

/// How long a watcher may need for what is published when everything is healed.
const CATCH_UP: Duration = Duration::from_secs(20);

/// A watcher leaves its node as often as one in so many frames.
const LEAVES_ONE_IN: u32 = 25;

/// What a path belongs to: its folder.
pub(crate) fn pair_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(pair, _)| pair)
}

pub(super) fn spawn(crowd: &mut Crowd, client: Client, number: u32) {
    if number < PUBLISHERS {
        crowd.workers.spawn(publish(client, u64::from(number), crowd.stop.clone()));
    } else {
        let until = crowd.last_revision.subscribe();
        crowd.followers.spawn(follow(client, format!("watcher-{number}"), until));
    }
}

async fn publish(mut client: Client, publisher: u64, stop: CancellationToken) -> Result<Left> {
    let mut number = publisher * 1_000_000_000;
    while !stop.is_cancelled() {
        number += 1;
        let pair = format!("{PREFIX}pair-{}", client.random.random_range(0..PAIRS));
        let edit = |part| Edit::put(format!("{pair}/{part}.toml"), format!("number = {number}\n"));
        let publishing = both(client.keeper.clone(), Publish::of(edit("a")).and(edit("b")));
        let answer = |revision: &u64| json!({ "revision": revision });
        client.run("publish", &pair, json!({ "number": number }), publishing, answer).await?;
        client.pause().await;
    }
    Ok(None)
}

async fn both(keeper: Keeper, publish: Publish) -> Result<u64, Error> {
    keeper.configs().publish(publish).await.map(|published| published.revision)
}

/// Follows until it has seen the last revision there is.
async fn follow(mut client: Client, watcher: String, mut until: watch::Receiver<Option<u64>>) -> Result<Left> {
    let mut cursor = Cursor::default();
    let mut frames = client.keeper.configs().watch_from([PREFIX], cursor);
    loop {
        let last = *until.borrow_and_update();
        if last.is_some_and(|last| cursor.revision >= last) {
            return Ok(None);
        }
        let frame = tokio::select! {
            frame = frames.next() => frame.context("a watch ended")?.context("a watch was refused")?,
            Ok(()) = until.changed() => continue,
            // What it has not seen by now is missing, and the checker will say so.
            () = time::sleep(CATCH_UP), if last.is_some() => return Ok(None),
        };
        cursor = frame.cursor();
        client.note("watch", &watcher, Value::Null, told(&frame)).await?;
        if client.random.random_ratio(1, LEAVES_ONE_IN) {
            client.reconnect().await?;
            frames = client.keeper.configs().watch_from([PREFIX], cursor);
        }
    }
}

fn told(frame: &DocumentsChanged) -> Value {
    let document = |it: &Document| json!({ "path": it.path, "revision": it.revision, "number": cas::number(it) });
    let documents: Vec<Value> = frame.documents.iter().map(document).collect();
    json!({ "revision": frame.revision, "reset": frame.reset, "documents": documents })
}

pub(super) async fn finish(client: &mut Client) -> Result<u64> {
    let mut revision = 0;
    for pair in client.keys(&["publish"])? {
        for part in ["a", "b"] {
            if let Some(Some(document)) = cas::read(client, &format!("{pair}/{part}.toml")).await? {
                revision = revision.max(document.revision);
            }
        }
    }
    Ok(revision)
}
