//! The wall clock of a node jumps, forward and back, and drifts. Its monotonic clock stays true: a machine whose
//! monotonic clock lies breaks every lease there is.

use anyhow::{Context, Result};
use rand::{RngExt, rngs::StdRng};
use serde_json::json;

use super::{lasting, one_of, shim::Knob};
use crate::{node::Standing, world::World};

const SECOND_NS: i64 = 1_000_000_000;

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let cluster = world.cluster.lock().await;
    let Some(at) = one_of(&cluster.standing(Standing::Up), random) else { return Ok(()) };
    let control = cluster.nodes[at].control().context("clock faults need the library")?;
    let before = control.read(Knob::ClockHits)?;
    let (how, amount) = match random.random_range(0..3) {
        0 => ("drift", random.random_range(-300_000..300_000)),
        1 => ("jump", random.random_range(-3_600..3_600) * SECOND_NS),
        _ => ("jump", random.random_range(-2_000..2_000) * SECOND_NS / 1_000),
    };
    if how == "drift" {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        control.turn(Knob::ClockSince, now.tv_sec * SECOND_NS + now.tv_nsec)?;
        control.turn(Knob::ClockPpm, amount)?;
    } else {
        control.turn(Knob::ClockOffset, amount)?;
    }
    world.history.fault("arm", &cluster.nodes[at].name(), json!({ "how": how, "amount": amount }))?;
    drop(cluster);
    world.rest(lasting(random)).await;
    let cluster = world.cluster.lock().await;
    let control = cluster.nodes[at].control().context("clock faults need the library")?;
    let hits = control.read(Knob::ClockHits)?.saturating_sub(before);
    for knob in [Knob::ClockOffset, Knob::ClockPpm, Knob::ClockSince] {
        control.turn(knob, 0)?;
    }
    // What nobody looked at was no fault.
    if hits == 0 {
        return Ok(());
    }
    world.history.fault("clock", &cluster.nodes[at].name(), json!({ "how": how, "amount": amount, "hits": hits }))
}
