//! Admins: they read a document, and replace it if nobody else did meanwhile.

use keeper_client_sdk::{Configs, Document, Edit};

use super::any_document;
use crate::client::{Client, pause};
use crate::history::{NEVER, Read, Replacement};

/// Pause between two attempts at most.
const PAUSE_MS: u64 = 120;

/// Publishes until it is told to end.
pub async fn replace_configs(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    let configs = keeper.configs();
    // Numbers of one writer are apart from those of all others.
    let mut number = (client.seed % (1 << 20)) << 20;
    while !client.history.is_over() {
        pause(&mut rng, PAUSE_MS).await;
        let path = any_document(&mut rng);
        let Some(read) = read(&client, &configs, &path).await else { continue };
        number += 1;
        replace(&client, &configs, &read, number).await;
    }
}

/// Reads a document, and writes down what it holds.
pub(super) async fn read(client: &Client, configs: &Configs, path: &str) -> Option<Read> {
    let began = client.history.moment();
    let answer = configs.get(path).await;
    client.history.count("read", &answer);
    let document = answer.ok()?;
    let ended = client.history.moment();
    let revision = document.as_ref().map_or(0, |document| document.revision);
    let number = document.as_ref().map_or(0, number_in);
    let read = Read { path: path.to_owned(), began, ended, revision, number };
    client.history.with(|records| records.reads.push(read.clone()));
    Some(read)
}

async fn replace(client: &Client, configs: &Configs, read: &Read, number: u64) {
    let began = client.history.moment();
    let Read { path, revision, number: from, .. } = read.clone();
    let edit = Edit::put(&path, format!("{{\"n\":{number}}}")).expecting(revision);
    let at = client.history.with(|records| {
        records.replacements.push(Replacement {
            path,
            revision,
            from,
            number,
            began,
            ended: NEVER,
            became: None,
            is_refused: false,
        });
        records.replacements.len() - 1
    });
    let answer = configs.publish(edit).await;
    client.history.count("replace", &answer);
    client.history.count_refused(&answer);
    let ended = client.history.moment();
    client.history.with(|records| match answer {
        Ok(published) => {
            let replacement = &mut records.replacements[at];
            (replacement.ended, replacement.became) = (ended, Some(published.revision));
        }
        Err(error) => records.replacements[at].is_refused = !error.may_have_happened(),
    });
}

/// What a document of this workload holds.
pub(super) fn number_in(document: &Document) -> u64 {
    document.value().ok().and_then(|value| value.get("n")?.as_u64()).unwrap_or(0)
}
