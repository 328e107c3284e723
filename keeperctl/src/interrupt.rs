//! Ctrl-C, for what should say where it was before it ends.

use std::future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From its making on Ctrl-C does nothing but wake whoever waits here.
pub(crate) struct Interrupt(Option<Signal>);

impl Interrupt {
    /// If it cannot be listened for, it ends the process, as it does everywhere else.
    pub(crate) fn listen() -> Self {
        Self(signal(SignalKind::interrupt()).ok())
    }

    /// Resolves when whoever sits there has had enough.
    pub(crate) async fn came(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => future::pending().await,
        }
    }
}
