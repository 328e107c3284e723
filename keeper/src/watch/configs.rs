//! Documents that change.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{Document, Revision, State, StateId};

use crate::metrics::Kind;
use crate::problem::Problem;
use crate::watch::Watches;
use crate::watch::following::{Changed, Following, Read};

/// Documents, sorted by revision and path.
pub type ConfigsChanged = Changed<Vec<Arc<Document>>>;

/// One watcher of documents.
#[derive(Debug)]
pub struct ConfigWatch {
    following: Following,
    selectors: Vec<String>,
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
        let signal = self.replica.signals().configs();
        Ok(ConfigWatch { following: Following::new(self.watching(Kind::Config)?, signal, cursor, state), selectors })
    }
}

impl ConfigWatch {
    /// Waits for the next changes; none when this node stops.
    pub async fn next(&mut self) -> Option<ConfigsChanged> {
        let selectors = &self.selectors;
        let read = |state: &State, since: Option<Revision>| match since
            .and_then(|since| state.configs_changed_since(selectors, since))
        {
            Some(documents) if documents.is_empty() => Read::Nothing,
            Some(documents) => Read::Since(documents),
            None => Read::All(selected(state, selectors)),
        };
        self.following.next(read).await
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
