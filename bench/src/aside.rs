//! A thread of its own for what must not wait behind the load.
//!
//! Callers by the ten thousand keep the worker of the benchmark's runtime busy for milliseconds. What is measured
//! beside them, as if it were another process, runs on a runtime of its own, so that the system shares the processors
//! out.

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// A runtime with one thread. What runs on it ends with it.
pub(crate) struct Aside(Option<Runtime>);

impl Aside {
    pub(crate) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("bench-aside").enable_all().build();
        Ok(Self(Some(runtime.context("starting a second runtime")?)))
    }

    /// Runs something there to its end. Clients that it makes stay there.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let runtime = self.0.as_ref().context("the second runtime has ended")?;
        runtime.spawn(work).await.context("running aside")
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Waiting for a runtime is not possible from within another one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_runs_on_another_thread() {
        let aside = Aside::start().unwrap();
        let there = aside.run(async { std::thread::current().id() }).await.unwrap();
        assert_ne!(there, std::thread::current().id());
    }
}
