//! Waiting for a condition.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take to come. A healthy run needs a fraction of it; a loaded machine needs patience.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// How often to look.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until `condition` holds.
///
/// # Panics
/// It did not within [`WAIT_MAX`].
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    until_some(what, async || condition().await.then_some(())).await;
}

/// Waits until `look` finds something.
///
/// # Panics
/// It did not within [`WAIT_MAX`].
pub async fn until_some<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {WAIT_MAX:?} in vain for: {what}");
        sleep(LOOK_AGAIN).await;
    }
}
