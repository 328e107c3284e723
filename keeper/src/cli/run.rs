//! Running a node: until a signal asks it to stop, or it cannot go on.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use keeper::clock;
use keeper::node::{Addresses, Node, Runtimes};
use keeper::settings::{Listen, Settings};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// How long a node may take to end what is under way. A second signal ends it at once.
const GRACE: Duration = Duration::from_secs(15);
/// The same for a node that cannot go on: nothing that is under way will be done here any more, and as long as it
/// answers others wait for it.
const FAILED_GRACE: Duration = Duration::from_millis(500);
/// The pause between two tries to start a node anew.
const RETRY: Duration = Duration::from_millis(50);
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
    let mut settings = settings;
    let mut node = Node::start(settings.clone(), runtimes.clone()).await?;
    let refused = tokio::select! {
        began = started(&node) => began.err(),
        _ = signals.next() => Some(anyhow!("ended by a signal while starting").into()),
    };
    if let Some(refused) = refused {
        drain(node, &mut signals).await?;
        return Err(refused);
    }
    loop {
        let ended = tokio::select! {
            ended = node.stopped() => Some(ended),
            name = signals.next() => {
                tracing::info!(signal = name, "draining; a second signal ends the node at once");
                None
            }
        };
        let Addresses { client, peer, http } = node.addresses();
        if let Some(failure) = ended.as_ref().filter(|ended| !ended.is_renumbering()) {
            let failed = anyhow!(failure.clone()).context("the node cannot go on");
            if tokio::time::timeout(FAILED_GRACE, node.shutdown()).await.is_err() {
                tracing::debug!("what was under way is cut off");
            }
            return Err(failed.into());
        }
        drain(node, &mut signals).await?;
        if ended.is_none() {
            return Ok(());
        }
        // Where it is known by now, also if any free port was taken.
        settings.listen = Listen { client, peer, http };
        node = start_anew(&settings, &runtimes).await?;
        says_that_it_runs(&node);
    }
}

/// The last word of a start.
pub(super) fn says_that_it_runs(node: &Node) {
    let Addresses { client, peer, http } = node.addresses();
    tracing::info!(%client, %peer, %http, "the node runs");
}

/// A node that has ended lets go of its ports and files a moment later.
async fn start_anew(settings: &Settings, runtimes: &Runtimes) -> Result<Node, Failure> {
    let deadline = clock::now() + GRACE;
    loop {
        match Node::start(settings.clone(), runtimes.clone()).await {
            Ok(node) => return Ok(node),
            Err(error) if clock::now() >= deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
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
