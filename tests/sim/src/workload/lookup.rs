//! Senders: they ask where users are, of the leader and of any node.

use keeper_client_sdk::{Consistency, Route};
use rand::RngExt;

use super::{any_user, held, key_of};
use crate::client::{Client, pause};
use crate::history::{Freshness, Lookup};

/// Pause between two questions at most.
const PAUSE_MS: u64 = 25;

/// Asks until it is told to end.
pub async fn look_up(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    let lookup = keeper.lookup();
    let anywhere = keeper.lookup().route(Route::AnyNode);
    let local = keeper.lookup().consistency(Consistency::Local);
    while !client.history.is_over() {
        let key = any_user(&mut rng);
        let (asked, freshness) = match rng.random_range(0..3) {
            0 => (&lookup, Freshness::Linearizable),
            1 => (&anywhere, Freshness::Linearizable),
            _ => (&local, Freshness::Local),
        };
        let began = client.history.moment();
        let answer = asked.session(&key_of(&key)).await;
        client.history.count("lookup", &answer);
        if let Ok(looked) = answer {
            let (ended, ended_ms) = (client.history.moment(), client.history.now_ms());
            let (revision, found) = (looked.revision, looked.found.as_ref().map(held));
            let answered = Lookup { key, freshness, began, ended, ended_ms, revision, found };
            client.history.with(|records| records.lookups.push(answered));
        }
        pause(&mut rng, PAUSE_MS).await;
    }
}
