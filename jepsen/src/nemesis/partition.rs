//! Partitions: what the router drops, in silence.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use serde_json::json;
use tokio::time;

use super::lasting;
use crate::{
    network::{Cut, Place},
    world::World,
};

/// How often a link that flaps changes.
const FLAP: Duration = Duration::from_millis(250);

pub(super) async fn strike(world: &World, random: &mut StdRng) -> Result<()> {
    let nodes = world.cluster.lock().await.nodes.len();
    let (how, cuts) = choose(nodes, world.leader(), random);
    let pairs: Vec<String> = cuts.iter().map(|(from, to)| format!("{from:?}>{to:?}")).collect();
    world.history.fault("partition", how, json!(pairs))?;
    let routed = world.network.routed_only().context("partitions need namespaces")?;
    let until = time::Instant::now() + lasting(random);
    let is_flapping = how == "flapping";
    while time::Instant::now() < until && !world.is_over() {
        routed.cut(cuts.clone())?;
        if !is_flapping {
            world.rest(until - time::Instant::now()).await;
            break;
        }
        world.rest(FLAP).await;
        routed.cut(BTreeSet::new())?;
        world.rest(FLAP).await;
    }
    routed.cut(BTreeSet::new())?;
    world.history.fault("join", how, json!(null))
}

/// Which directions between which nodes are cut. Clients reach everybody, so that a node that was left behind is asked,
/// except where they are what is cut.
fn choose(nodes: usize, leader: Option<usize>, random: &mut StdRng) -> (&'static str, BTreeSet<Cut>) {
    let mut order: Vec<usize> = (0..nodes).collect();
    order.shuffle(random);
    let half = nodes / 2;
    let apart = |some: &[usize], others: &[usize]| -> BTreeSet<Cut> {
        let pairs = some.iter().flat_map(|a| others.iter().map(move |b| (Place::Node(*a), Place::Node(*b))));
        pairs.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
    };
    let others = |one: usize| order.iter().copied().filter(|at| *at != one).collect::<Vec<_>>();
    let leader = leader.unwrap_or(order[0]);
    match random.random_range(0..7) {
        0 => ("halves", apart(&order[..half], &order[half..])),
        1 => ("leader alone", apart(&[leader], &others(leader))),
        2 => ("flapping", apart(&[leader], &others(leader))),
        // The one in the middle sees both sides.
        3 => ("bridge", apart(&order[..half], &order[half + 1..])),
        4 => {
            let deaf = others(leader).into_iter().map(|at| (Place::Node(at), Place::Node(leader)));
            ("leader is deaf", deaf.collect())
        }
        5 => {
            let mute = others(leader).into_iter().map(|at| (Place::Node(leader), Place::Node(at)));
            ("leader is mute", mute.collect())
        }
        _ => (
            "clients without leader",
            [(Place::Clients, Place::Node(leader)), (Place::Node(leader), Place::Clients)].into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_kind_of_partition_leaves_a_majority_that_could_serve() {
        let mut random = StdRng::seed_from_u64(3);
        let mut kinds = BTreeSet::new();
        for _ in 0..200 {
            let (how, cuts) = choose(5, Some(2), &mut random);
            kinds.insert(how);
            assert!(!cuts.is_empty(), "{how}");
            let whole = (0..5).filter(|at| {
                let cut = |other: &usize| {
                    let (a, b) = (Place::Node(*at), Place::Node(*other));
                    cuts.contains(&(a, b)) || cuts.contains(&(b, a))
                };
                (0..5).filter(|other| other != at && cut(other)).count() <= 2
            });
            assert!(whole.count() >= 3, "{how}: {cuts:?}");
        }
        assert_eq!(kinds.len(), 7, "{kinds:?}");
    }
}
