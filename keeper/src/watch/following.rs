//! What watches of sets have in common: wait for the signal, read what is new, move the cursor.

use keeper_registry::{Revision, State, StateId, planted};
use tokio::sync::watch;

use crate::limits::WATCH_SILENCE;
use crate::watch::{Rested, Watching};

/// What changed since the cursor before.
#[derive(Debug)]
pub struct Changed<T> {
    /// Everything up to here has been told.
    pub cursor: Revision,
    /// The history it belongs to.
    pub state: StateId,
    /// What changed is complete, and replaces what the watcher knew.
    pub reset: bool,
    /// What changed.
    pub change: T,
}

/// What a watcher reads from the state.
pub(super) enum Read<T> {
    /// Nothing it has not been told.
    Nothing,
    /// What is new since its cursor.
    Since(T),
    /// Everything: it has no cursor, or one below the retained floor.
    All(T),
}

/// A cursor over the state.
#[derive(Debug)]
pub(super) struct Following {
    watching: Watching,
    signal: watch::Receiver<Revision>,
    cursor: Option<(StateId, Revision)>,
}

impl Following {
    /// Goes on from a cursor of the history named, or begins with the full set. The signal was subscribed before the
    /// first read, so that nothing falls between the two.
    pub(super) fn new(
        watching: Watching,
        signal: watch::Receiver<Revision>,
        cursor: Revision,
        state: Option<StateId>,
    ) -> Self {
        let cursor = if planted!("watch-skip") { watching.replica.applied().max(cursor) } else { cursor };
        Self { watching, signal, cursor: state.filter(|_| cursor.0 > 0).map(|state| (state, cursor)) }
    }

    /// Waits until `read` finds something, or the silence is worth a word; none when this node stops.
    pub(super) async fn next<T: Default>(
        &mut self,
        read: impl Fn(&State, Option<Revision>) -> Read<T>,
    ) -> Option<Changed<T>> {
        loop {
            self.signal.mark_unchanged();
            if let Some(changed) = self.look(&read) {
                self.watching.told();
                return Some(changed);
            }
            let moved = async { self.signal.changed().await.ok() };
            let rested = self.watching.rest(moved, WATCH_SILENCE).await?;
            if rested == Rested::Quiet
                && let Some((state, cursor)) = self.cursor
            {
                return Some(Changed { cursor, state, reset: false, change: T::default() });
            }
        }
    }

    fn look<T>(&mut self, read: impl Fn(&State, Option<Revision>) -> Read<T>) -> Option<Changed<T>> {
        let (cursor, state, found) = self.watching.replica.read(|state| {
            let present = state.state_id()?;
            // A cursor of another history says nothing about this one.
            let since = self.cursor.filter(|(history, _)| *history == present).map(|(_, revision)| revision);
            // A state that is behind what was told elsewhere is still to come: its own place would tell it again.
            if since.is_some_and(|since| state.revision() < since) {
                return None;
            }
            Some((state.revision(), present, read(state, since)))
        })?;
        let was_told = self.cursor.replace((state, cursor)).is_some();
        match found {
            Read::Nothing => None,
            Read::Since(change) => Some(Changed { cursor, state, reset: false, change }),
            Read::All(change) => {
                if was_told {
                    self.watching.metrics.watch_resets.of(self.watching.kind).inc();
                }
                Some(Changed { cursor, state, reset: true, change })
            }
        }
    }
}
