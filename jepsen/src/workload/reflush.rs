//! `reflush`: gateways hold connections while the cluster loses all it has and is founded anew.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use keeper_client_sdk::{
    Connection, Error, Gateway, GatewayEvent, GatewayEvents, Keeper, Looked, Registration, Session, SessionKey,
};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::{time, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Crowd, Left,
    client::{Client, session_key},
    register,
};

/// Longer than the loss of everything takes, so that only the state is lost and no lease by silence.
const TTL: Duration = Duration::from_secs(60);

/// Of each client.
const USERS: u32 = 25;

/// How long everything may take to be registered again once the cluster is healed.
const REGISTERED_WITHIN: Duration = Duration::from_secs(30);

/// The events of a client's gateways are another process.
const EVENTS: u32 = 100;

/// A pause between two looks at what is not there yet.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub(super) async fn spawn(crowd: &mut Crowd, mut client: Client, number: u32) -> Result<()> {
    let stop = crowd.stop.clone();
    let mut gateways = Vec::new();
    for (name, offset) in [("a", EVENTS), ("b", EVENTS * 2)] {
        let instance = client.keeper.instance("jepsen-gateway", format!("{name}-{number}")).ttl(TTL);
        let (gateway, events) = instance.gateway().start();
        gateways.push(gateway);
        crowd.followers.spawn(listen(client.companion(number + offset).await?, events));
    }
    let mut roamer = Roamer { number, id: 0, gateways, held: HashMap::new() };
    for user in 0..USERS {
        roamer.connect(&mut client, user, &stop).await?;
    }
    crowd.followers.spawn(roam(client, roamer, stop));
    Ok(())
}

/// Users of one client, each at one of two gateways.
struct Roamer {
    number: u32,
    id: u64,
    gateways: Vec<Gateway>,
    held: HashMap<u32, Connection>,
}

impl Roamer {
    fn key(&self, user: u32) -> String {
        format!("user-{}-{user}", self.number)
    }

    /// Connects a user by one of the gateways; the connection before is over by then.
    async fn connect(&mut self, client: &mut Client, user: u32, stop: &CancellationToken) -> Result<()> {
        self.id += 1;
        let (id, key) = (self.id, self.key(user));
        let gateway = self.gateways[usize::try_from(id)? % self.gateways.len()].clone();
        let registration = Registration::new(session_key(&key)?).connection(id.to_string());
        let connecting = async move { gateway.connect(registration).await };
        let connecting = client.run("connect", &key, json!({ "id": id }), connecting, |_| Value::Null);
        // It waits for as long as it takes; a run does not.
        let Some(connected) = stop.run_until_cancelled(connecting).await else { return Ok(()) };
        if let Some(connection) = connected? {
            self.held.insert(user, connection);
        }
        Ok(())
    }
}

async fn roam(mut client: Client, mut roamer: Roamer, stop: CancellationToken) -> Result<Left> {
    while !stop.is_cancelled() {
        let user = client.random.random_range(0..USERS);
        if client.random.random_bool(0.1) {
            roamer.connect(&mut client, user, &stop).await?;
        } else {
            look(&mut client, "lookup", &roamer.key(user)).await?;
        }
        client.pause().await;
    }
    // Held until everything was looked at.
    std::future::pending().await
}

async fn listen(mut client: Client, mut events: GatewayEvents) -> Result<Left> {
    while let Some(event) = events.next().await {
        let (key, connection, what) = match event {
            GatewayEvent::Displaced { key, connection, .. } => (key, connection, "displaced"),
            GatewayEvent::Kicked { key, connection, .. } => (key, connection, "kicked"),
            GatewayEvent::Refused { key, connection, .. } => (key, connection, "refused"),
            GatewayEvent::Drain(_)
            | GatewayEvent::Control(_)
            | GatewayEvent::Lost { .. }
            | GatewayEvent::Unopened { .. }
            | GatewayEvent::Opened { .. }
            | GatewayEvent::Reregistered { .. }
            | GatewayEvent::Replaced { .. }
            | _ => continue,
        };
        let answer = json!({ "id": register::number(&connection), "event": what });
        client.note("event", &key.to_string(), Value::Null, answer).await?;
    }
    Ok(None)
}

async fn lookup(keeper: Keeper, key: SessionKey) -> Result<Looked<Option<Session>>, Error> {
    keeper.lookup().session(&key).await
}

async fn look(client: &mut Client, f: &'static str, key: &str) -> Result<Option<u64>> {
    let asking = lookup(client.keeper.clone(), session_key(key)?);
    let number = |it: &Looked<Option<Session>>| it.found.as_ref().and_then(|it| register::number(&it.connection));
    let answer = |it: &Looked<Option<Session>>| json!({ "found": number(it), "rebuilding": it.rebuilding.is_some() });
    Ok(client.run(f, key, Value::Null, asking, answer).await?.and_then(|it| number(&it)))
}

pub(super) async fn finish(client: &mut Client) -> Result<u64> {
    let keys = client.keys(&["connect"])?;
    let deadline = Instant::now() + REGISTERED_WITHIN;
    while Instant::now() < deadline {
        let counted = client.keeper.sessions().count(None).await;
        if counted.is_ok_and(|it| it.total >= keys.len() as u64) {
            break;
        }
        time::sleep(LOOK_AGAIN).await;
    }
    for key in keys {
        look(client, "final-lookup", &key).await?;
    }
    Ok(0)
}
