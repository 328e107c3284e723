//! The task that keeps a cache right: it hears the facts, and shows that it has heard them all.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use tokio::time::{self, Instant};

use super::store::{Asked, Store};
use crate::{Error, Happened, Lookup, Presence, connection::Backoff};

/// Runs for as long as the cache is used.
pub(crate) async fn keep(store: Arc<Store>, open: impl Fn() -> Presence, lookup: Lookup, mut backoff: Backoff) {
    loop {
        let error = follow(&store, open(), &lookup).await;
        store.lose(Instant::now());
        tracing::warn!(error = %error, "the cache of lookups hears no facts");
        time::sleep(backoff.next(None)).await;
    }
}

/// Until the stream ends, which it does not do for anything that another node would answer differently.
async fn follow(store: &Store, mut presence: Presence, lookup: &Lookup) -> Error {
    if let Err(error) = presence.opened().await {
        return error;
    }
    let revisions = revisions(store, lookup);
    tokio::pin!(revisions);
    // One at a time: were a later question to take its place, a stream that is late would never catch up with it.
    let mut asked: Option<Asked> = None;
    loop {
        tokio::select! {
            frame = presence.frame() => match frame {
                Some(Ok(frame)) => store.hear(&frame, Instant::now()),
                Some(Err(error)) => return error,
                None => return Error::Ended { what: "the presence stream", happened: Happened::No },
            },
            Some(answer) = revisions.next(), if asked.is_none() => {
                store.heal(answer);
                asked = Some(answer);
            }
        }
        if let Some(told) = asked.take_if(|asked| asked.revision < presence.revision()) {
            store.show(told);
        }
    }
}

/// Revisions of the cluster, now and then.
fn revisions(store: &Store, lookup: &Lookup) -> impl Stream<Item = Asked> {
    let pause = store.pause();
    stream::unfold(lookup.clone(), move |lookup| async move {
        loop {
            time::sleep(pause).await;
            let at = Instant::now();
            match lookup.revision().await {
                Ok(revision) => return Some((Asked { at, revision }, lookup)),
                Err(error) => tracing::debug!(error = %error, "the revision of the cluster is not known"),
            }
        }
    })
}
