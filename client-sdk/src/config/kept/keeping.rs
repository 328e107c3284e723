//! Writes what is to be on disk, the latest of each document, one after another and away from whoever waits.

use std::{collections::BTreeMap, path::PathBuf};

use parking_lot::Mutex;
use tokio::{sync::Notify, task::spawn_blocking};

use crate::config::kept::Save;

/// What is still to be written.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    saves: Mutex<BTreeMap<PathBuf, Save>>,
    more: Notify,
}

impl Keeping {
    pub(crate) fn save(&self, save: Save) {
        self.saves.lock().insert(save.file().to_owned(), save);
        self.more.notify_one();
    }

    /// Runs for as long as the client. A value that cannot be written is tried again when it changes or is confirmed.
    pub(crate) async fn run(&self) {
        loop {
            self.more.notified().await;
            loop {
                let next = self.saves.lock().pop_first();
                let Some((file, save)) = next else { break };
                let file = file.display();
                match spawn_blocking(move || save.write()).await {
                    Ok(Ok(())) => tracing::debug!(%file, "kept"),
                    Ok(Err(error)) => tracing::warn!(%file, %error, "the last known good value is not kept"),
                    // The runtime ends, and this task with it.
                    Err(_) => return,
                }
            }
        }
    }
}
