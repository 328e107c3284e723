//! Every task of the library and its owner. Dropping the set ends them all; nothing else spawns.

use std::future::Future;

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
};
use tracing::Instrument;

#[derive(Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    set: Mutex<JoinSet<()>>,
}

impl Tasks {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, set: Mutex::new(JoinSet::new()) }
    }

    /// Runs a task until it ends or the set is dropped; the handle ends it earlier.
    pub(crate) fn spawn(&self, span: tracing::Span, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut set = self.set.lock();
        // Finished tasks would otherwise be remembered for as long as the set lives.
        while set.try_join_next().is_some() {}
        set.spawn_on(task.instrument(span), &self.runtime)
    }
}
