//! A rolling restart: every node is stopped in order and started again, one after another.

use std::time::Duration;

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use serde_json::json;

use crate::{node::Standing, world::World};

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let nodes = world.cluster.lock().await.nodes.len();
    for at in 0..nodes {
        if world.is_over() {
            break;
        }
        let mut cluster = world.cluster.lock().await;
        if cluster.nodes[at].standing != Standing::Up {
            continue;
        }
        // Another fault may have reached it first.
        let status = match cluster.nodes[at].end().await {
            Ok(status) => status.to_string(),
            Err(error) => format!("{error:#}"),
        };
        cluster.nodes[at].kill().await?;
        world.history.fault("rolling", &cluster.nodes[at].name(), json!(status))?;
        cluster.launch(at)?;
        drop(cluster);
        world.rest(Duration::from_millis(random.random_range(500..2_500))).await;
    }
    Ok(())
}
