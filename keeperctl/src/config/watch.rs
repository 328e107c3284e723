//! `keeperctl config watch`: each change as it lands.
//!
//! Words on standard error say when the watch has begun: what is published after that line is printed.

use keeper_client_sdk::{ConfigsWatch, DocumentsChanged};

use crate::{admin::Admin, args::WatchConfigs, config::follower::Follower, failure::Failure};

pub(super) async fn watch(admin: &mut Admin<'_, '_>, watch: &WatchConfigs) -> Result<(), Failure> {
    let selectors = if watch.selectors.is_empty() { vec![String::new()] } else { watch.selectors.clone() };
    let mut changes = admin.keeper.configs().watch(selectors);
    let first = tokio::time::timeout(admin.timeout, next(&mut changes)).await;
    // A watch tries for ever, which is right once it has begun and would be silence before.
    let first =
        first.map_err(|_| Failure::unserved(format!("no node told its documents within {:?}", admin.timeout)))??;
    let revision = first.revision;
    let mut follower = Follower::begin(first)?;
    let documents = follower.documents();
    admin.console.say(format_args!("watching from revision {revision} on; documents now: {documents}"));
    if documents == 0 && watch.selectors.iter().any(|selector| !selector.ends_with('/')) {
        admin.console.say("there is none of that name yet; a prefix ends in \"/\"");
    }
    loop {
        let landed = follower.take(next(&mut changes).await?)?;
        for change in &landed {
            admin.console.print(change)?;
        }
        if watch.once && !landed.is_empty() {
            return Ok(());
        }
    }
}

async fn next(changes: &mut ConfigsWatch) -> Result<DocumentsChanged, Failure> {
    match changes.next().await {
        Some(frame) => Ok(frame?),
        None => Err(Failure::failed("the watch ended")),
    }
}
