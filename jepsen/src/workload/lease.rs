//! `lease`: holders open instances, keep them, close them or leave them alone; two clients look on.

use std::time::Duration;

use anyhow::{Context, Result};
use keeper_client_sdk::{Error, Instance, InstanceInfo, InstancesChanged, Keeper, Looked, Registration, Session};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::{time, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Crowd, Left,
    client::{Client, session_key},
};

/// Shorter than most faults, longer than an election.
const TTL: Duration = Duration::from_secs(3);

/// Renewals come three times a TTL.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// After the last fault a lease that nobody renews is gone after its TTL, counted anew by a leader that took office
/// meanwhile, and an election.
const GONE_WITHIN: Duration = Duration::from_secs(8);

const SERVICE: &str = "jepsen-lease";

pub(super) fn spawn(crowd: &mut Crowd, client: Client, number: u32) {
    let stop = crowd.stop.clone();
    match number {
        0 => crowd.workers.spawn(list(client, stop)),
        1 => crowd.workers.spawn(follow(client, stop)),
        _ => crowd.workers.spawn(hold(client, number, stop)),
    };
}

async fn hold(mut client: Client, number: u32, stop: CancellationToken) -> Result<Left> {
    let mut life = 0;
    while !stop.is_cancelled() {
        let name = format!("holder-{number}-{life}");
        let Some(instance) = open(&mut client, &name).await? else { continue };
        register(&mut client, &instance, &name).await?;
        let until = Instant::now() + Duration::from_millis(client.random.random_range(500..6_000));
        let is_lost = keep(&mut client, &instance, &name, until).await?;
        match client.random.random_range(0..3) {
            _ if is_lost => {}
            0 => close(&mut client, instance, &name).await?,
            1 => {
                // Under the same name again: the life before ends by it.
                if let Some(second) = open(&mut client, &name).await? {
                    close(&mut client, second, &name).await?;
                }
            }
            _ => {
                let incarnation = json!({ "incarnation": instance.incarnation() });
                client.note("abandon", &name, incarnation, Value::Null).await?;
                client.reconnect().await?;
                life += 1;
            }
        }
    }
    Ok(None)
}

async fn open(client: &mut Client, name: &str) -> Result<Option<Instance>> {
    let opening = client.keeper.instance(SERVICE, name).ttl(TTL).open();
    let answer = |it: &Instance| json!({ "incarnation": it.incarnation() });
    client.run("open", name, json!({ "ttl_ms": u64::try_from(TTL.as_millis())? }), opening, answer).await
}

async fn close(client: &mut Client, instance: Instance, name: &str) -> Result<()> {
    let incarnation = json!({ "incarnation": instance.incarnation() });
    client.run("close", name, incarnation, instance.close(), |()| Value::Null).await.map(drop)
}

async fn register(client: &mut Client, instance: &Instance, name: &str) -> Result<()> {
    let sessions = instance.sessions();
    let registering = sessions.register(Registration::new(session_key(name)?));
    client.run("register", name, Value::Null, registering, |_| Value::Null).await.map(drop)
}

/// Writes down until when the lease is held, as often as that changes. Returns whether it was lost.
async fn keep(client: &mut Client, instance: &Instance, name: &str, until: Instant) -> Result<bool> {
    let mut known = None;
    while Instant::now() < until {
        let Some(held_until) = instance.held_until() else { return Ok(true) };
        if known != Some(held_until) {
            known = Some(held_until);
            let asked = json!({ "incarnation": instance.incarnation() });
            let answer = json!({ "until": client.history.time_of(held_until) });
            client.note("held", name, asked, answer).await?;
        }
        time::sleep(LOOK_AGAIN).await;
    }
    Ok(false)
}

async fn list(mut client: Client, stop: CancellationToken) -> Result<Left> {
    while !stop.is_cancelled() {
        look(&mut client, "list").await?;
        let holders: Vec<String> = client.keys(&["open"])?.into_iter().collect();
        if !holders.is_empty() {
            let name = holders[client.random.random_range(0..holders.len())].clone();
            let asking = lookup(client.keeper.clone(), name.clone());
            let answer = |looked: &Looked<Option<Session>>| match &looked.found {
                Some(session) => json!({ "incarnation": session.owner.incarnation }),
                None => Value::Null,
            };
            client.run("lookup", &name, Value::Null, asking, answer).await?;
        }
        client.pause().await;
    }
    Ok(None)
}

async fn lookup(keeper: Keeper, name: String) -> Result<Looked<Option<Session>>, Error> {
    let key = keeper_client_sdk::SessionKey::of_user(name)?;
    keeper.lookup().session(&key).await
}

async fn instances(keeper: Keeper) -> Result<Vec<InstanceInfo>, Error> {
    keeper.instances().list(SERVICE).await
}

async fn look(client: &mut Client, f: &'static str) -> Result<()> {
    let listing = instances(client.keeper.clone());
    let answer = |them: &Vec<InstanceInfo>| {
        let one = |it: &InstanceInfo| json!({ "name": it.id, "incarnation": it.incarnation });
        json!({ "instances": them.iter().map(one).collect::<Vec<Value>>() })
    };
    client.run(f, SERVICE, Value::Null, listing, answer).await.map(drop)
}

async fn follow(mut client: Client, stop: CancellationToken) -> Result<Left> {
    let mut changes = client.keeper.instances().watch(SERVICE);
    loop {
        let change = tokio::select! {
            change = changes.next() => change.context("a watch ended")?.context("a watch was refused")?,
            () = stop.cancelled() => return Ok(None),
        };
        client.note("changes", SERVICE, Value::Null, told(&change)).await?;
    }
}

fn told(change: &InstancesChanged) -> Value {
    let opened = change.opened.iter().map(|it| json!({ "name": it.id, "incarnation": it.incarnation }));
    let closed = change.closed.iter();
    let closed = closed.map(|it| json!({ "name": it.id, "incarnation": it.incarnation, "reason": it.reason }));
    json!({
        "revision": change.revision,
        "reset": change.reset,
        "opened": opened.collect::<Vec<Value>>(),
        "closed": closed.collect::<Vec<Value>>(),
    })
}

pub(super) async fn finish(client: &mut Client) -> Result<u64> {
    time::sleep(GONE_WITHIN).await;
    look(client, "final-list").await?;
    Ok(0)
}
