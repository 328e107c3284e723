//! Documents that change.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{Document, Revision, State, StateId};
use tokio::sync::watch;

use crate::metrics::Kind;
use crate::problem::Problem;
use crate::watch::{Watches, Watching, same_history};

/// What changed since the cursor before.
#[derive(Debug)]
pub struct ConfigsChanged {
    /// Everything up to here has been told.
    pub cursor: Revision,
    /// The history it belongs to.
    pub state: StateId,
    /// The documents are complete, and replace what the watcher knew.
    pub reset: bool,
    /// Sorted by revision, then path.
    pub documents: Vec<Arc<Document>>,
}

/// One watcher of documents.
#[derive(Debug)]
pub struct ConfigWatch {
    watching: Watching,
    signal: watch::Receiver<Revision>,
    selectors: Vec<String>,
    cursor: Option<(StateId, Revision)>,
}

impl Watches {
    /// Watches documents by path, or by prefix for selectors that are empty or end in "/".
    ///
    /// # Errors
    /// The cursor is none of this cluster's, or this node cannot find out.
    pub async fn configs(
        &self,
        selectors: Vec<String>,
        cursor: Revision,
        state: Option<StateId>,
    ) -> Result<ConfigWatch, Problem> {
        self.reach(cursor, state).await?;
        Ok(ConfigWatch {
            watching: self.watching(Kind::Config),
            // Subscribed before the first read: what happens between the two is a signal.
            signal: self.replica.signals().configs(),
            selectors,
            cursor: state.filter(|_| cursor.0 > 0).map(|state| (state, cursor)),
        })
    }
}

impl ConfigWatch {
    /// Waits for the next changes; none when this node stops.
    pub async fn next(&mut self) -> Option<ConfigsChanged> {
        loop {
            self.signal.mark_unchanged();
            if let Some(changed) = self.read() {
                return Some(changed);
            }
            tokio::select! {
                () = self.watching.stop.cancelled() => return None,
                moved = self.signal.changed() => moved.ok()?,
            }
        }
    }

    fn read(&mut self) -> Option<ConfigsChanged> {
        let changed = self.watching.replica.read(|state| {
            let present = state.state_id()?;
            let cursor = state.revision();
            let since = self.cursor.filter(|(history, _)| same_history(Some(*history), Some(present)));
            let changes = since.and_then(|(_, revision)| state.configs_changed_since(&self.selectors, revision));
            let (reset, documents) = match changes {
                Some(documents) => (false, documents),
                None => (true, selected(state, &self.selectors)),
            };
            Some(ConfigsChanged { cursor, state: present, reset, documents })
        })?;
        if changed.reset && self.cursor.is_some() {
            self.watching.metrics.watch_resets.inc();
        }
        self.cursor = Some((changed.state, changed.cursor));
        (changed.reset || !changed.documents.is_empty()).then_some(changed)
    }
}

/// Every published document that a selector names, once.
fn selected(state: &State, selectors: &[String]) -> Vec<Arc<Document>> {
    let mut documents = BTreeMap::new();
    for selector in selectors {
        let is_prefix = selector.is_empty() || selector.ends_with('/');
        let under = is_prefix.then(|| state.configs(selector)).into_iter().flatten();
        let named = (!is_prefix).then(|| state.config(selector)).flatten();
        documents.extend(under.chain(named).map(|document| (&document.path, document)));
    }
    documents.into_values().cloned().collect()
}
