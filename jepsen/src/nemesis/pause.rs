//! SIGSTOP: a node that neither answers nor falls, and wakes up as if nothing had been.

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use serde_json::json;

use super::{LONG, lasting, one_of};
use crate::{node::Standing, world::World};

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let up = cluster.standing(Standing::Up);
    let (whom, victims) = match random.random_range(0..10) {
        0 => ("all", up),
        1..7 => ("leader", world.leader().filter(|leader| up.contains(leader)).into_iter().collect()),
        _ => ("one", one_of(&up, random).into_iter().collect::<Vec<_>>()),
    };
    let mut paused = Vec::new();
    for at in victims {
        // One that ended a moment ago cannot be paused.
        if cluster.nodes[at].pause().is_ok() {
            paused.push(at);
        }
    }
    drop(cluster);
    if paused.is_empty() {
        return Ok(());
    }
    let lasts = lasting(random);
    world.history.fault("pause", whom, json!({ "nodes": paused, "is_long": lasts >= LONG }))?;
    world.rest(lasts).await;
    let mut cluster = world.cluster.lock().await;
    for at in &paused {
        if cluster.nodes[*at].standing == Standing::Paused {
            cluster.nodes[*at].resume()?;
        }
    }
    world.history.fault("resume", whom, json!(paused))
}
