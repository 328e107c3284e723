//! Instances that open and close.

use std::sync::Arc;

use keeper_registry::{Closing, Instance, Revision, State, StateId};

use crate::metrics::Kind;
use crate::problem::Problem;
use crate::watch::Watches;
use crate::watch::following::{Changed, Following, Read};

/// Who came and who left.
#[derive(Debug, Default)]
pub struct ComingsAndGoings {
    /// Opened, and still open.
    pub opened: Vec<Arc<Instance>>,
    /// Closed.
    pub closed: Vec<Closing>,
}

/// Instances that opened and closed.
pub type InstancesChanged = Changed<ComingsAndGoings>;

/// One watcher of instances.
#[derive(Debug)]
pub struct InstanceWatch {
    following: Following,
    /// Empty: every service.
    service: String,
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
        let signal = self.replica.signals().instances();
        Ok(InstanceWatch { following: Following::new(self.watching(Kind::Instance)?, signal, cursor, state), service })
    }
}

impl InstanceWatch {
    /// Waits for the next changes; none when this node stops.
    pub async fn next(&mut self) -> Option<InstancesChanged> {
        let service = &self.service;
        let watched = |name: &str| service.is_empty() || name == service;
        let read = |state: &State, since: Option<Revision>| {
            let Some(changes) = since.and_then(|since| state.instances_changed_since(since)) else {
                let opened = state.instances().filter(|it| watched(&it.service)).cloned().collect();
                return Read::All(ComingsAndGoings { opened, closed: Vec::new() });
            };
            let opened: Vec<_> = changes.opened.into_iter().filter(|it| watched(&it.service)).collect();
            let closed: Vec<_> = changes.closed.into_iter().filter(|it| watched(&it.service)).collect();
            match opened.is_empty() && closed.is_empty() {
                true => Read::Nothing,
                false => Read::Since(ComingsAndGoings { opened, closed }),
            }
        };
        self.following.next(read).await
    }
}
