//! `cas`: clients read a few documents, write them, and replace what they read.

use std::sync::Arc;

use anyhow::Result;
use keeper_client_sdk::{Document, Edit, Error, Keeper};
use rand::RngExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Crowd, Left, client::Client, keys::Keys};

pub(super) fn spawn(crowd: &mut Crowd, client: Client, keys: Arc<Keys>) {
    crowd.workers.spawn(work(client, keys, crowd.stop.clone()));
}

async fn work(mut client: Client, keys: Arc<Keys>, stop: CancellationToken) -> Result<Left> {
    while !stop.is_cancelled() {
        let key = format!("jepsen/{}.toml", keys.pick(&mut client.random));
        let document = read(&mut client, &key).await?;
        match client.random.random_range(0..10) {
            0..5 => {
                if let Some(document) = document {
                    replace(&mut client, &key, document.as_ref(), keys.number()).await?;
                }
            }
            5 => write(&mut client, &key, keys.number()).await?,
            _ => {}
        }
        client.pause().await;
    }
    Ok(None)
}

async fn get(keeper: Keeper, key: String) -> Result<Option<Document>, Error> {
    keeper.configs().get(key).await
}

pub(super) async fn read(client: &mut Client, key: &str) -> Result<Option<Option<Document>>> {
    let getting = get(client.keeper.clone(), key.to_owned());
    let answer = |document: &Option<Document>| match document {
        Some(document) => json!({ "revision": document.revision, "number": number(document) }),
        None => json!({ "revision": 0, "number": null }),
    };
    client.run("read", key, Value::Null, getting, answer).await
}

/// The number a document holds.
pub(super) fn number(document: &Document) -> Option<u64> {
    document.value().ok()?.get("number")?.as_u64()
}

async fn publish(keeper: Keeper, edit: Edit) -> Result<u64, Error> {
    keeper.configs().publish(edit).await.map(|published| published.revision)
}

async fn replace(client: &mut Client, key: &str, document: Option<&Document>, number: u64) -> Result<()> {
    let expected = document.map_or(0, |it| it.revision);
    let asked = json!({ "expected": expected, "from": document.and_then(self::number), "number": number });
    let edit = Edit::put(key, format!("number = {number}\n")).expecting(expected);
    let publishing = publish(client.keeper.clone(), edit);
    client.run("cas", key, asked, publishing, |revision| json!({ "revision": revision })).await.map(drop)
}

async fn write(client: &mut Client, key: &str, number: u64) -> Result<()> {
    let publishing = publish(client.keeper.clone(), Edit::put(key, format!("number = {number}\n")));
    let asked = json!({ "number": number });
    client.run("write", key, asked, publishing, |revision| json!({ "revision": revision })).await.map(drop)
}

pub(super) async fn finish(client: &mut Client) -> Result<u64> {
    let mut revision = 0;
    for key in client.keys(&["read"])? {
        if let Some(Some(document)) = read(client, &key).await? {
            revision = revision.max(document.revision);
        }
    }
    Ok(revision)
}
