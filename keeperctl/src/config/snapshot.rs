//! Every document as of one revision.
//!
//! A list and then a read of each would be torn by a publish in between. The first frame of a watch is not: it is the
//! full set, with texts.

use std::collections::BTreeMap;

use keeper_client_sdk::Document;

use crate::{admin::Admin, config::scope, failure::Failure};

/// Documents by their keys.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) revision: u64,
    pub(super) documents: BTreeMap<String, Document>,
}

/// Those at a prefix or below it (see [`scope`]); all when it is empty.
pub(super) async fn of(admin: &Admin<'_, '_>, prefix: &str) -> Result<Snapshot, Failure> {
    // A selector is a path unless it ends in a slash; a prefix may be both.
    let selector = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
    let mut watch = admin.keeper.configs().watch([selector]);
    // A watch tries for ever, which whoever waits for an answer must not.
    let first = tokio::time::timeout(admin.timeout, watch.next()).await;
    let first =
        first.map_err(|_| Failure::unserved(format!("no node told its documents within {:?}", admin.timeout)))?;
    let first = first.ok_or_else(|| Failure::failed("the watch ended"))??;
    let present = first.documents.into_iter().filter(|it| !it.deleted && scope::holds(prefix, &it.path));
    Ok(Snapshot { revision: first.revision, documents: present.map(|it| (it.path.clone(), it)).collect() })
}
