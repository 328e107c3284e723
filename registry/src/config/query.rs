//! What readers and watchers of configs are told.

use std::{ops::Bound, sync::Arc};

use super::{Configs, Document};
use crate::{Revision, State};

/// What is known of a path at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionAt<'a> {
    /// What was published then, or that it was deleted.
    Kept(&'a Arc<Document>),
    /// Nothing had been published by then.
    Never,
    /// What there was is no longer kept.
    Pruned {
        /// The revision of the oldest version that is; none: the path is not known at all.
        oldest: Option<Revision>,
    },
}

impl State {
    /// The document as published now.
    #[must_use]
    pub fn config(&self, path: &str) -> Option<&Arc<Document>> {
        self.configs.present(path)
    }

    /// The version that was the newest at a revision, a deletion included; `None` when there was none or its history no
    /// longer reaches that far.
    #[must_use]
    pub fn config_at(&self, path: &str, revision: Revision) -> Option<&Arc<Document>> {
        self.configs.paths.get(path)?.at(revision)
    }

    /// What is known of a path at a revision: a version, that there was none, or that it is no longer known.
    #[must_use]
    pub fn version_at(&self, path: &str, revision: Revision) -> VersionAt<'_> {
        let history = self.configs.paths.get(path);
        if let Some(document) = history.and_then(|history| history.at(revision)) {
            return VersionAt::Kept(document);
        }
        let oldest = history.and_then(|history| history.oldest_first().next());
        // A path that was deleted and forgotten begins anew at its first version.
        let is_first = oldest.is_none_or(|oldest| oldest.version == 1);
        if is_first && revision >= self.configs.floor {
            return VersionAt::Never;
        }
        VersionAt::Pruned { oldest: oldest.map(|oldest| oldest.revision) }
    }

    /// Versions of a path, newest first, deletions included.
    pub fn history(&self, path: &str, limit: usize) -> impl Iterator<Item = &Arc<Document>> {
        let history = self.configs.paths.get(path);
        history.into_iter().flat_map(|history| history.newest_first()).take(limit)
    }

    /// Published documents whose path begins so, sorted by path.
    pub fn configs<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<Document>> {
        self.configs.under(prefix)
    }

    /// All that is kept of documents whose path begins so, deleted ones among them: each path's versions, newest first.
    pub fn config_histories<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<Document>> {
        let from = self.configs.paths.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let under = from.take_while(move |(path, _)| path.starts_with(prefix));
        under.flat_map(|(_, history)| history.newest_first())
    }

    /// The newest version of every selected path that changed after this revision, deletions included, in the order of
    /// publication; `None` when deletions after it may be forgotten, and the full set is to be read.
    ///
    /// A selector is a path, or a prefix that ends in `/`, or empty: everything.
    #[must_use]
    pub fn configs_changed_since<S: AsRef<str>>(
        &self,
        selectors: &[S],
        revision: Revision,
    ) -> Option<Vec<Arc<Document>>> {
        if revision < self.configs.floor {
            return None;
        }
        let start = (Revision(revision.0.saturating_add(1)), 0, Arc::from(""));
        let changed = self.configs.newest.range((Bound::Included(start), Bound::Unbounded));
        let selected = changed.filter(|(.., path)| selectors.iter().any(|one| is_selected(one.as_ref(), path)));
        Some(
            selected
                .filter_map(|(.., path)| Some(Arc::clone(&self.configs.paths.get(path)?.newest.document)))
                .collect(),
        )
    }
}

impl Configs {
    fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<Document>> {
        let from = self.paths.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let under = from.take_while(move |(path, _)| path.starts_with(prefix));
        under.filter_map(|(_, history)| history.present())
    }
}

fn is_selected(selector: &str, path: &str) -> bool {
    selector == path || ((selector.is_empty() || selector.ends_with('/')) && path.starts_with(selector))
}
