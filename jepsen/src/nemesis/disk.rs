//! The disk of a node is slow, hangs, fails to sync, fails to write, or tears a write in two.
//!
//! A node whose sync failed must stop: the next sync may report success with data lost. So it is given the right to end
//! by itself, and is started again when the disk is sound.

use std::time::Duration;

use anyhow::{Context, Result};
use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use tokio::time::Instant;

use super::{lasting, one_of, shim::Knob};
use crate::{
    node::{Node, Standing},
    world::World,
};

/// How long a node may take to meet a fault that ends it. One that writes nothing meets none.
const MEETS_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What happens to the disk, and whether a node may go on.
const KINDS: [(&str, Knob, bool); 6] = [
    ("slow", Knob::SlowUs, true),
    ("hung", Knob::Hung, true),
    ("sync error", Knob::SyncEio, false),
    ("write error", Knob::WriteEio, false),
    ("no space", Knob::WriteEnospc, false),
    ("torn write", Knob::Torn, false),
];

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let mut cluster = world.cluster.lock().await;
    let up = cluster.standing(Standing::Up);
    let leader = world.leader().filter(|leader| up.contains(leader) && random.random_bool(0.5));
    let Some(at) = leader.or_else(|| one_of(&up, random)) else { return Ok(()) };
    let (how, knob, goes_on) = KINDS[random.random_range(0..KINDS.len())];
    let node = &mut cluster.nodes[at];
    if !goes_on {
        node.permit_end();
    }
    let amount = if knob == Knob::SlowUs { random.random_range(2_000..60_000) } else { 1 };
    let control = node.control().context("disk faults need the library")?;
    let (before, launches) = (control.read(Knob::Hits)?, node.launches);
    control.turn(knob, amount)?;
    control.turn(Knob::Armed, 1)?;
    world.history.fault("arm", &node.name(), json!({ "how": how, "amount": amount }))?;
    drop(cluster);
    if goes_on {
        world.rest(lasting(random)).await;
    } else {
        met(world, at, launches).await?;
    }
    let mut cluster = world.cluster.lock().await;
    let node = &mut cluster.nodes[at];
    let control = node.control().context("disk faults need the library")?;
    let hits = control.read(Knob::Hits)?.saturating_sub(before);
    control.turn(Knob::Armed, 0)?;
    control.turn(knob, 0)?;
    let name = node.name();
    // A fault that was cut short says nothing about what the node would have done.
    let has_ended = Some(has_gone(node, launches)).filter(|has_ended| *has_ended || !world.is_over());
    let value = json!({ "how": how, "amount": amount, "hits": hits, "ended": has_ended });
    // What nobody met was no fault; a node that another fault held cannot have met it.
    if hits > 0 {
        world.history.fault("disk", &name, value)?;
    }
    if goes_on {
        return Ok(());
    }
    // It may have met the fault and not have ended yet: either way it begins again.
    node.kill().await?;
    node.forbid_end()?;
    if node.standing == Standing::Down {
        cluster.launch(at)?;
    }
    world.history.fault("start", &name, json!(null))
}

/// Another fault may have started it again before anybody looked.
fn has_gone(node: &Node, launches: u32) -> bool {
    node.standing != Standing::Up || node.launches != launches
}

/// Waits until the node has ended, or would not.
async fn met(world: &World, at: usize, launches: u32) -> Result<()> {
    let deadline = Instant::now() + MEETS_WITHIN;
    while Instant::now() < deadline && !world.is_over() {
        if has_gone(&world.cluster.lock().await.nodes[at], launches) {
            break;
        }
        world.bury().await?;
        world.rest(LOOK_AGAIN).await;
    }
    Ok(())
}
