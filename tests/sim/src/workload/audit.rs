//! What a client finds when everything is healed and nobody writes any more.

use std::collections::BTreeMap;
use std::time::Duration;

use keeper_client_sdk::{Edit, Keeper};

use super::{config, documents, held, key_of, publisher, scan, text, users};
use crate::client::Client;
use crate::documents::{PATHS, Truth};
use crate::history::{Freshness, Held, Lookup};

/// How long it waits for everybody to run with what is published.
const STATUS_MAX: Duration = Duration::from_secs(3);

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Users of halls by the connection that holds them.
    pub halls: BTreeMap<String, Held>,
    /// Documents by where they stand.
    pub documents: BTreeMap<String, u64>,
    /// Of documents with layers; read from a node when the audit is over.
    pub truth: Truth,
}

/// Reads everything once, linearizably, and writes a document of its own.
///
/// # Errors
/// A call failed although all is healed.
pub async fn audit(client: &Client) -> anyhow::Result<Audit> {
    let keeper = client.keeper()?;
    let mut audit = Audit::default();
    for key in users() {
        let began = client.history.moment();
        let looked = keeper.lookup().session(&key_of(&key)).await?;
        let (ended, ended_ms) = (client.history.moment(), client.history.now_ms());
        let (revision, found) = (looked.revision, looked.found.as_ref().map(held));
        let freshness = Freshness::Linearizable;
        let answered = Lookup { key, freshness, began, ended, ended_ms, revision, found };
        client.history.with(|records| records.lookups.push(answered));
    }
    for path in documents() {
        let read = config::read(client, &keeper.configs(), &path).await;
        audit.documents.insert(path, read.ok_or_else(|| anyhow::anyhow!("a document cannot be read"))?.revision);
    }
    scan::walk_once(client, &keeper).await;
    // Nothing is short of room any more.
    keeper.configs().publish(Edit::put("audit.json", "1")).await?;
    publisher::tidy_up(client, &keeper).await?;
    for path in PATHS {
        publisher::ask(client, &keeper.configs(), path, STATUS_MAX).await;
    }
    audit.halls = halls(&keeper).await?;
    Ok(audit)
}

async fn halls(keeper: &Keeper) -> anyhow::Result<BTreeMap<String, Held>> {
    let mut found = BTreeMap::new();
    let selector = keeper_client_sdk::SessionSelector::user_prefix("h");
    let mut scan = keeper.sessions().scan(keeper_client_sdk::ScanSessions { selector, ..Default::default() });
    while let Some(next) = scan.next().await {
        let session = next?;
        found.insert(text(session.key.user()), held(&session));
    }
    Ok(found)
}
