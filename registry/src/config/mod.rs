//! Configs: what each process should run with.
//!
//! A document is text as written, the canonical value its proposer found in it, and who published it and why. Nothing
//! is parsed here. A publish changes all of its documents at one revision, or none.
//!
//! Invariants:
//! - Every path has one newest version; a deleted path's newest version says so, so that watchers that were away learn
//!   of it. The last `limits::DELETIONS_KEPT` deleted paths are remembered; below the revision of the newest one
//!   forgotten, changes are unknown.
//! - Past versions never crowd out a publish: they are dropped, oldest first, per path and over all.

mod command;
mod document;
mod families;
mod history;
pub(crate) mod layer;
mod layers;
mod publish;
mod query;
mod retention;
pub(crate) mod sealed;
mod witness;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use self::{
    command::{DocumentAction, DocumentChange, Format, Policy, Publish},
    document::Document,
    layer::{Layer, LayerError, LayerLabels},
    query::VersionAt,
    retention::{HistoryPolicy, Keep},
    sealed::SEALED_PREFIX,
    witness::Witness,
};
use self::{families::Families, history::Version, retention::Retention};
pub(crate) use self::{history::History, publish::Authorship};
use crate::{Revision, digest::Sum, limits};

/// In the order of publication. The version tells two publishes of one log entry apart.
type Published = (Revision, u64, Arc<str>);

/// All documents with their history.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    paths: BTreeMap<Arc<str>, Arc<History>>,
    /// Newest versions, deletions included: what changed since.
    newest: BTreeSet<Published>,
    /// Newest versions that are deletions: which to forget first.
    deletions: BTreeSet<Published>,
    /// Past versions: which to forget first.
    past: BTreeSet<Published>,
    families: Families,
    retention: Retention,
    /// The newest change of a schema that an admin attached.
    schemas_changed: Revision,
    past_bytes: usize,
    present_bytes: usize,
    /// Deletions up to here may be forgotten.
    floor: Revision,
    sum: Sum,
}

impl Configs {
    pub(crate) fn sum(&self) -> u64 {
        self.sum.value()
    }

    pub(crate) fn floor(&self) -> Revision {
        self.floor
    }

    pub(crate) fn set_floor(&mut self, floor: Revision) {
        self.floor = floor;
    }

    pub(crate) fn paths(&self) -> &BTreeMap<Arc<str>, Arc<History>> {
        &self.paths
    }

    /// As for layers, the floor stands for every deletion that was forgotten.
    pub(crate) fn schemas_revision(&self) -> Revision {
        self.schemas_changed.max(self.floor)
    }

    fn present(&self, path: &str) -> Option<&Arc<Document>> {
        self.paths.get(path)?.present()
    }

    fn documents(&self) -> usize {
        self.newest.len() - self.deletions.len()
    }

    /// Puts a version on top of its path's history. It is not older than what is there.
    pub(crate) fn push(&mut self, document: Arc<Document>) {
        let published = published(&document);
        let version = Version { digest: document.digest(), document };
        self.sum.add(version.digest);
        if version.document.deleted {
            self.deletions.insert(published.clone());
        } else {
            self.present_bytes += version.document.bytes();
        }
        self.newest.insert(published);
        let path = Arc::clone(&version.document.path);
        self.unschedule(&path);
        if path.starts_with(limits::SCHEMA_PREFIX) {
            self.schemas_changed = self.schemas_changed.max(version.document.revision);
        }
        self.families.note(&version.document);
        match self.paths.get_mut(&version.document.path) {
            None => {
                self.paths.insert(Arc::clone(&version.document.path), Arc::new(History::new(version)));
            }
            Some(history) => {
                let former = Arc::make_mut(history).push(version);
                self.retire(&former);
            }
        }
        self.schedule(&path);
    }

    /// Books a version that has become past.
    fn retire(&mut self, former: &Document) {
        let published = published(former);
        self.newest.remove(&published);
        if !self.deletions.remove(&published) {
            self.present_bytes -= former.bytes();
        }
        self.past.insert(published);
        self.past_bytes += former.bytes();
    }

    /// Drops what the limits no longer allow to keep, beginning with this path's own history.
    fn forget(&mut self, path: &str) {
        while self.paths.get(path).is_some_and(|history| history.is_long()) {
            self.forget_oldest_of(path);
        }
        while self.past_bytes > limits::HISTORY_BYTES_TOTAL_KEPT {
            let Some((.., path)) = self.past.first().cloned() else { break };
            self.forget_oldest_of(&path);
        }
        while self.deletions.len() > limits::DELETIONS_KEPT {
            let Some((revision, _, path)) = self.deletions.first().cloned() else { break };
            self.forget_path(&path);
            self.floor = self.floor.max(revision);
        }
    }

    fn forget_oldest_of(&mut self, path: &str) {
        self.unschedule(path);
        let Some(version) = self.paths.get_mut(path).and_then(|history| Arc::make_mut(history).pop()) else { return };
        self.schedule(&version.document.path);
        self.past.remove(&published(&version.document));
        self.past_bytes -= version.document.bytes();
        self.sum.subtract(version.digest);
    }

    /// Drops a deleted path with all of its history.
    fn forget_path(&mut self, path: &str) {
        while self.paths.get(path).is_some_and(|history| history.has_past()) {
            self.forget_oldest_of(path);
        }
        let Some(history) = self.paths.remove(path) else { return };
        let published = published(&history.newest.document);
        self.newest.remove(&published);
        self.deletions.remove(&published);
        self.families.forget(path);
        self.sum.subtract(history.newest.digest);
    }
}

fn published(document: &Document) -> Published {
    (document.revision, document.version, Arc::clone(&document.path))
}
