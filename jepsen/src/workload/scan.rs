//! `scan`: walks over sessions, some of which stay while others come and go.

use std::collections::HashMap;

use anyhow::Result;
use bytes::Bytes;
use keeper_client_sdk::{Error, Instance, Scan, ScanSessions};
use rand::RngExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Crowd, Left, client::Client, register};

/// These walk, the others write.
const WALKERS: u32 = 2;

/// Sessions of each writer that stay, and those that come and go.
const STAYING: u32 = 40;
const ROAMING: u32 = 40;

/// Sessions a second of a walk that lasts, so that faults fall into it.
const SLOW: u32 = 150;

pub(super) async fn spawn(crowd: &mut Crowd, mut client: Client, number: u32) -> Result<()> {
    let stop = crowd.stop.clone();
    if number < WALKERS {
        crowd.workers.spawn(walk(client, stop));
        return Ok(());
    }
    let instance = register::open(&client).await?;
    let sessions = instance.sessions();
    let mut id = u64::from(number) * 1_000_000_000;
    for user in 0..STAYING {
        id += 1;
        register::register(&mut client, &sessions, &format!("stay-{number}-{user}"), id).await?;
    }
    crowd.workers.spawn(write(client, instance, number, stop));
    Ok(())
}

async fn write(mut client: Client, instance: Instance, number: u32, stop: CancellationToken) -> Result<Left> {
    let sessions = instance.sessions();
    let mut held = HashMap::new();
    let mut id = u64::from(number) * 1_000_000_000 + u64::from(STAYING);
    while !stop.is_cancelled() {
        let user = format!("roam-{number}-{}", client.random.random_range(0..ROAMING));
        if let Some((id, epoch)) = held.remove(&user) {
            register::unregister(&mut client, &sessions, &user, id, epoch).await?;
        } else {
            id += 1;
            if let Some(registered) = register::register(&mut client, &sessions, &user, id).await? {
                held.insert(user, (id, registered.epoch));
            }
        }
        client.pause().await;
    }
    Ok(Some(instance))
}

/// What a walk met.
struct Met {
    at: u64,
    found: Vec<Value>,
}

async fn walk(mut client: Client, stop: CancellationToken) -> Result<Left> {
    while !stop.is_cancelled() {
        let rate = if client.random.random_bool(0.5) { SLOW } else { 0 };
        let pages = client.random.random_bool(0.5).then(|| client.random.random_range(1..4));
        scan(&mut client, ScanSessions { rate, ..ScanSessions::default() }, pages).await?;
        client.pause().await;
    }
    Ok(None)
}

/// A walk and its tail. One that changes clients stops after some pages and goes on from its token elsewhere.
async fn scan(client: &mut Client, walk: ScanSessions, pages: Option<u32>) -> Result<()> {
    let mut scan = client.keeper.sessions().scan(walk.clone());
    let companion = client.companion(u32::try_from(client.process)? % 1_000).await?.keeper;
    let mut met = Met { at: 0, found: Vec::new() };
    let walking = async {
        let left = collect(&mut scan, &mut met, pages.unwrap_or(u32::MAX)).await?;
        if let Some(token) = left {
            scan = companion.sessions().scan(ScanSessions { token, ..walk });
            collect(&mut scan, &mut met, u32::MAX).await?;
        }
        Ok((scan, met))
    };
    let answer = |(_, met): &(Scan, Met)| json!({ "since": 0, "at": met.at, "found": met.found });
    let Some((scan, met)) = client.run("scan", "all", Value::Null, walking, answer).await? else { return Ok(()) };
    let walking = async {
        let mut tail = scan.tail()?;
        let mut rest = Met { at: 0, found: Vec::new() };
        collect(&mut tail, &mut rest, u32::MAX).await?;
        Ok(rest)
    };
    let answer = |rest: &Met| json!({ "since": met.at, "at": rest.at, "found": rest.found });
    client.run("tail", "all", Value::Null, walking, answer).await.map(drop)
}

/// Takes pages; returns the token when pages are left.
async fn collect(scan: &mut Scan, met: &mut Met, pages: u32) -> Result<Option<Bytes>, Error> {
    let mut taken = 0;
    while let Some(page) = scan.page().await {
        for session in page? {
            met.found.push(json!({ "key": session.key.to_string(), "epoch": register::epoch(session.epoch) }));
        }
        met.at = scan.at_revision().unwrap_or_default();
        taken += 1;
        if taken >= pages
            && let Some(token) = scan.token()
        {
            return Ok(Some(token.clone()));
        }
    }
    Ok(None)
}

pub(super) async fn finish(client: &mut Client) -> Result<u64> {
    scan(client, ScanSessions::default(), None).await?;
    Ok(0)
}
