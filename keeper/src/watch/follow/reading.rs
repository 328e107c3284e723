//! What a follower reads of the state.

use std::sync::Arc;

use keeper_registry::{Instance, Rejection, Revision, State, StateId, planted};

use super::telling::{Found, Telling, Told};
use super::{FollowWatch, Reader};
use crate::merged::Layered;
use crate::metrics::Kind;
use crate::problem::Problem;

/// What a look at the state found.
pub(super) enum Looked {
    /// Nothing that could be new.
    Nothing,
    /// Documents whose layers changed.
    Changed(Telling),
    /// The instance is closed.
    Ended(Problem),
}

impl FollowWatch {
    /// Reads what may be new since the cursor, and moves it.
    pub(super) fn look(&mut self) -> Looked {
        let looked = self.watching.replica.read(|state| {
            let present = state.state_id()?;
            // A cursor of another history says nothing about this one.
            let since = self.cursor.filter(|(history, _)| *history == present).map(|(_, revision)| revision);
            // A state that is behind what was told elsewhere is still to come: its own place would tell it again.
            if since.is_some_and(|since| state.revision() < since) {
                return None;
            }
            let instance = match self.instance(state, present) {
                Ok(instance) => instance,
                Err(problem) => return Some(Err(problem)),
            };
            Some(Ok((present, state.revision(), self.changed(state, since, &instance))))
        });
        let (present, cursor, telling) = match looked {
            None => return Looked::Nothing,
            Some(Err(problem)) => return Looked::Ended(problem),
            Some(Ok(looked)) => looked,
        };
        let was_told = self.cursor.replace((present, cursor)).is_some();
        match telling {
            Some(telling) => {
                if telling.reset {
                    self.told.fill(Told::Unknown);
                    if was_told {
                        self.watching.metrics.watch_resets.of(Kind::Follow).inc();
                    }
                }
                Looked::Changed(telling)
            }
            None => Looked::Nothing,
        }
    }

    fn instance(&self, state: &State, present: StateId) -> Result<Arc<Instance>, Problem> {
        match &self.reader {
            Reader::Imagined(instance) => Ok(Arc::clone(instance)),
            Reader::Incarnation(_) if self.history.is_some_and(|history| history != present) => {
                Err(Rejection::ForeignState { present }.into())
            }
            Reader::Incarnation(incarnation) => {
                state.instance(*incarnation).cloned().ok_or_else(|| Rejection::IncarnationClosed(*incarnation).into())
            }
        }
    }

    fn changed(&self, state: &State, since: Option<Revision>, instance: &Instance) -> Option<Telling> {
        let since = since.filter(|since| *since >= state.config_floor());
        let changed = |path: &str| {
            let changed = state.config_changed(path);
            if planted!("follow-deletion") && changed == state.layers_revision(path) {
                // Layers that are gone are not among those that are there.
                return state.layers(path).map(|(_, document)| document.revision).max().unwrap_or_default();
            }
            changed
        };
        let is_new = |path: &str| since.is_none_or(|since| changed(path) > since);
        let paths = self.signal.paths().iter().enumerate().filter(|(_, path)| is_new(path));
        let found: Vec<_> = paths.map(|(place, path)| self.found(state, place, path, since, instance)).collect();
        if found.is_empty() && since.is_some() {
            return None;
        }
        let (cursor, history) = (state.revision(), state.state_id().unwrap_or_default());
        Some(Telling::new(cursor, history, since.is_none(), found))
    }

    fn found(
        &self,
        state: &State,
        place: usize,
        path: &Arc<str>,
        since: Option<Revision>,
        instance: &Instance,
    ) -> Found {
        let reader = match self.reader {
            Reader::Incarnation(incarnation) => Some(incarnation),
            Reader::Imagined(_) => None,
        };
        let config = state.config_for(path, instance);
        let layers = Layered::of(state, path, &config.layers, reader);
        // What it was told is only asked about once: from here on it is remembered.
        let is_unknown = self.told.get(place).is_some_and(|told| *told == Told::Unknown);
        let before = since.filter(|_| is_unknown).and_then(|since| state.config_for_at(path, instance, since));
        let before = before.map(|layers| Layered::of(state, path, &layers, reader));
        Found { place, path: Arc::clone(path), revision: config.revision, rollout: config.rollout, layers, before }
    }
}
