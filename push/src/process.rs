//! What both programs of this crate ask of the operating system.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Logs to stderr, in colours where somebody looks; `RUST_LOG` chooses what.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
}

/// Raises the limit on open files as far as it goes: each connection is one.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it was");
    }
}

/// Resolves at the first interrupt or request to terminate.
///
/// # Errors
/// When a signal cannot be listened to.
pub async fn asked_to_stop() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Runs until the work ends, or until a signal asks it to and it has drained.
///
/// # Errors
/// Those of the work.
pub async fn until_stopped(
    stop: CancellationToken,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let stopper = async {
        asked_to_stop().await?;
        tracing::info!("stopping");
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        outcome = work => outcome,
        outcome = stopper => outcome,
    }
}

/// What a program ends with: 0 when it did what it was asked; otherwise it says why not, on one line, and ends with 2.
#[must_use]
pub fn exit(program: &str, outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    // Nobody reads a stderr that is closed, and there is nobody else to tell.
    let _ = writeln!(io::stderr(), "{program}: {error:#}");
    ExitCode::from(2)
}
