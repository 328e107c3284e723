//! What of the membership nobody has to ask for.

use std::time::Duration;

use super::Members;

/// How often the leader looks at the membership: nothing of it is urgent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Works while this node leads.
#[derive(Debug)]
pub struct Steward {
    members: Members,
}

impl Steward {
    /// For the members of a cluster.
    #[must_use]
    pub const fn new(members: Members) -> Self {
        Self { members }
    }

    /// Works until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.complete().await;
        }
    }

    /// Completes a change that was left half-done, by a former leader or a caller that has gone.
    async fn complete(&self) {
        if !self.members.shared.raft.status().changing {
            return;
        }
        let Ok(turn) = self.members.turn("a change is being completed".to_owned()) else { return };
        if let Err(problem) = turn.complete().await {
            tracing::debug!(%problem, "a change of the membership was not completed; trying again");
        }
    }
}
