//! Somebody who is told what a reader runs with, word by word: as the open instance, or as one that might be.

use std::time::Duration;

use keeper_client_sdk::{EffectiveChanged, EffectiveDocument, Reader};
use rand::RngExt;
use tokio::time::timeout;

use crate::client::{Client, pause};
use crate::documents::{self, Frame, PATHS, Place, SERVICE, Whose};

/// How long it follows one stream at most.
const STREAM_MS: std::ops::RangeInclusive<u64> = 1_000..=8_000;

/// The same at the end: long enough to notice that a node is silent because it is no member any more.
const LAST_STREAM: Duration = Duration::from_secs(60);

/// How long it is away before it begins anew, at most.
const AWAY_MS: u64 = 300;

/// For whom a follower of this name follows.
#[must_use]
pub fn whose(follower: &str) -> Whose<'_> {
    match follower.strip_prefix("like-") {
        Some(reader) => Whose::LikeReader(reader),
        None => Whose::Reader(follower.strip_prefix("as-").unwrap_or(follower)),
    }
}

/// Follows for ever: what it was told at the end counts.
pub async fn follow_documents(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    let reader = match whose(&client.name) {
        Whose::Reader(name) => Reader::instance(SERVICE, name),
        Whose::LikeReader(name) => {
            let Place { zone, ring } = documents::place(name);
            Reader::service(SERVICE).zone(zone).label("ring", ring)
        }
    };
    for stream in 0.. {
        let mut watch = keeper.configs().follow(PATHS, reader.clone());
        let is_last = client.history.is_over();
        let patience = if is_last { LAST_STREAM } else { Duration::from_millis(rng.random_range(STREAM_MS)) };
        let following = async {
            while let Some(Ok(changed)) = watch.next().await {
                client.history.count("follow", &Ok::<(), &str>(()));
                let frame = frame(stream, changed);
                client.history.with(|records| {
                    records.heard.frames.entry(client.name.clone()).or_default().push(frame);
                });
            }
        };
        // That the instance is not open is what ends the stream most often; it opens again.
        _ = timeout(patience, following).await;
        pause(&mut rng, AWAY_MS).await;
    }
}

fn frame(stream: u64, changed: EffectiveChanged) -> Frame {
    let EffectiveChanged { revision, reset: is_reset, documents, state_id: _ } = changed;
    let told = |it: EffectiveDocument| {
        let value = (!it.deleted).then(|| it.value().unwrap_or_default());
        (it.path, it.revision, value, it.rollout)
    };
    Frame { stream, revision, is_reset, documents: documents.into_iter().map(told).collect() }
}
