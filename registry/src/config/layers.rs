//! What is asked about the layers of a path.

use std::sync::Arc;

use super::{Configs, Document, Layer, layer};
use crate::{Instance, Revision, State};

impl State {
    /// The published layers of a path as they are applied, the base among them. A key with a layer has none.
    pub fn layers<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a Layer, &'a Arc<Document>)> {
        self.configs.layers(path)
    }

    /// Those that apply to an instance.
    pub fn layers_of<'a>(
        &'a self,
        path: &'a str,
        instance: &'a Instance,
    ) -> impl Iterator<Item = (&'a Layer, &'a Arc<Document>)> {
        self.layers(path).filter(|(layer, _)| layer.matches(instance))
    }

    /// When a layer of a path changed last, the base among them, deletions included. It only rises, and may rise when
    /// deletions of other paths are forgotten.
    #[must_use]
    pub fn layers_revision(&self, path: &str) -> Revision {
        self.configs.layers_revision(path)
    }
}

impl Configs {
    pub(crate) fn layers<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a Layer, &'a Arc<Document>)> {
        let base = Some(path).filter(|path| !path.contains(layer::MARK)).and_then(|path| self.present(path));
        let layers = self.families.known(path);
        let layers = layers.filter_map(|(layer, key)| Some((layer, self.present(key)?)));
        base.map(|document| (&Layer::Base, document)).into_iter().chain(layers)
    }

    /// The keys of a path that are remembered, deleted ones too.
    pub(crate) fn known_layers<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a Layer, &'a str)> {
        let base = Some((&Layer::Base, path)).filter(|(_, path)| !path.contains(layer::MARK));
        base.into_iter().chain(self.families.known(path).map(|(layer, key)| (layer, &**key)))
    }

    /// When what is published for an instance changed last, as far as is remembered.
    pub(crate) fn revision_for(&self, path: &str, instance: &Instance) -> Revision {
        let layers = self.families.known(path).filter(|(layer, _)| layer.matches(instance)).map(|(_, key)| &**key);
        let newest = |key: &str| self.paths.get(key).map(|history| history.newest.document.revision);
        layers.chain([path]).filter_map(newest).max().unwrap_or_default()
    }

    /// A deletion that is forgotten lies at or below the floor. So the floor stands for all of them: without it a layer
    /// that came, went and was forgotten would leave the revision that was there before it.
    pub(crate) fn layers_revision(&self, path: &str) -> Revision {
        let base = self.paths.get(path).map_or_else(Revision::default, |history| history.newest.document.revision);
        base.max(self.families.changed(path)).max(self.floor)
    }
}
