//! What a publish is judged by, as the state has it.
//!
//! Taken while the state is held, which is why nothing is read, merged or compared here: texts are pointed at, and
//! processes are counted by the layers that are for them. What is judged afterwards is this alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::limits::{OWN_PREFIX, SCHEMA_PREFIX};
use keeper_registry::{Document, DocumentAction, DocumentChange, Format, Layer, Publish, State, Witness};

use super::Refusal;
use crate::config::limits::{ATTACHED_MAX, EFFECTIVE_DOCUMENTS_MAX};
use crate::limits::{JUDGED_INLINE_BYTES_MAX, JUDGED_INLINE_PRODUCT_MAX};

/// A publish, and all that it is judged by.
#[derive(Debug)]
pub struct Case {
    pub(super) subjects: Vec<Subject>,
    /// Schemas that admins attach, by their keys, as they would be.
    pub(super) attached: Vec<(Arc<str>, Bytes)>,
    /// The keys of those among them that are published.
    pub(super) attached_now: BTreeSet<Arc<str>>,
    /// If there are any of those: the documents that stay as they are.
    pub(super) present: Vec<Arc<Document>>,
    pub(super) witnesses: Vec<Witness>,
    pub(super) forced: Option<String>,
}

/// A path of which something is published.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) path: Arc<str>,
    /// As they would be, in the order they are applied.
    pub(super) layers: BTreeMap<Layer, (Format, Bytes)>,
    /// Layers that are published or deleted.
    changed: BTreeSet<Layer>,
    /// Who reads it; a set of layers counts them by their places here.
    pub(super) groups: Vec<Group>,
    /// Every set of layers whose effective document changes, and how many processes of each group have it.
    pub(super) sets: BTreeMap<LayerSet, BTreeMap<usize, usize>>,
}

/// Which of a path's layers, by their places.
pub(super) type LayerSet = Vec<u16>;

/// Processes that are judged as one.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) service: Arc<str>,
    pub(super) version: Arc<str>,
    /// None: they take any value.
    pub(super) schema: Option<Bytes>,
}

impl Case {
    /// Takes from the state what a publish is judged by. What makes a publish impossible whatever its values say (a
    /// name that is none, a revision that is another) is the state's own to refuse.
    ///
    /// # Errors
    /// It changes more than can be judged.
    pub fn of(state: &State, publish: &Publish) -> Result<Self, Refusal> {
        let mut by_path: BTreeMap<&str, Vec<(Layer, &DocumentChange)>> = BTreeMap::new();
        for change in &publish.changes {
            if let Ok((path, layer)) = Layer::of_key(&change.path)
                && !path.starts_with(OWN_PREFIX)
            {
                by_path.entry(path).or_default().push((layer, change));
            }
        }
        let (attached, attached_now) = attached(state, publish)?;
        let mut witnesses = vec![Witness::Schemas { revision: state.schemas_revision() }];
        let mut subjects = Vec::with_capacity(by_path.len());
        for (path, changes) in by_path {
            witnesses.push(Witness::Layers { path: path.to_owned(), revision: state.layers_revision(path) });
            witnesses.push(Witness::Consumers { path: path.to_owned(), revision: state.consumers_revision(path) });
            subjects.push(Subject::of(state, path, &changes)?);
        }
        let mut present = Vec::new();
        if !attached_now.is_empty() {
            let changed: BTreeSet<_> = publish.changes.iter().map(|change| change.path.as_str()).collect();
            let others =
                state.configs("").filter(|it| !it.path.starts_with(OWN_PREFIX) && !changed.contains(&*it.path));
            present.extend(others.cloned());
        }
        Ok(Self { subjects, attached, attached_now, present, witnesses, forced: publish.forced.clone() })
    }

    /// Puts a value with sealed fields in the place of the one that is published.
    pub fn seal(&mut self, key: &str, value: &Bytes) {
        let Ok((path, layer)) = Layer::of_key(key) else { return };
        let subject = self.subjects.iter_mut().find(|subject| *subject.path == *path);
        if let Some((_, present)) = subject.and_then(|subject| subject.layers.get_mut(&layer)) {
            *present = value.clone();
        }
    }

    /// Whether judging takes longer than a thread that serves others may be kept. Of the bytes of a document and of
    /// those of a schema the product counts: thousands of items may each be compared with hundreds of alternatives.
    #[must_use]
    pub fn is_long(&self) -> bool {
        let looked_through: usize = self.present.iter().map(|document| document.value.len()).sum();
        let merged = looked_through + self.subjects.iter().map(Subject::merged_bytes).sum::<usize>();
        let announced =
            self.subjects.iter().flat_map(|subject| &subject.groups).filter_map(|group| group.schema.as_ref());
        let schemas = announced.chain(self.attached.iter().map(|(_, schema)| schema)).map(Bytes::len).sum::<usize>();
        merged > JUDGED_INLINE_BYTES_MAX || merged.saturating_mul(schemas) > JUDGED_INLINE_PRODUCT_MAX
    }
}

/// A schema's key and its canonical value.
type Attachment = (Arc<str>, Bytes);

fn attached(state: &State, publish: &Publish) -> Result<(Vec<Attachment>, BTreeSet<Arc<str>>), Refusal> {
    let present = state.configs(SCHEMA_PREFIX).map(|document| (Arc::clone(&document.path), document.value.clone()));
    let mut attached: BTreeMap<_, _> = present.collect();
    let (before, mut now) = (attached.len(), BTreeSet::new());
    for change in publish.changes.iter().filter(|change| change.path.starts_with(SCHEMA_PREFIX)) {
        let key: Arc<str> = change.path.as_str().into();
        match &change.action {
            DocumentAction::Put { value, .. } => {
                now.insert(Arc::clone(&key));
                attached.insert(key, value.clone());
            }
            DocumentAction::Delete => drop(attached.remove(&key)),
        }
    }
    if attached.len() > ATTACHED_MAX.max(before) {
        return Err(Refusal::TooManySchemas);
    }
    Ok((attached.into_iter().collect(), now))
}

impl Subject {
    fn of(state: &State, path: &str, changes: &[(Layer, &DocumentChange)]) -> Result<Self, Refusal> {
        let present =
            state.layers(path).map(|(layer, document)| (layer.clone(), (document.format, document.value.clone())));
        let mut layers: BTreeMap<_, _> = present.collect();
        let mut changed = BTreeSet::new();
        for (layer, change) in changes {
            changed.insert(layer.clone());
            match &change.action {
                DocumentAction::Put { format, value, .. } => {
                    layers.insert(layer.clone(), (*format, value.clone()));
                }
                DocumentAction::Delete => drop(layers.remove(layer)),
            }
        }
        let mut subject = Self { path: path.into(), layers, changed, groups: Vec::new(), sets: BTreeMap::new() };
        subject.count_processes(state)?;
        subject.add_singles();
        Ok(subject)
    }

    fn merged_bytes(&self) -> usize {
        let layers: Vec<_> = self.layers.values().map(|(_, value)| value.len()).collect();
        let of = |set: &LayerSet| set.iter().filter_map(|place| layers.get(usize::from(*place))).sum::<usize>();
        self.sets.keys().map(of).sum()
    }

    /// Every open process that reads the path and gets another document than before.
    fn count_processes(&mut self, state: &State) -> Result<(), Refusal> {
        for consumers in state.consumers(&self.path) {
            let group = consumers.group();
            let schema = group.schema.and_then(|hash| state.schema(hash)).cloned();
            let place = self.groups.len();
            self.groups.push(Group {
                service: Arc::clone(&group.service),
                version: Arc::clone(&group.version),
                schema,
            });
            for instance in consumers.incarnations().filter_map(|incarnation| state.instance(incarnation)) {
                if !self.changed.iter().any(|layer| layer.matches(instance)) {
                    continue;
                }
                let matching = self.layers.keys().zip(0..).filter(|(layer, _)| layer.matches(instance));
                let set = matching.map(|(_, place)| place).collect();
                *self.sets.entry(set).or_default().entry(place).or_default() += 1;
                if self.sets.len() > EFFECTIVE_DOCUMENTS_MAX {
                    return Err(Refusal::TooManyDocuments { path: Arc::clone(&self.path) });
                }
            }
        }
        Ok(())
    }

    /// The base alone, and with each layer alone: what the next process will get that nobody has yet.
    fn add_singles(&mut self) {
        let base: LayerSet = self.layers.contains_key(&Layer::Base).then_some(0).into_iter().collect();
        let base_changed = self.changed.contains(&Layer::Base);
        if base_changed && !base.is_empty() {
            self.sets.entry(base.clone()).or_default();
        }
        for (layer, place) in self.layers.keys().zip(0..).filter(|(layer, _)| **layer != Layer::Base) {
            if base_changed || self.changed.contains(layer) {
                let set = base.iter().copied().chain([place]).collect();
                self.sets.entry(set).or_default();
            }
        }
    }
}
