//! From the layers of a path to the one document that a process runs with.
//!
//! The rule is RFC 7396, JSON Merge Patch, layer upon layer in their order: an object is merged field by field, `null`
//! removes a field, and everything else, an array too, takes the place of what was there as a whole. The base is what
//! is patched and stands as it was written, a `null` in it included. Where there is no base, the first layer patches
//! nothing: what it removes was not there.
//!
//! TOML has no null and INI none either: a layer in these formats cannot remove a field, only give it another value.
//!
//! A merge is never deeper than the deepest of its layers, so that the depth that [`format`](mod@crate::format) allows
//! a document bounds the recursion here.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use keeper_registry::Layer;

use super::Field;
use crate::format::Value;

/// What a process runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// All layers in one.
    pub value: Value,
    /// Which of them gave what.
    pub provenance: Provenance,
}

/// Which layer gave each field: each value that is no object, and each object that is empty. For an empty object it is
/// the layer that made it one, whichever removed its fields. What was removed is not there to be asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance(BTreeMap<Field, Layer>);

impl Provenance {
    /// Every field, and its layer, sorted by field.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Field, &Layer)> {
        self.0.iter()
    }

    /// The layer that gave a field, or the array that it lies in.
    #[must_use]
    pub fn of(&self, field: &Field) -> Option<&Layer> {
        let at_or_before = self.0.range(..=field.clone()).next_back();
        at_or_before.filter(|(given, _)| given.covers(field)).map(|(_, layer)| layer)
    }
}

/// Merges layers that are given in the order they are applied; none: there are none.
#[must_use]
pub fn effective<'a>(layers: impl IntoIterator<Item = (&'a Layer, &'a Value)>) -> Option<Effective> {
    let merged = layers.into_iter().fold(None, |below, (layer, value)| {
        Some(if *layer == Layer::Base { whole(value, layer) } else { patch(below, value, layer) })
    })?;
    let mut provenance = BTreeMap::new();
    let value = written(merged, &Field::default(), &mut provenance);
    Some(Effective { value, provenance: Provenance(provenance) })
}

/// A value that knows where its parts came from.
enum Node<'a> {
    Object(BTreeMap<&'a str, Self>, &'a Layer),
    Leaf(&'a Value, &'a Layer),
}

fn whole<'a>(value: &'a Value, layer: &'a Layer) -> Node<'a> {
    let Value::Object(entries) = value else { return Node::Leaf(value, layer) };
    Node::Object(entries.iter().map(|(name, value)| (name.as_str(), whole(value, layer))).collect(), layer)
}

/// MergePatch of RFC 7396, section 2.
fn patch<'a>(target: Option<Node<'a>>, value: &'a Value, layer: &'a Layer) -> Node<'a> {
    let Value::Object(entries) = value else { return Node::Leaf(value, layer) };
    let (mut fields, origin) = match target {
        Some(Node::Object(fields, origin)) => (fields, origin),
        Some(Node::Leaf(..)) | None => (BTreeMap::new(), layer),
    };
    for (name, value) in entries {
        let former = fields.remove(name.as_str());
        if *value != Value::Null {
            fields.insert(name, patch(former, value, layer));
        }
    }
    Node::Object(fields, origin)
}

fn written(node: Node<'_>, field: &Field, provenance: &mut BTreeMap<Field, Layer>) -> Value {
    match node {
        Node::Leaf(value, layer) => {
            provenance.insert(field.clone(), layer.clone());
            value.clone()
        }
        Node::Object(fields, layer) => {
            if fields.is_empty() {
                provenance.insert(field.clone(), layer.clone());
            }
            let entries = fields.into_iter().map(|(name, node)| {
                let value = written(node, &field.name(name), provenance);
                (name.to_owned(), value)
            });
            Value::Object(entries.collect())
        }
    }
}
