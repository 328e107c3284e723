//! A disk fills up: to below the reserve, where growth is refused and the node goes on; or to the last byte, where it
//! has a right to stop.

use anyhow::{Context, Result};
use rand::{RngExt, rngs::StdRng};
use serde_json::json;

use super::{lasting, one_of};
use crate::{node::Standing, world::World};

/// Below the reserve of a node, which is 64 MiB by default.
const WITHIN_RESERVE_BYTES: u64 = 40 << 20;

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let Some(at) = one_of(&cluster.standing(Standing::Up), random) else { return Ok(()) };
    let left = if random.random_bool(0.6) { WITHIN_RESERVE_BYTES } else { 0 };
    let node = &mut cluster.nodes[at];
    // Within the reserve it goes on, but does not start, which another fault may ask of it.
    node.permit_end();
    let image = node.image().context("a full disk needs an image")?;
    let free = image.fill(left)?;
    world.history.fault("full", &node.name(), json!({ "free_bytes": free }))?;
    drop(cluster);
    world.rest(lasting(random)).await;
    let mut cluster = world.cluster.lock().await;
    let node = &mut cluster.nodes[at];
    node.image().context("a full disk needs an image")?.relieve()?;
    let name = node.name();
    world.history.fault("relieved", &name, json!(null))?;
    if left == 0 {
        // Whether it stopped or not, it must be able to begin again.
        node.kill().await?;
    }
    node.forbid_end()?;
    node.ended()?;
    if node.standing == Standing::Down {
        cluster.launch(at)?;
        world.history.fault("start", &name, json!(null))?;
    }
    Ok(())
}
