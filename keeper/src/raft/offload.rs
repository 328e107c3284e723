//! Where work that blocks is done: never on the Raft runtime, except in a simulation, where a second thread would make
//! the order of events depend on the machine.

use std::io;

use tokio::sync::oneshot;

/// How much a snapshot's writer yields to everybody else. 10 is a tenth of an ordinary thread's share when all compete.
const BACKGROUND_NICE: i32 = 10;

/// Runs blocking work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offload {
    /// On other threads.
    Threads,
    /// In place, for a single-threaded simulation.
    Inline,
}

impl Offload {
    /// A computation that somebody waits for, and that is too long for a thread that serves others.
    pub async fn compute<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Inline => work(),
            Self::Threads => match tokio::task::spawn_blocking(work).await {
                Ok(done) => done,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Nothing ends it but the runtime, which does not come back to this task either.
                    Err(_) => std::future::pending().await,
                },
            },
        }
    }

    /// A piece of work whose result somebody waits for.
    pub(super) async fn short<T: Send + 'static>(
        self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match self {
            Self::Threads => tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?,
            Self::Inline => work(),
        }
    }

    /// Long work in the background, on a thread of low priority that lives as long as the work.
    pub(super) async fn background<T: Send + 'static>(
        self,
        name: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if self == Self::Inline {
            return work();
        }
        let (done, finished) = oneshot::channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Refused at worst: then the work competes like any other.
            _ = rustix::process::setpriority_process(None, BACKGROUND_NICE);
            // Nobody waits any more when the node stops.
            _ = done.send(work());
        })?;
        finished.await.map_err(|_| io::Error::other("a background thread panicked"))?
    }
}
