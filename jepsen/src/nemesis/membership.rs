//! Nodes join, are promoted and demoted, leave, are replaced, and come back with an empty disk.
//!
//! One more node runs than was founded, and waits to be taken in. Nothing is asked for that would leave fewer than
//! three voters, and nobody is sent away or loses a disk while another voter is missing: a majority is never lost by
//! intent. The cluster may refuse what is asked, which is written down and is no fault; a change that was cut off is
//! asked for again by a later strike, by whatever it left.

use std::time::Duration;

use anyhow::Result;
use keeper_client_sdk::{MembershipChange, MembershipChanged, Rank};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tokio::time;

use crate::{node::Standing, seats::Seat, world::World};

/// How long a change is waited for. Then it is cut off.
const CHANGE_MAX: Duration = Duration::from_secs(12);

/// With fewer, the loss of one would be the loss of the majority.
const VOTERS_MIN: usize = 3;

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let Some(seats) = world.seats().await else { return Ok(()) };
    if let Some(at) = beyond_repair(world, &seats).await {
        return empty(world, at).await;
    }
    if let Some(seat) = stranger(world, &seats).await {
        return dismiss(world, seat.at).await;
    }
    if let Some((at, id)) = blank(&seats) {
        // Half of the time the cluster has to find out by itself.
        return if random.random_bool(0.5) { readmit(world, at, id).await } else { Ok(()) };
    }
    let voters: Vec<&Seat> = seats.iter().filter(|it| it.is_voter).collect();
    let learners: Vec<&Seat> = seats.iter().filter(|it| it.is_member() && !it.is_voter).collect();
    let outside: Vec<&Seat> = seats.iter().filter(|it| !it.is_member()).collect();
    // One that is missing may be dead: the others are needed.
    let can_spare = voters.len() > VOTERS_MIN && voters.iter().all(|it| it.is_present());
    let one = voters.choose(random).copied();
    match random.random_range(0..6) {
        0 | 1 if !outside.is_empty() => {
            let rank = if random.random_bool(0.7) { Rank::Voter } else { Rank::Learner };
            add(world, outside[0].at, rank).await
        }
        2 if !outside.is_empty() && voters.iter().all(|it| it.is_present()) => match one {
            Some(Seat { at, id: Some(id), .. }) => replace(world, *at, *id, outside[0].at).await,
            _ => Ok(()),
        },
        0..4 if !learners.is_empty() => {
            let Some(id) = learners.choose(random).and_then(|it| it.id) else { return Ok(()) };
            let admin = world.cluster.lock().await.admin();
            ask(world, "membership", json!({ "how": "promote", "id": id }), admin.cluster().promote(id)).await.map(drop)
        }
        _ if !can_spare => Ok(()),
        kind => match one {
            Some(Seat { at, id: Some(id), .. }) => match kind {
                4 => remove(world, *at, *id).await,
                5 => empty(world, *at).await,
                _ => {
                    let admin = world.cluster.lock().await.admin();
                    let value = json!({ "how": "demote", "id": id });
                    ask(world, "membership", value, admin.cluster().demote(*id)).await.map(drop)
                }
            },
            _ => Ok(()),
        },
    }
}

/// Asks for a change, and writes down what came of it. Returns it if it was done.
pub(super) async fn ask(
    world: &World,
    f: &'static str,
    mut value: Value,
    change: MembershipChange,
) -> Result<Option<MembershipChanged>> {
    let ended = tokio::select! {
        ended = change.done() => Some(ended),
        () = patience(world) => None,
    };
    match ended {
        Some(Ok(changed)) => {
            value["pause_ms"] = json!(changed.pause.map(|it| it.as_millis()));
            world.history.fault(f, "all", value)?;
            return Ok(Some(changed));
        }
        Some(Err(error)) if !error.may_have_happened() => {
            value["why"] = json!(error.to_string());
            world.history.fault("refused", f, value)?;
        }
        Some(Err(error)) => {
            value["unknown"] = json!(error.to_string());
            world.history.fault(f, "all", value)?;
        }
        None => {
            value["unknown"] = json!("cut off");
            world.history.fault(f, "all", value)?;
        }
    }
    Ok(None)
}

/// While faults strike a change waits as they do; then for as long as it is given.
async fn patience(world: &World) {
    if world.is_over() { time::sleep(CHANGE_MAX).await } else { world.rest(CHANGE_MAX).await }
}

async fn add(world: &World, at: usize, rank: Rank) -> Result<()> {
    let (admin, peer) = {
        let cluster = world.cluster.lock().await;
        (cluster.admin(), cluster.nodes[at].peer())
    };
    let how = if rank == Rank::Voter { "add" } else { "add as learner" };
    ask(world, "membership", json!({ "how": how, "at": at }), admin.cluster().add(peer, rank)).await.map(drop)
}

async fn remove(world: &World, at: usize, id: u64) -> Result<()> {
    let admin = world.cluster.lock().await.admin();
    let value = json!({ "how": "remove", "id": id });
    match ask(world, "membership", value, admin.cluster().remove(id)).await? {
        Some(_) => dismiss(world, at).await,
        None => Ok(()),
    }
}

async fn replace(world: &World, at: usize, id: u64, by: usize) -> Result<()> {
    let (admin, peer) = {
        let cluster = world.cluster.lock().await;
        (cluster.admin(), cluster.nodes[by].peer())
    };
    let value = json!({ "how": "replace", "id": id, "by": by });
    match ask(world, "membership", value, admin.cluster().replace(id, peer)).await? {
        Some(_) => dismiss(world, at).await,
        None => Ok(()),
    }
}

/// A node that has a number which the books do not name: it was left out, by a change that was cut off or not.
async fn stranger<'a>(world: &World, seats: &'a [Seat]) -> Option<&'a Seat> {
    let cluster = world.cluster.lock().await;
    let is_up = |it: &&Seat| cluster.nodes[it.at].standing == Standing::Up;
    seats.iter().filter(is_up).find(|it| !it.is_member() && it.own_id.is_some())
}

/// A member that came back with an empty disk, and the number that it had.
fn blank(seats: &[Seat]) -> Option<(usize, u64)> {
    seats.iter().find(|it| it.is_blank && it.is_member()).and_then(|it| Some((it.at, it.id?)))
}

/// It takes its own former place, under a new number.
async fn readmit(world: &World, at: usize, id: u64) -> Result<()> {
    let (admin, peer) = {
        let cluster = world.cluster.lock().await;
        (cluster.admin(), cluster.nodes[at].peer())
    };
    let value = json!({ "how": "replace by itself, emptied", "id": id });
    ask(world, "membership", value, admin.cluster().replace(id, peer)).await.map(drop)
}

/// A member that was damaged and does not start any more, if every other one is there: its disk is given up.
async fn beyond_repair(world: &World, seats: &[Seat]) -> Option<usize> {
    let cluster = world.cluster.lock().await;
    let at = cluster.nodes.iter().position(|it| it.standing == Standing::Retired)?;
    seats.iter().filter(|it| it.is_voter && it.at != at).all(Seat::is_present).then_some(at)
}

/// The next step towards a cluster in which every node votes.
pub(crate) async fn enlist(world: &World, seats: &[Seat]) -> Result<()> {
    if let Some(at) = beyond_repair(world, seats).await {
        return empty(world, at).await;
    }
    if let Some(seat) = stranger(world, seats).await {
        return dismiss(world, seat.at).await;
    }
    if let Some((at, id)) = blank(seats) {
        return readmit(world, at, id).await;
    }
    let admin = world.cluster.lock().await.admin();
    if let Some(seat) = seats.iter().find(|it| !it.is_member()) {
        return add(world, seat.at, Rank::Voter).await;
    }
    match seats.iter().find(|it| !it.is_voter).and_then(|it| it.id) {
        Some(id) => {
            let value = json!({ "how": "promote", "id": id });
            ask(world, "membership", value, admin.cluster().promote(id)).await.map(drop)
        }
        None => Ok(()),
    }
}

/// Who left begins again with nothing, and waits to be taken in.
async fn dismiss(world: &World, at: usize) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    cluster.nodes[at].wipe().await?;
    cluster.nodes[at].become_newcomer()?;
    cluster.launch(at)
}

/// A member comes back with an empty disk, and has to be taken in under a new number.
async fn empty(world: &World, at: usize) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    if cluster.nodes.iter().any(|it| it.number != at && it.standing != Standing::Up) {
        return Ok(());
    }
    cluster.nodes[at].wipe().await?;
    cluster.launch(at)?;
    drop(cluster);
    world.history.fault("membership", "all", json!({ "how": "disk emptied", "at": at }))
}
