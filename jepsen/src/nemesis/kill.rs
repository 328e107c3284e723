//! SIGKILL: one node, the leader, all at once.

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use serde_json::json;

use super::{lasting, one_of};
use crate::{node::Standing, world::World};

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let up = cluster.standing(Standing::Up);
    let (whom, victims) = match random.random_range(0..10) {
        0..2 => ("all", up),
        2..6 => ("leader", world.leader().filter(|leader| up.contains(leader)).into_iter().collect()),
        _ => ("one", one_of(&up, random).into_iter().collect()),
    };
    for at in &victims {
        cluster.nodes[*at].kill().await?;
    }
    drop(cluster);
    if victims.is_empty() {
        return Ok(());
    }
    world.history.fault("kill", whom, json!(victims))?;
    world.rest(lasting(random)).await;
    let mut cluster = world.cluster.lock().await;
    for at in &victims {
        if cluster.nodes[*at].standing == Standing::Down {
            cluster.launch(*at)?;
        }
    }
    world.history.fault("start", whom, json!(victims))
}
