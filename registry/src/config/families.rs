//! The documents of one path: its layers.
//!
//! An index over the documents, of paths that have layers beside their base. It follows from the documents alone, so it
//! is in no snapshot and in no hash; [`Configs::layers_revision`](super::Configs::layers_revision) says how what it
//! forgot with them is made up for.

use std::{collections::BTreeMap, sync::Arc};

use super::{Document, Layer};
use crate::Revision;

/// By the path without a layer.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<Box<str>, Family>);

#[derive(Debug, Default)]
struct Family {
    /// Layers as they are applied, deleted ones that are remembered included.
    known: BTreeMap<Layer, Member>,
    published: usize,
    /// The newest change of a layer, deletions included.
    changed: Revision,
}

/// A layer that has a history.
#[derive(Debug)]
struct Member {
    key: Arc<str>,
    presence: Presence,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Published,
    Deleted,
}

impl Families {
    /// Notes the newest version of a key.
    pub(super) fn note(&mut self, document: &Document) {
        let Ok((path, layer)) = Layer::of_key(&document.path) else { return };
        if layer == Layer::Base {
            return;
        }
        let family = self.0.entry(path.into()).or_default();
        let presence = if document.deleted { Presence::Deleted } else { Presence::Published };
        let former = family.known.insert(layer, Member { key: Arc::clone(&document.path), presence });
        family.published -= usize::from(former.is_some_and(|former| former.presence == Presence::Published));
        family.published += usize::from(presence == Presence::Published);
        family.changed = family.changed.max(document.revision);
    }

    /// A deleted key is no longer remembered.
    pub(super) fn forget(&mut self, key: &str) {
        let Ok((path, layer)) = Layer::of_key(key) else { return };
        let Some(family) = self.0.get_mut(path) else { return };
        family.known.remove(&layer);
        if family.known.is_empty() {
            self.0.remove(path);
        }
    }

    /// As they are applied, the base left out; deleted ones that are remembered are among them.
    pub(super) fn known(&self, path: &str) -> impl Iterator<Item = (&Layer, &Arc<str>)> {
        let known = self.0.get(path).into_iter().flat_map(|family| &family.known);
        known.map(|(layer, member)| (layer, &member.key))
    }

    /// How many layers of a path are published, the base left out.
    pub(super) fn len(&self, path: &str) -> usize {
        self.0.get(path).map_or(0, |family| family.published)
    }

    pub(super) fn changed(&self, path: &str) -> Revision {
        self.0.get(path).map_or_else(Revision::default, |family| family.changed)
    }
}
