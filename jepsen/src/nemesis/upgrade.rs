//! A rolling upgrade from one build to another, under load: one node goes ahead and comes back, then all follow, and in
//! the end the feature level is raised.
//!
//! Until it is raised every node can go back, and both builds hold the same state: the monitor compares their hashes at
//! equal entries all the time. It happens once in a run, because there is no way back behind the raise.

use std::{path::Path, time::Duration};

use anyhow::Result;
use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use tokio::time::{self, Instant};

use crate::{node::Standing, world::World};

/// How long a cluster whose nodes all answer may take to be raised, also when other faults are over.
const RAISE_TIMEOUT: Duration = Duration::from_secs(20);

const LOOK_AGAIN: Duration = Duration::from_millis(300);

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let (nodes, builds) = {
        let cluster = world.cluster.lock().await;
        (cluster.nodes.len(), cluster.builds.clone())
    };
    let Some(old) = builds.old.filter(|_| !world.is_upgraded()) else { return Ok(()) };
    let ahead = random.random_range(0..nodes);
    let steps = [(ahead, &builds.newest), (ahead, &old)].into_iter().chain((0..nodes).map(|at| (at, &builds.newest)));
    for (at, build) in steps {
        replace(world, at, build).await?;
        world.rest(Duration::from_millis(random.random_range(1_000..3_000))).await;
    }
    raise(world).await
}

/// Stops a node as an operator does, and starts the other build on its data. All of it happens also when faults are
/// over: what has begun ends with one build everywhere.
async fn replace(world: &World, at: usize, build: &Path) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let node = &mut cluster.nodes[at];
    if node.standing == Standing::Paused {
        node.resume()?;
    }
    let ended = match node.standing {
        Standing::Up => node.end().await.map_or_else(|error| format!("{error:#}"), |status| status.to_string()),
        Standing::Paused | Standing::Down | Standing::Retired => "was down".to_owned(),
    };
    node.kill().await?;
    node.install(build);
    let value = json!({ "build": build.display().to_string(), "ended": ended });
    world.history.fault("upgrade", &node.name(), value)?;
    cluster.launch(at)
}

/// Asks until it is done: it is refused while a member does not answer.
async fn raise(world: &World) -> Result<()> {
    let admin = world.cluster.lock().await.admin();
    let deadline = Instant::now() + RAISE_TIMEOUT;
    loop {
        let said = match admin.cluster().upgrade("jepsen").await {
            Ok(raised) => {
                world.note_upgraded();
                return world.history.fault("raised", "all", json!({ "from": raised.from, "to": raised.to }));
            }
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return world.history.fault("not-raised", "all", json!(said));
        }
        world.cluster.lock().await.launch_all()?;
        time::sleep(LOOK_AGAIN).await;
    }
}
