//! An operator: takes nodes in, gives and takes votes, leaves members out, hands leadership over, and replaces members
//! whose disk is gone, raises the feature level, all while everything else goes on.
//!
//! There are three voters at least, so that the cluster survives what goes wrong beside. What is cut off is not gone
//! on with: the next look at the members decides anew.

use std::time::Duration;

use keeper_client_sdk::{Cluster, Keeper, Member, MembershipChange, Rank};
use keeper_registry::Level;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::time::timeout;

use crate::client::{Client, pause};
use crate::fleet::Fleet;

/// Pause between two changes at most.
const PAUSE_MS: u64 = 1_200;

/// How long it waits for one change before it looks again.
const CHANGE_MAX: Duration = Duration::from_secs(6);

/// Fewer voters than this do not survive what goes wrong.
const VOTERS_MIN: usize = 3;

/// All kinds of changes together; each counts by its own name too.
pub const CHANGE: &str = "member";

/// Who replaces a member whose disk is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// The operator, as soon as it sees it; whoever leads may be faster.
    Operator,
    /// Whoever leads. The members are left as they are until it has.
    Leader,
}

/// Changes until it is told to end, no member is without its disk, and the level is raised.
pub async fn operate(client: Client, fleet: Fleet, care: Care) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    loop {
        pause(&mut rng, PAUSE_MS).await;
        let Some(Seen { members, level, level_max }) = look(&keeper).await else { continue };
        // Of two numbers that a disk lost twice has left the one with a vote.
        let lost = members.iter().filter(|it| fleet.number(&it.peer_endpoint) != it.node_id);
        let lost = lost.min_by_key(|it| !it.voter);
        if lost.is_none() && level == level_max && client.history.is_over() {
            return;
        }
        if level < level_max && (client.history.is_over() || rng.random_range(0..2) == 0) {
            let raised = keeper.cluster().upgrade("operator").await;
            client.history.count("upgrade", &raised);
            continue;
        }
        let (kind, change) = match lost {
            Some(_) if care == Care::Leader => continue,
            Some(lost) => ("replace-node", keeper.cluster().replace(lost.node_id, lost.peer_endpoint.clone())),
            // At the first level nodes cannot be taken in, and the number of one that was left out is given again.
            None if level < Level::NAMED.0 => ("transfer", keeper.cluster().transfer_leader(None)),
            None => any(&keeper.cluster(), &members, &fleet, &mut rng),
        };
        let changing = timeout(CHANGE_MAX, change.done()).await;
        let changed = changing.map_err(|_| "given up".to_owned()).and_then(|it| it.map_err(|error| error.to_string()));
        client.history.count(kind, &changed);
        client.history.count(CHANGE, &changed);
    }
}

/// The cluster, as a look at it finds it.
struct Seen {
    members: Vec<Member>,
    level: u32,
    /// The newest that anybody reads.
    level_max: u32,
}

/// As the leader knows it.
async fn look(keeper: &Keeper) -> Option<Seen> {
    let told = keeper.cluster().status().await;
    let told: Vec<_> = told.into_iter().filter_map(|(_, status)| status.ok()).collect();
    let level_max = told.iter().map(|it| it.level_max).max()?;
    let leading = told.into_iter().filter(|it| it.leader_id == Some(it.node_id)).max_by_key(|it| it.term)?;
    Some(Seen { level: leading.level, members: leading.members, level_max })
}

/// A change that leaves enough voters.
fn any(cluster: &Cluster, members: &[Member], fleet: &Fleet, rng: &mut StdRng) -> (&'static str, MembershipChange) {
    let (voters, learners): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|it| it.voter);
    let mut outside = fleet.endpoints();
    outside.retain(|endpoint| !members.iter().any(|it| it.peer_endpoint == *endpoint));
    let choice = rng.random_range(0..4);
    let voter = voters.choose(rng).map_or(0, |it| it.node_id);
    if choice == 0 {
        return ("transfer", cluster.transfer_leader((voter > 0).then_some(voter)));
    }
    if let Some(endpoint) = outside.choose(rng) {
        return match choice {
            1 => ("add", cluster.add(endpoint, Rank::Learner)),
            2 => ("add", cluster.add(endpoint, Rank::Voter)),
            _ => ("replace-node", cluster.replace(voter, endpoint)),
        };
    }
    match learners.first().map(|it| it.node_id) {
        Some(learner) if choice == 1 => ("remove", cluster.remove(learner)),
        Some(learner) => ("promote", cluster.promote(learner)),
        None if voters.len() <= VOTERS_MIN => ("transfer", cluster.transfer_leader(None)),
        None if choice == 1 => ("demote", cluster.demote(voter)),
        None => ("remove", cluster.remove(voter)),
    }
}
