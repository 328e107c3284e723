//! What a publish does to each document, for whoever asks for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{Document, DocumentAction, DocumentChange, Layer, Revision, State};

use crate::config::diff::Change;
use crate::config::secret::{KeyRing, MASK, mask};
use crate::config::{Field, diff};
use crate::format::{self, Format, Value, canonical};
use crate::limits::{CHANGES_TOLD_BYTES_MAX, CHANGES_TOLD_MAX};

/// What becomes of one document. Secrets are masked.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its key.
    pub path: String,
    /// What it takes the place of; `Revision(0)`: of nothing.
    pub from: Revision,
    /// Fields that are not what they were: the first [`CHANGES_TOLD_MAX`], and no more of them than
    /// [`CHANGES_TOLD_BYTES_MAX`] bytes in one publish.
    pub fields: Vec<Change>,
    /// Open instances that read it and have this layer; none if the value stays what it was.
    pub instances: usize,
    /// The canonical value; none: it is deleted.
    pub value: Option<Bytes>,
}

/// What a document is before a publish.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    pub(super) document: Option<Arc<Document>>,
    /// All that is kept of it, the newest first.
    pub(super) versions: Vec<Arc<Document>>,
    pub(super) readers: usize,
}

impl Before {
    /// Takes it from the state.
    pub(super) fn of(state: &State, key: &str) -> Self {
        let readers = Layer::of_key(key).map_or(0, |(path, layer)| {
            let incarnations = state.consumers(path).flat_map(|group| group.incarnations());
            let instances = incarnations.filter_map(|incarnation| state.instance(incarnation));
            instances.filter(|instance| layer.matches(instance)).count()
        });
        let versions = state.history(key, usize::MAX).cloned().collect();
        Self { document: state.config(key).cloned(), versions, readers }
    }

    fn value(&self) -> Option<Value> {
        read(&self.document.as_ref()?.value)
    }
}

/// A canonical value, read.
pub(super) fn read(canonical: &Bytes) -> Option<Value> {
    format::parse(Format::Json, std::str::from_utf8(canonical).ok()?).ok()
}

/// Of each change what it does. `secrets` are the sealed fields of each.
pub(super) fn told(
    changes: &[DocumentChange],
    before: &[Before],
    secrets: &[BTreeSet<Field>],
    keys: &KeyRing,
) -> Vec<Told> {
    let mut room = CHANGES_TOLD_BYTES_MAX;
    let none = BTreeSet::new();
    let each = changes.iter().zip(before).enumerate();
    each.map(|(place, (change, before))| one(change, before, secrets.get(place).unwrap_or(&none), keys, &mut room))
        .collect()
}

fn one(change: &DocumentChange, before: &Before, secrets: &BTreeSet<Field>, keys: &KeyRing, room: &mut usize) -> Told {
    let shown = match &change.action {
        DocumentAction::Put { value, .. } => read(value),
        DocumentAction::Delete => None,
    };
    let (mut old, mut new) = (before.value(), shown.clone());
    let mut hidden = secrets.clone();
    for value in [&mut old, &mut new].into_iter().flatten() {
        hidden.extend(keys.reveal(&change.path, value));
    }
    let mut fields = diff::between(old.as_ref(), new.as_ref());
    let instances = if fields.is_empty() { 0 } else { before.readers };
    fields.truncate(CHANGES_TOLD_MAX);
    for change in &mut fields {
        hide(change, &hidden);
    }
    fields.retain(|change| {
        let left = room.checked_sub(shown_bytes(change));
        *room = left.unwrap_or_default();
        left.is_some()
    });
    let value = shown.map(|mut value| {
        mask(&mut value);
        canonical(&value)
    });
    let from = before.document.as_ref().map_or_else(Revision::default, |document| document.revision);
    Told { path: change.path.clone(), from, fields, instances, value }
}

/// Masks what is a secret in a change, or inside of what changed.
pub(crate) fn hide(change: &mut Change, secrets: &BTreeSet<Field>) {
    let Change { field, old, new } = change;
    for value in [old, new].into_iter().flatten() {
        if secrets.iter().any(|secret| secret.covers(field)) {
            *value = Value::String(MASK.to_owned());
            continue;
        }
        for inside in secrets.iter().filter_map(|secret| secret.inside(field)) {
            if let Some(secret) = inside.of_mut(value) {
                *secret = Value::String(MASK.to_owned());
            }
        }
    }
}

fn shown_bytes(change: &Change) -> usize {
    let of = |value: &Option<Value>| value.as_ref().map_or(0, |value| canonical(value).len());
    change.field.to_string().len() + of(&change.old) + of(&change.new)
}
