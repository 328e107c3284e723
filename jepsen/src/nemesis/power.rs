//! Power is cut, at one node or at all: what was synced is there afterwards, and nothing else.

use anyhow::{Context, Result};
use rand::{RngExt, rngs::StdRng};
use serde_json::json;

use super::{lasting, one_of};
use crate::{node::Standing, world::World};

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let up = cluster.standing(Standing::Up);
    let (whom, victims): (_, Vec<usize>) = match random.random_range(0..10) {
        0..3 => ("all", up),
        3..7 => ("leader", world.leader().filter(|leader| up.contains(leader)).into_iter().collect()),
        _ => ("one", one_of(&up, random).into_iter().collect()),
    };
    if victims.is_empty() {
        return Ok(());
    }
    // All disks first: nobody lives on while another is cut. Nobody is looked at until all are killed, either.
    for at in &victims {
        cluster.nodes[*at].image().context("a power cut needs an image")?.cut()?;
    }
    for at in &victims {
        let node = &mut cluster.nodes[*at];
        node.kill().await?;
        node.image().context("a power cut needs an image")?.restore().await?;
    }
    world.history.fault("power", whom, json!(victims))?;
    drop(cluster);
    world.rest(lasting(random)).await;
    let mut cluster = world.cluster.lock().await;
    for at in &victims {
        if cluster.nodes[*at].standing == Standing::Down {
            cluster.launch(*at)?;
        }
    }
    world.history.fault("start", "power", json!(victims))
}
