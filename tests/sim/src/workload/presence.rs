//! A subscriber that must know who comes and goes, and sometimes goes on from its token as another process would.

use std::time::Duration;

use keeper_client_sdk::Subscription;
use rand::RngExt;
use tokio::time::timeout;

use crate::client::Client;
use crate::history::Told;

/// How long it follows one stream at most.
const STREAM_MS: std::ops::RangeInclusive<u64> = 500..=5_000;

/// Follows for ever.
pub async fn follow_presence(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    let mut token = bytes::Bytes::new();
    client.history.with(|records| records.presence.insert(client.name.clone(), Vec::new()));
    loop {
        let mut presence = keeper.presence(Subscription::user_prefix("u").with_reconnects().after(token.clone()));
        let patience = Duration::from_millis(rng.random_range(STREAM_MS));
        let following = async {
            while let Some(Ok(frame)) = presence.frame().await {
                token = frame.token;
                let reset = frame.reset.then_some(Told::Reset);
                let told = reset.into_iter().chain(frame.facts.into_iter().map(|fact| Told::Fact(Box::new(fact))));
                client.history.with(|records| records.presence.entry(client.name.clone()).or_default().extend(told));
                client.history.count("presence", &Ok::<(), &str>(()));
            }
        };
        _ = timeout(patience, following).await;
        if !token.is_empty() {
            client.history.with(|records| records.presence.entry(client.name.clone()).or_default().push(Told::Resumed));
        }
    }
}
