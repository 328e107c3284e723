//! `presence`: users move between gateways, and subscribers are told.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result};
use keeper_client_sdk::{Error, Instance, Keeper, Looked, PresenceChange, PresenceFact, PresenceFrame, Session};
use keeper_client_sdk::{SessionKey, Subscription};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

use super::{Crowd, Left, client::Client, register};

/// One in three follows, the others write.
const FOLLOWS_ONE_IN: u32 = 3;

const USERS: u32 = 20;

/// How long a subscriber may need for what happened when everything is healed.
const CATCH_UP: Duration = Duration::from_secs(20);

/// A subscriber leaves its node as often as one in so many frames, and goes on from its token.
const LEAVES_ONE_IN: u32 = 25;

pub(super) async fn spawn(crowd: &mut Crowd, client: Client, number: u32) -> Result<()> {
    if number.is_multiple_of(FOLLOWS_ONE_IN) {
        let until = crowd.last_revision.subscribe();
        crowd.followers.spawn(follow(client, format!("subscriber-{number}"), until));
    } else {
        let instance = register::open(&client).await?;
        crowd.workers.spawn(write(client, instance, crowd.stop.clone()));
    }
    Ok(())
}

async fn write(mut client: Client, instance: Instance, stop: CancellationToken) -> Result<Left> {
    let sessions = instance.sessions();
    let mut held = HashMap::new();
    // Unique among writers and as long as the run lasts.
    let mut id = u64::try_from(client.process)? * 1_000_000_000;
    while !stop.is_cancelled() {
        let user = format!("user-{}", client.random.random_range(0..USERS));
        match held.remove(&user) {
            Some((id, epoch)) if client.random.random_bool(0.4) => {
                register::unregister(&mut client, &sessions, &user, id, epoch).await?;
            }
            _ => {
                id += 1;
                if let Some(registered) = register::register(&mut client, &sessions, &user, id).await? {
                    held.insert(user, (id, registered.epoch));
                }
            }
        }
        client.pause().await;
    }
    Ok(Some(instance))
}

/// Follows until everything up to the last revision was told.
async fn follow(mut client: Client, subscriber: String, mut until: watch::Receiver<Option<u64>>) -> Result<Left> {
    let subscription = Subscription::all().with_reconnects();
    let mut presence = client.keeper.presence(subscription.clone());
    let (mut reached, mut anew) = (0, true);
    loop {
        let last = *until.borrow_and_update();
        if last.is_some_and(|last| reached > last) {
            return Ok(None);
        }
        let frame = tokio::select! {
            frame = presence.frame() => frame.context("a subscription ended")?.context("a subscription was refused")?,
            Ok(()) = until.changed() => continue,
            // What it was not told by now is missing, and the checker will say so.
            () = time::sleep(CATCH_UP), if last.is_some() => return Ok(None),
        };
        reached = frame.revision;
        let mut value = told(&frame);
        value["anew"] = anew.into();
        client.note("follow", &subscriber, Value::Null, value).await?;
        anew = false;
        if client.random.random_ratio(1, LEAVES_ONE_IN) {
            client.reconnect().await?;
            presence = client.keeper.presence(subscription.clone().after(frame.token));
            anew = true;
        }
    }
}

fn told(frame: &PresenceFrame) -> Value {
    let facts: Vec<Value> = frame.facts.iter().map(fact).collect();
    json!({ "revision": frame.revision, "reset": frame.reset, "facts": facts })
}

fn fact(fact: &PresenceFact) -> Value {
    let (change, from) = match &fact.change {
        PresenceChange::Online => ("online", None),
        PresenceChange::Offline(_) => ("offline", None),
        PresenceChange::Moved(from) => ("moved", Some(from.epoch)),
        PresenceChange::Reconnected(from) => ("reconnected", Some(from.epoch)),
        PresenceChange::Dropped(_) => ("dropped", None),
    };
    json!({
        "user": fact.key.to_string(),
        "change": change,
        "epoch": register::epoch(fact.epoch),
        "revision": fact.revision,
        "id": register::number(&fact.connection),
        "from": from.map(register::epoch),
    })
}

async fn lookup(keeper: Keeper, user: String) -> Result<Looked<Option<Session>>, Error> {
    keeper.lookup().session(&SessionKey::of_user(user)?).await
}

pub(super) async fn finish(client: &mut Client) -> Result<u64> {
    let mut last = 0;
    for user in client.keys(&["register"])? {
        let asking = lookup(client.keeper.clone(), user.clone());
        let answer = |looked: &Looked<Option<Session>>| {
            let epoch = looked.found.as_ref().map(|session| register::epoch(session.epoch));
            json!({ "revision": looked.revision, "epoch": epoch })
        };
        if let Some(looked) = client.run("final-lookup", &user, Value::Null, asking, answer).await? {
            last = last.max(looked.revision);
        }
    }
    Ok(last)
}
