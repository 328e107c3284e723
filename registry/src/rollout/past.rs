//! What an instance was to run with at a revision before this one.
//!
//! Whoever was told of a document knows a revision of it. Between then and now its layers may have been published anew
//! without saying anything else, or what was a candidate may have been promoted: whether anything became of that for
//! one instance is found out by comparing what both revisions stand for. It is read from what histories and rollouts
//! remember; nothing is kept for it.

use std::collections::BTreeMap;

use super::AppliedLayer;
use crate::{DocumentAction, Instance, Layer, Revision, State, VersionAt};

impl State {
    /// No instance's [`State::config_for`] of a path changed after this revision, as far as is remembered.
    #[must_use]
    pub fn config_changed(&self, path: &str) -> Revision {
        let rollouts = self.rollouts.of_path(path).map(|rollout| rollout.changed.revision);
        rollouts.fold(self.layers_revision(path), Revision::max)
    }

    /// Changes up to here may be forgotten: what is told from a revision before it begins with everything.
    #[must_use]
    pub fn config_floor(&self) -> Revision {
        self.configs.floor().max(self.rollouts.floor)
    }

    /// The layers of a path that an instance was to run with at a revision; `None` when that is no longer known.
    #[must_use]
    pub fn config_for_at<'a>(
        &'a self,
        path: &'a str,
        instance: &'a Instance,
        revision: Revision,
    ) -> Option<Vec<AppliedLayer<'a>>> {
        if revision < self.config_floor() {
            return None;
        }
        let mut layers = BTreeMap::new();
        for (layer, key) in self.configs.known_layers(path).filter(|(layer, _)| layer.matches(instance)) {
            match self.version_at(key, revision) {
                VersionAt::Kept(document) if !document.deleted => {
                    let (format, text, value) = (document.format, &document.text, &document.value);
                    let revision = document.revision;
                    layers.insert(layer, AppliedLayer { layer, format, text, value, revision, candidate_of: None });
                }
                VersionAt::Kept(_) | VersionAt::Never => {}
                VersionAt::Pruned { .. } => return None,
            }
        }
        self.add_candidates_at(path, instance, revision, &mut layers);
        Some(layers.into_values().collect())
    }

    fn add_candidates_at<'a>(
        &'a self,
        path: &'a str,
        instance: &'a Instance,
        revision: Revision,
        layers: &mut BTreeMap<&'a Layer, AppliedLayer<'a>>,
    ) {
        let is_over = |rollout: &super::Rollout| rollout.state.is_finished() && rollout.changed.revision <= revision;
        let is_open = |rollout: &super::Rollout| rollout.opened_to(instance).is_some_and(|at| at.revision <= revision);
        let Some(rollout) = self.rollouts.of_path(path).find(|rollout| !is_over(rollout) && is_open(rollout)) else {
            return;
        };
        let started = rollout.opened.first().map(|at| at.revision).unwrap_or_default();
        for candidate in rollout.candidates_of(path).filter(|candidate| candidate.layer().matches(instance)) {
            let layer = candidate.layer();
            match &candidate.change().action {
                DocumentAction::Put { format, text, value, policy: _ } => {
                    let (format, candidate_of) = (*format, Some(rollout.id));
                    layers.insert(layer, AppliedLayer { layer, format, text, value, revision: started, candidate_of });
                }
                DocumentAction::Delete => drop(layers.remove(layer)),
            }
        }
    }
}
