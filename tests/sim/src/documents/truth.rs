//! What everybody should have heard: the state's histories, read by a model that shares nothing with the daemon.
//!
//! Histories and rollouts are read once, at the end: both say of every revision before what was published then, which
//! stages were open, and how it ended. Which share of the readers a stage has is the one thing asked of the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{DocumentAction, Rollout, Stage, State, rollout_place};
use serde_json::{Map, Value};

use super::{LAYERS, SERVICE, keys, place};

/// More than a history keeps.
const VERSIONS_MAX: usize = 1_000;

/// All that was published, and all that was rolled out.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// By key: each version, oldest first, and what it says; none: it was deleted.
    versions: BTreeMap<String, Vec<(u64, Option<Value>)>>,
    rollouts: Vec<Arc<Rollout>>,
    /// When anything changed.
    revisions: Vec<u64>,
}

/// For whom something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// For an open instance of this name.
    Reader(&'a str),
    /// For whoever stands where this reader does, and is none: it has no candidates.
    LikeReader(&'a str),
}

impl Truth {
    /// What a state knows.
    ///
    /// # Errors
    /// It has forgotten the beginning.
    pub fn of(state: &State) -> Result<Self, String> {
        let mut versions = BTreeMap::new();
        for (key, _) in keys() {
            let mut known: Vec<_> = state.history(&key, VERSIONS_MAX).cloned().collect();
            known.reverse();
            if known.first().is_some_and(|first| first.version != 1) {
                return Err(format!("the history of {key} no longer begins at its beginning"));
            }
            let say = |value: &[u8]| serde_json::from_slice(value).unwrap_or_default();
            let version = |it: &keeper_registry::Document| (it.revision.0, (!it.deleted).then(|| say(&it.value)));
            versions.insert(key, known.iter().map(|it| version(it)).collect::<Vec<_>>());
        }
        let rollouts: Vec<_> = state.rollouts().cloned().collect();
        let stages = rollouts.iter().flat_map(|it| it.opened.iter().map(|at| at.revision.0));
        let ends = rollouts.iter().map(|it| it.changed.revision.0);
        let mut revisions: Vec<u64> = versions.values().flatten().map(|(revision, _)| *revision).collect();
        revisions.extend(stages.chain(ends).chain([0]));
        revisions.sort_unstable();
        revisions.dedup();
        Ok(Self { versions, rollouts, revisions })
    }

    /// When anything changed, in order; 0 is the beginning.
    #[must_use]
    pub fn revisions(&self) -> &[u64] {
        &self.revisions
    }

    /// Every rollout.
    #[must_use]
    pub fn rollouts(&self) -> &[Arc<Rollout>] {
        &self.rollouts
    }

    /// What somebody is to run with at a revision, and the rollout whose candidates that has.
    #[must_use]
    pub fn effective(&self, path: &str, whose: Whose<'_>, at: u64) -> (Option<Value>, Option<u64>) {
        let (Whose::Reader(name) | Whose::LikeReader(name)) = whose;
        let rollout = match whose {
            Whose::Reader(_) => self.rollouts.iter().find(|it| touches(it, path, name) && gives(it, name, at)),
            Whose::LikeReader(_) => None,
        };
        let mut whole: Option<Map<String, Value>> = None;
        for (suffix, _) in LAYERS.iter().filter(|(suffix, _)| applies(suffix, name)) {
            let key = format!("{path}{suffix}");
            let candidate = rollout.and_then(|it| candidate(it, &key));
            let part = candidate.unwrap_or_else(|| self.published(&key, at));
            if let Some(Value::Object(part)) = part {
                whole.get_or_insert_default().extend(part);
            }
        }
        (whole.map(Value::Object), rollout.map(|it| it.id))
    }

    fn published(&self, key: &str, at: u64) -> Option<Value> {
        let versions = self.versions.get(key)?;
        versions.iter().rev().find(|(revision, _)| *revision <= at)?.1.clone()
    }
}

/// Whether a layer applies to a reader.
fn applies(suffix: &str, name: &str) -> bool {
    let place = place(name);
    match suffix {
        "@zone=z1" => place.zone == "z1",
        "@label.ring=canary" => place.ring == "canary",
        _ => true,
    }
}

fn touches(rollout: &Rollout, path: &str, name: &str) -> bool {
    let keys = LAYERS.iter().filter(|(suffix, _)| applies(suffix, name)).map(|(suffix, _)| format!("{path}{suffix}"));
    keys.into_iter().any(|key| candidate(rollout, &key).is_some())
}

/// Whether a rollout gave its candidates to an instance at a revision.
fn gives(rollout: &Rollout, name: &str, at: u64) -> bool {
    let is_over = rollout.state.is_finished() && rollout.changed.revision.0 <= at;
    let open = rollout.stages.iter().zip(&rollout.opened).filter(|(_, opened)| opened.revision.0 <= at);
    !is_over && open.into_iter().any(|(stage, _)| has(stage, name))
}

/// Whether a reader is in a stage.
fn has(stage: &Stage, name: &str) -> bool {
    let place = place(name);
    let selector = &stage.selector;
    selector.zone.as_ref().is_none_or(|zone| zone == place.zone)
        && selector.labels.iter().all(|(label, value)| label == "ring" && value == place.ring)
        && rollout_place(SERVICE, name) < stage.share_bps
}

/// What a rollout has in the place of a key: a value, or that there is none.
fn candidate(rollout: &Rollout, key: &str) -> Option<Option<Value>> {
    let found = rollout.candidates.iter().find(|it| it.change().path == key)?;
    Some(match &found.change().action {
        DocumentAction::Put { value, .. } => serde_json::from_slice(value).ok(),
        DocumentAction::Delete => None,
    })
}

/// The stage that has a reader first.
#[must_use]
pub fn stage_of(rollout: &Rollout, name: &str) -> Option<usize> {
    rollout.stages.iter().position(|stage| has(stage, name))
}

/// Whether a rollout would publish a number.
#[must_use]
pub fn holds(rollout: &Rollout, number: u64) -> bool {
    let keys = keys().filter_map(|(key, field)| Some((candidate(rollout, &key)??, field)));
    keys.into_iter().any(|(value, field)| value.get(field).and_then(Value::as_u64) == Some(number))
}
