//! Tasks with names and an owner.

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::node::start::Failure;

/// Tasks that are stopped together.
#[derive(Debug)]
pub(super) struct Tasks {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    failure: watch::Sender<Option<Failure>>,
}

impl Tasks {
    pub(super) fn new(failure: watch::Sender<Option<Failure>>) -> Self {
        Self { tasks: JoinSet::new(), stop: CancellationToken::new(), failure }
    }

    /// Cancelled when these tasks are to stop.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task until it ends; it must not end before it is told to.
    pub(super) fn spawn<E: std::fmt::Display>(
        &mut self,
        runtime: &Handle,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let (stop, failure) = (self.stop.clone(), self.failure.clone());
        // Watched from outside, so that a panic is seen as well.
        let running: JoinHandle<Option<String>> = {
            #[expect(clippy::disallowed_methods, reason = "the home of the daemon's tasks")]
            runtime.spawn(async move { task.await.err().map(|error| error.to_string()) })
        };
        let abort = running.abort_handle();
        self.tasks.spawn_on(
            async move {
                let _end = AbortOnDrop(abort);
                let reason = match running.await {
                    Ok(Some(error)) => error,
                    Ok(None) if stop.is_cancelled() => return,
                    Ok(None) => "it ended by itself".to_owned(),
                    Err(panic) => panic.to_string(),
                };
                if !stop.is_cancelled() {
                    fail(&failure, Failure { task: name, reason });
                }
            },
            runtime,
        );
    }

    /// Tells all to stop, and waits for them.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The first failure is the one that counts.
pub(super) fn fail(failure: &watch::Sender<Option<Failure>>, now: Failure) {
    // Known first, told second: whoever waits for it must hear it even if it cannot be logged.
    let (task, reason, renumbered) = (now.task, now.reason.clone(), now.is_renumbering());
    failure.send_if_modified(|known| {
        let first = known.is_none();
        if first {
            *known = Some(now);
        }
        first
    });
    if renumbered {
        tracing::info!("{reason}");
    } else {
        tracing::error!(task, reason, "the node cannot go on");
    }
}

/// A task whose owner is dropped ends.
#[derive(Debug)]
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
