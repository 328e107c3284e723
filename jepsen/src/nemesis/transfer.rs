//! The leader hands over: to a voter that is named, or to whom it chooses itself.

use anyhow::Result;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;

use super::membership::ask;
use crate::{seats::Seat, world::World};

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let Some(seats) = world.seats().await else { return Ok(()) };
    let voters: Vec<&Seat> = seats.iter().filter(|it| it.is_voter).collect();
    let to = voters.choose(random).filter(|_| random.random_bool(0.7)).and_then(|it| it.id);
    let admin = world.cluster.lock().await.admin();
    ask(world, "transfer", json!({ "to": to }), admin.cluster().transfer_leader(to)).await.map(drop)
}
