//! A disk fills up: to below the reserve, where growth is refused and everything that ends something goes on; or to the
//! last byte, where a node has a right to stop.
//!
//! Within the reserve of the leader the promise is probed: a client of the nemesis, which registered sessions before,
//! must not be refused to end them, and must be refused a new one for as long as the same leader is short. An answer
//! that does not come proves nothing, since other faults strike at the same time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use keeper_client_sdk::{Error, Keeper, NodeStatus, Registered, Registration, Role, SessionKey, Sessions};
use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use tokio::time::Instant;

use super::{lasting, one_of};
use crate::{node::Standing, world::World};

/// How the users begin whose sessions are the nemesis' own: no client registered them, and subscribers and walks see
/// them all the same.
pub(crate) const USERS: &str = "full-";

/// Below the reserve of a node, which is 64 MiB by default.
const WITHIN_RESERVE_BYTES: u64 = 40 << 20;

/// How long a leader may take to notice that its disk is full.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Sessions the probe ends one by one.
const SESSIONS: usize = 8;

/// One of its tries: an answer that takes longer proves nothing.
const TRY_MAX: Duration = Duration::from_secs(1);

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let up = cluster.standing(Standing::Up);
    let leader = world.leader().filter(|leader| up.contains(leader) && random.random_bool(0.5));
    let Some(at) = leader.or_else(|| one_of(&up, random)) else { return Ok(()) };
    let left = if random.random_bool(0.6) { WITHIN_RESERVE_BYTES } else { 0 };
    let endpoints = cluster.endpoints();
    drop(cluster);
    let probe = if left > 0 { Probe::begin(endpoints, random.random()).await } else { None };
    cluster = world.cluster.lock().await;
    let node = &mut cluster.nodes[at];
    if left == 0 {
        node.permit_end();
    }
    let image = node.image().context("a full disk needs an image")?;
    let free = image.fill(left)?;
    world.history.fault("full", &node.name(), json!({ "free_bytes": free }))?;
    drop(cluster);
    if let Some(probe) = probe {
        let probed = probe.run(world).await?;
        world.history.fault("full-probed", &format!("node-{}", at + 1), json!(probed))?;
    }
    world.rest(lasting(random)).await;
    let mut cluster = world.cluster.lock().await;
    let node = &mut cluster.nodes[at];
    node.image().context("a full disk needs an image")?.relieve()?;
    let name = node.name();
    world.history.fault("relieved", &name, json!(null))?;
    if left > 0 {
        return Ok(());
    }
    // Whether it stopped or not, it must be able to begin again.
    node.kill().await?;
    node.forbid_end()?;
    node.ended()?;
    if node.standing == Standing::Down {
        cluster.launch(at)?;
        world.history.fault("start", &name, json!(null))?;
    }
    Ok(())
}

/// Sessions of the nemesis' own, registered while there was room.
struct Probe {
    keeper: Keeper,
    sessions: Sessions,
    held: Vec<(SessionKey, Registered)>,
    number: u64,
}

impl Probe {
    /// None when other faults let nobody register.
    async fn begin(endpoints: Vec<String>, number: u64) -> Option<Self> {
        let builder = Keeper::builder().endpoints(endpoints).name("full");
        let keeper = builder.operation_timeout(TRY_MAX).attempt_timeout(TRY_MAX).build().ok()?;
        let room = keeper.instance("full-probe", number.to_string()).open().await.ok()?;
        let sessions = room.sessions();
        let mut held = Vec::new();
        for place in 0..SESSIONS {
            let key = key(number, place)?;
            let registered = sessions.register(Registration::new(key.clone())).await.ok()?;
            held.push((key, registered));
        }
        Some(Self { keeper, sessions, held, number })
    }

    /// What was seen: how often something new was refused, and how often something was ended.
    async fn run(self, world: &World) -> Result<Seen> {
        let mut seen = Seen::default();
        let deadline = Instant::now() + NOTICED_WITHIN;
        for (place, (key, registered)) in self.held.iter().enumerate() {
            let before = self.short_leader(deadline, world).await;
            match self.sessions.unregister(key, registered.epoch).await {
                Ok(()) => seen.ended += 1,
                Err(error) if is_for_want_of_room(&error) => bail!("a full disk kept a session from ending: {error}"),
                Err(_) => {}
            }
            let Some(new) = key_of_new(self.number, place) else { continue };
            let answer = self.sessions.register(Registration::new(new)).await;
            let after = self.short_leader(Instant::now(), world).await;
            // In one term the same leader was short before and after.
            let was_short = before.is_some() && before == after;
            match answer {
                Err(error) if is_for_want_of_room(&error) => seen.refused += 1,
                Ok(_) if was_short => bail!("a leader without room for more took a new session"),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(seen)
    }

    /// The term and the leader that says that it is short of space; waits for one until the deadline.
    async fn short_leader(&self, deadline: Instant, world: &World) -> Option<(u64, u64)> {
        loop {
            let statuses = self.keeper.cluster().status().await;
            let leads = |status: &&NodeStatus| status.role == Role::Leader;
            let answers = statuses.iter().filter_map(|(_, status)| status.as_ref().ok());
            let leader = answers.filter(leads).max_by_key(|status| status.term);
            // What it says of itself as of its last round, which is what it acts upon.
            let short = leader.filter(|status| {
                let own = status.members.iter().find(|member| member.node_id == status.node_id);
                own.and_then(|member| member.disk).is_some_and(|disk| disk.is_short)
            });
            if let Some(status) = short {
                return Some((status.term, status.node_id));
            }
            if Instant::now() >= deadline || world.is_over() {
                return None;
            }
            world.rest(LOOK_AGAIN).await;
        }
    }
}

/// What a probe saw.
#[derive(Debug, Default, serde::Serialize)]
struct Seen {
    refused: usize,
    ended: usize,
}

fn is_for_want_of_room(error: &Error) -> bool {
    error.reason() == "disk-full"
}

fn key(number: u64, place: usize) -> Option<SessionKey> {
    SessionKey::of_user(format!("{USERS}{number}-{place}")).ok()
}

fn key_of_new(number: u64, place: usize) -> Option<SessionKey> {
    SessionKey::of_user(format!("{USERS}{number}-new-{place}")).ok()
}
