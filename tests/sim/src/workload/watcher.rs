//! A process that follows documents, and sometimes begins anew from its cursor.

use std::time::Duration;

use keeper_client_sdk::Cursor;
use rand::RngExt;
use tokio::time::timeout;

use super::config::number_in;
use crate::client::{Client, pause};
use crate::history::Seen;

/// How long it follows one stream at most.
const STREAM_MS: std::ops::RangeInclusive<u64> = 500..=6_000;

/// The same at the end: long enough to notice that a node is silent because it is no member any more.
const LAST_STREAM: Duration = Duration::from_secs(60);

/// How long it is away before it begins anew, at most.
const AWAY_MS: u64 = 400;

/// Follows for ever: what reaches it at the end counts.
pub async fn watch_configs(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    let configs = keeper.configs();
    let mut cursor = Cursor::default();
    client.history.with(|records| records.watched.insert(client.name.clone(), Vec::new()));
    loop {
        let mut watch = configs.watch_from(["sim/"], cursor);
        let mut patience = Duration::from_millis(rng.random_range(STREAM_MS));
        if client.history.is_over() {
            patience = LAST_STREAM;
        }
        let following = async {
            while let Some(Ok(changed)) = watch.next().await {
                cursor = changed.cursor();
                let seen = changed.documents.iter().map(|document| Seen {
                    cursor: cursor.revision,
                    path: document.path.clone(),
                    revision: document.revision,
                    number: number_in(document),
                    is_reset: changed.reset,
                });
                client.history.with(|records| records.watched.entry(client.name.clone()).or_default().extend(seen));
                client.history.count("watch", &Ok::<(), &str>(()));
            }
        };
        // The end of a stream by itself is an error of its own; beginning anew is what this client would do anyway.
        _ = timeout(patience, following).await;
        pause(&mut rng, AWAY_MS).await;
    }
}
