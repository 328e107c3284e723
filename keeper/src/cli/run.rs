//! Running a node: until a signal asks it to stop, or it cannot go on.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use keeper::node::{Node, Runtimes};
use keeper::settings::Settings;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// How long a node may take to end what is under way. A second signal ends it at once.
const GRACE: Duration = Duration::from_secs(15);
/// Threads of consensus, apart from the clients' so that a storm of requests delays no heartbeat. One is enough: the
/// work per entry is small, and the log has a thread of its own.
const RAFT_THREADS: usize = 1;

/// Runs a node until it ends; `started` is called once it serves.
pub(super) fn node(settings: Settings, started: impl AsyncFnOnce(&Node) -> Result<(), Failure>) -> Result<(), Failure> {
    let serve = Builder::new_multi_thread().enable_all().thread_name("keeper-serve").build()?;
    let raft =
        Builder::new_multi_thread().enable_all().thread_name("keeper-raft").worker_threads(RAFT_THREADS).build()?;
    let runtimes = Runtimes { serve: serve.handle().clone(), raft: raft.handle().clone() };
    let ended = serve.block_on(run(settings, runtimes, started));
    // What is still running was given its time.
    for runtime in [serve, raft] {
        Runtime::shutdown_background(runtime);
    }
    ended
}

async fn run(
    settings: Settings,
    runtimes: Runtimes,
    started: impl AsyncFnOnce(&Node) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let node = Node::start(settings, runtimes).await?;
    let outcome = tokio::select! {
        failed = serve(&node, started) => failed,
        name = signals.next() => {
            tracing::info!(signal = name, "draining; a second signal ends the node at once");
            Ok(())
        }
    };
    drain(node, &mut signals).await?;
    outcome
}

/// Ends only if something fails.
async fn serve(node: &Node, started: impl AsyncFnOnce(&Node) -> Result<(), Failure>) -> Result<(), Failure> {
    started(node).await?;
    let reason = node.stopped().await;
    Err(anyhow!(reason).context("the node cannot go on").into())
}

async fn drain(node: Node, signals: &mut Signals) -> anyhow::Result<()> {
    tokio::select! {
        drained = tokio::time::timeout(GRACE, node.shutdown()) => {
            drained.with_context(|| format!("the node did not end within {GRACE:?}"))
        }
        name = signals.next() => bail!("ended by a second signal ({name}) while draining"),
    }
}

/// The signals that ask a process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
