//! A broadcaster: it walks over all sessions, again and again.

use keeper_client_sdk::{Keeper, ScanSessions, SessionSelector};

use super::{held, text};
use crate::client::{Client, pause};
use crate::history::Scan;

/// Pause between two walks at most.
const PAUSE_MS: u64 = 400;

/// Walks until it is told to end.
pub async fn walk(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    while !client.history.is_over() {
        walk_once(&client, &keeper).await;
        pause(&mut rng, PAUSE_MS).await;
    }
}

/// One walk over the users of the rooms, written down.
pub(super) async fn walk_once(client: &Client, keeper: &Keeper) {
    let began = client.history.moment();
    let selector = SessionSelector::user_prefix("u");
    let mut scan = keeper.sessions().scan(ScanSessions { selector, ..ScanSessions::default() });
    let mut sessions = Vec::new();
    while let Some(next) = scan.next().await {
        let Ok(session) = next else {
            client.history.count("scan", &next.map(drop));
            return;
        };
        sessions.push((text(session.key.user()), held(&session)));
    }
    client.history.count("scan", &Ok::<(), &str>(()));
    let (ended, ended_ms) = (client.history.moment(), client.history.now_ms());
    let at_revision = scan.at_revision().unwrap_or(0);
    client.history.with(|records| records.scans.push(Scan { began, ended, ended_ms, at_revision, sessions }));
}
