//! Ctrl-C, for what should say where it was before it ends.

use std::future;

/// Resolves when whoever sits there has had enough. From the first call on Ctrl-C does nothing else.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be listened for; then it ends the process, as it does everywhere else.
        future::pending::<()>().await;
    }
}
