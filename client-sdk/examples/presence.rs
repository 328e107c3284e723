//! Knows who is online: walks over all sessions, then follows what changes.
//!
//! `cargo run --example presence -- 127.0.0.1:7400`

use std::collections::HashMap;

use keeper_client_sdk::{
    Epoch, Keeper, OfflineReason, Presence, PresenceChange, PresenceEvent, PresenceFact, SessionKey, Subscription,
};

type Online = HashMap<SessionKey, Epoch>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let keeper = Keeper::connect(std::env::args().skip(1)).await?;
    let mut presence = keeper.presence(Subscription::all());
    // From here on nothing is missed, so the walk may begin.
    presence.opened().await?;
    let mut online = walk(&presence).await?;
    tracing::info!(online = online.len(), "after the walk");
    while let Some(event) = presence.next().await.transpose()? {
        match event {
            PresenceEvent::Fact(fact) => take(&mut online, &fact),
            // Away for too long: the walk tells what facts cannot any more.
            PresenceEvent::Reset => online = walk(&presence).await?,
        }
    }
    Ok(())
}

async fn walk(presence: &Presence) -> anyhow::Result<Online> {
    let (mut walk, mut online) = (presence.resync(), Online::new());
    while let Some(page) = walk.page().await.transpose()? {
        online.extend(page.into_iter().map(|session| (session.key, session.epoch)));
    }
    Ok(online)
}

/// Facts that the walk knew already have epochs that are not newer, and change nothing.
fn take(online: &mut Online, fact: &PresenceFact) {
    let known = online.get(&fact.key).copied();
    match &fact.change {
        PresenceChange::Online | PresenceChange::Moved(_) | PresenceChange::Reconnected(_) => {
            if known.is_none_or(|known| known < fact.epoch) {
                online.insert(fact.key.clone(), fact.epoch);
                tracing::info!(user = %fact.key, at = %fact.place.instance, online = online.len(), "is here");
            }
        }
        PresenceChange::Offline(OfflineReason::Unbound) | PresenceChange::Dropped(_) => {}
        PresenceChange::Offline(reason) => {
            if known == Some(fact.epoch) {
                online.remove(&fact.key);
                tracing::info!(user = %fact.key, ?reason, online = online.len(), "is gone");
            }
        }
    }
}
