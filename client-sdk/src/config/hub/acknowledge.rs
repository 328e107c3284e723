//! Says what became of what was told: straight to the leader, one request at a time.

use super::{Hub, follow::is_over};
use crate::{
    config::follow::client,
    connection::{Aim, Backoff},
};

impl Hub {
    pub(super) async fn acknowledge(&self) {
        let mut terms = self.renewals.term();
        let mut backoff = Backoff::new(self.nodes.random.clone());
        loop {
            tokio::select! {
                () = self.acknowledging.notified() => {}
                Ok(()) = terms.changed() => {}
            }
            self.acks.lock().led(*terms.borrow_and_update());
            self.send_acks(&mut backoff).await;
        }
    }

    /// Sends until everything has been heard.
    async fn send_acks(&self, backoff: &mut Backoff) {
        loop {
            let Some(request) = self.acks.lock().take() else { break };
            let method = |channel, request| async move { client(channel).acknowledge(request).await };
            let patience = self.nodes.settings.attempt_timeout;
            let tried =
                self.nodes.try_once("config acknowledge", &Aim::Leader, patience, request.clone(), &method).await;
            let error = match tried {
                Ok(reply) => {
                    self.acks.lock().heard(&request, reply.term);
                    backoff.reset();
                    continue;
                }
                Err(failure) => failure.error,
            };
            if is_over(&error) {
                // Nobody asks any more what it made of them; the stream hears of it too.
                break;
            }
            if !error.is_retryable() {
                tracing::warn!(%error, "what became of documents is not told");
                break;
            }
            self.acks.lock().failed(&request);
            self.pause_after(&error, backoff).await;
        }
        self.acknowledged.send_modify(|count| *count += 1);
    }
}
