//! What readers are told of rollouts, and what an instance is to run with.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{Candidate, Rollout};
use crate::{DocumentAction, Format, Instance, Layer, Revision, State};

/// What an instance is to run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFor<'a> {
    /// The layers that apply to it, as they are applied. None: there is nothing for it.
    pub layers: Vec<AppliedLayer<'a>>,
    /// When it last changed: the newest of its layers, deleted ones included, of the stage that gave it candidates, and
    /// of the end of the rollout that took them away. It may fall when a deletion or a rollout is forgotten, without
    /// anything having changed then.
    pub revision: Revision,
    /// The rollout whose candidates are for it; one that deletes a layer leaves nothing among them.
    pub rollout: Option<u64>,
}

/// One layer of it. Equal layer, revision and rollout: equal text and value, between entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedLayer<'a> {
    /// Which.
    pub layer: &'a Layer,
    /// How the text is written.
    pub format: Format,
    /// As written.
    pub text: &'a Bytes,
    /// The canonical value.
    pub value: &'a Bytes,
    /// Of its publish, or of the rollout's start.
    pub revision: Revision,
    /// The rollout it is a candidate of; none: it is published.
    pub candidate_of: Option<u64>,
}

impl State {
    /// A rollout that is remembered.
    #[must_use]
    pub fn rollout(&self, id: u64) -> Option<&Arc<Rollout>> {
        self.rollouts.get(id)
    }

    /// All that are remembered, oldest first.
    pub fn rollouts(&self) -> impl DoubleEndedIterator<Item = &Arc<Rollout>> {
        self.rollouts.iter()
    }

    /// The one that is under way on a path.
    #[must_use]
    pub fn rollout_of(&self, path: &str) -> Option<&Arc<Rollout>> {
        self.rollouts.under_way(path)
    }

    /// Those that went a step on after a revision, oldest first; `None` when some that did may be forgotten, and
    /// everything is to be read.
    #[must_use]
    pub fn rollouts_changed_since(&self, revision: Revision) -> Option<Vec<Arc<Rollout>>> {
        if revision < self.rollouts.floor {
            return None;
        }
        Some(self.rollouts.iter().filter(|rollout| rollout.changed.revision > revision).cloned().collect())
    }

    /// The layers of a path that an instance is to run with: those published, or the candidates of a rollout in their
    /// place if the instance is in one of its open stages.
    #[must_use]
    pub fn config_for<'a>(&'a self, path: &'a str, instance: &'a Instance) -> ConfigFor<'a> {
        let published = self.layers_of(path, instance).map(|(layer, document)| {
            let (format, text, value) = (document.format, &document.text, &document.value);
            let revision = document.revision;
            (layer, AppliedLayer { layer, format, text, value, revision, candidate_of: None })
        });
        let mut layers: BTreeMap<_, _> = published.collect();
        let mut revision = self.configs.revision_for(path, instance);
        let taken = self.rollout_of(path).filter(|rollout| rollout.takes(instance));
        let taken = taken.filter(|rollout| rollout.candidates_for(path, instance).next().is_some());
        let candidate_of = taken.map(|rollout| rollout.id);
        for candidate in taken.into_iter().flat_map(|rollout| rollout.candidates_for(path, instance)) {
            let layer = candidate.layer();
            match &candidate.change().action {
                DocumentAction::Put { format, text, value, policy: _ } => {
                    let revision = taken.and_then(|rollout| rollout.opened.first()).map_or(revision, |at| at.revision);
                    let applied = AppliedLayer { layer, format: *format, text, value, revision, candidate_of };
                    layers.insert(layer, applied);
                }
                DocumentAction::Delete => drop(layers.remove(layer)),
            }
        }
        for rollout in self.rollouts.of_path(path) {
            revision = revision.max(rollout.seen_by(path, instance).unwrap_or_default());
        }
        ConfigFor { layers: layers.into_values().collect(), revision, rollout: candidate_of }
    }
}

impl Rollout {
    /// Its candidates for a path that would apply to an instance.
    fn candidates_for<'a>(&'a self, path: &'a str, instance: &'a Instance) -> impl Iterator<Item = &'a Candidate> {
        self.candidates_of(path).filter(|candidate| candidate.layer().matches(instance))
    }

    /// When it last changed what an instance is to run with; none: it never did.
    fn seen_by(&self, path: &str, instance: &Instance) -> Option<Revision> {
        self.candidates_for(path, instance).next()?;
        let opened = self.opened_to(instance)?;
        Some(if self.state.is_finished() { self.changed.revision } else { opened.revision })
    }
}
