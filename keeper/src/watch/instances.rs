//! Instances that open and close.

use std::sync::Arc;

use keeper_registry::{Closing, Instance, Revision, StateId};
use tokio::sync::watch;

use crate::metrics::Kind;
use crate::problem::Problem;
use crate::watch::{Watches, Watching, same_history};

/// What changed since the cursor before.
#[derive(Debug)]
pub struct InstancesChanged {
    /// Everything up to here has been told.
    pub cursor: Revision,
    /// The history it belongs to.
    pub state: StateId,
    /// The instances are complete, and replace what the watcher knew.
    pub reset: bool,
    /// Opened since, and still open.
    pub opened: Vec<Arc<Instance>>,
    /// Closed since.
    pub closed: Vec<Closing>,
}

/// One watcher of instances.
#[derive(Debug)]
pub struct InstanceWatch {
    watching: Watching,
    signal: watch::Receiver<Revision>,
    /// Empty: every service.
    service: String,
    cursor: Option<(StateId, Revision)>,
}

impl Watches {
    /// Watches the instances of a service, or of all when it is empty.
    ///
    /// # Errors
    /// The cursor is none of this cluster's, or this node cannot find out.
    pub async fn instances(
        &self,
        service: String,
        cursor: Revision,
        state: Option<StateId>,
    ) -> Result<InstanceWatch, Problem> {
        self.reach(cursor, state).await?;
        Ok(InstanceWatch {
            watching: self.watching(Kind::Instance),
            signal: self.replica.signals().instances(),
            service,
            cursor: state.filter(|_| cursor.0 > 0).map(|state| (state, cursor)),
        })
    }
}

impl InstanceWatch {
    /// Waits for the next changes; none when this node stops.
    pub async fn next(&mut self) -> Option<InstancesChanged> {
        loop {
            self.signal.mark_unchanged();
            if let Some(changed) = self.read() {
                return Some(changed);
            }
            tokio::select! {
                () = self.watching.stop.cancelled() => return None,
                moved = self.signal.changed() => moved.ok()?,
            }
        }
    }

    fn read(&mut self) -> Option<InstancesChanged> {
        let watched = |service: &str| self.service.is_empty() || self.service == service;
        let changed = self.watching.replica.read(|state| {
            let present = state.state_id()?;
            let since = self.cursor.filter(|(history, _)| same_history(Some(*history), Some(present)));
            let changes = since.and_then(|(_, revision)| state.instances_changed_since(revision));
            let (reset, opened, closed) = match changes {
                Some(changes) => (false, changes.opened, changes.closed),
                None => (true, state.instances().cloned().collect(), Vec::new()),
            };
            Some(InstancesChanged {
                cursor: state.revision(),
                state: present,
                reset,
                opened: opened.into_iter().filter(|instance| watched(&instance.service)).collect(),
                closed: closed.into_iter().filter(|closing| watched(&closing.service)).collect(),
            })
        })?;
        if changed.reset && self.cursor.is_some() {
            self.watching.metrics.watch_resets.inc();
        }
        self.cursor = Some((changed.state, changed.cursor));
        (changed.reset || !changed.opened.is_empty() || !changed.closed.is_empty()).then_some(changed)
    }
}
