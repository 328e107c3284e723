//! The layers of a document that somebody is to run with.

use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{AppliedLayer, Format, Incarnation, Layer, Revision, SchemaHash, State, StateId};

/// Layers, pointed at. Takes no more of the state's time than cloning pointers.
#[derive(Debug, Clone)]
pub struct Layered {
    key: Key,
    /// How each is written, and its canonical value, in the order of the key's layers.
    values: Vec<(Format, Bytes)>,
    schema: Option<Bytes>,
}

/// What an effective document follows from: equal keys, equal documents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    state: StateId,
    path: Arc<str>,
    layers: Box<[Part]>,
    /// What the reader reads it by, where that decides what it is given.
    schema: Option<SchemaHash>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Part {
    layer: Layer,
    revision: Revision,
    candidate_of: Option<u64>,
}

impl Layered {
    /// Those that the state says apply. `reader` is whose schema types what comes without types.
    #[must_use]
    pub fn of(state: &State, path: &Arc<str>, applied: &[AppliedLayer<'_>], reader: Option<Incarnation>) -> Self {
        let part = |it: &AppliedLayer<'_>| Part {
            layer: it.layer.clone(),
            revision: it.revision,
            candidate_of: it.candidate_of,
        };
        let is_untyped = applied.iter().any(|it| it.format == Format::Ini);
        let hash = reader.filter(|_| is_untyped).and_then(|reader| {
            let consumed = state.consumed_by(reader);
            consumed.iter().find(|consumed| consumed.path == *path).and_then(|consumed| consumed.schema)
        });
        let schema = hash.and_then(|hash| state.schema(hash)).cloned();
        let key = Key {
            state: state.state_id().unwrap_or_default(),
            path: Arc::clone(path),
            layers: applied.iter().map(part).collect(),
            schema: hash.filter(|_| schema.is_some()),
        };
        Self { key, values: applied.iter().map(|it| (it.format, it.value.clone())).collect(), schema }
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    pub(super) const fn path(&self) -> &Arc<str> {
        &self.key.path
    }

    pub(super) const fn schema(&self) -> Option<&Bytes> {
        self.schema.as_ref()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of a base that nothing lies upon and that has types: it is what it says.
    pub(super) fn alone(&self) -> Option<&Bytes> {
        match (&*self.key.layers, &*self.values) {
            ([part], [(_, value)]) if part.layer == Layer::Base && self.key.schema.is_none() => Some(value),
            _ => None,
        }
    }

    /// As they are applied: the layer, its format and its canonical value.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&Layer, Format, &Bytes)> {
        let values = self.values.iter();
        self.key.layers.iter().zip(values).map(|(part, (format, value))| (&part.layer, *format, value))
    }
}

impl Key {
    pub(super) fn bytes(&self) -> u64 {
        (self.path.len() + self.layers.len() * size_of::<Part>()) as u64
    }
}
