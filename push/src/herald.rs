//! What the cluster has to say to the room: sessions that ended, actions, news of its lease.

use std::sync::Arc;

use keeper_client_sdk::{Addressed, Answer, GatewayEvent, GatewayEvents, Lost};
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    connections::{ConnectionId, Connections},
    ending::Ending,
};

/// Tells connections why they end, and the room when it should.
pub(crate) struct Herald {
    /// Of the room, as `service/id`.
    pub(crate) name: String,
    pub(crate) events: GatewayEvents,
    pub(crate) connections: Arc<Connections>,
    /// Stops the room.
    pub(crate) stop: CancellationToken,
    /// Takes the action that asked the room to empty itself, which the room answers when it has.
    pub(crate) drain: Option<oneshot::Sender<Addressed>>,
}

impl Herald {
    /// Runs for as long as the gateway.
    pub(crate) async fn run(mut self) {
        let mut answers = JoinSet::new();
        while let Some(event) = self.events.next().await {
            while answers.try_join_next().is_some() {}
            match event {
                GatewayEvent::Displaced { connection, by, .. } => self.end(&connection, Ending::displaced(&by)),
                GatewayEvent::Kicked { connection, reason, .. } => self.end(&connection, Ending::Kicked { reason }),
                GatewayEvent::Refused { connection, error, .. } => self.end(&connection, Ending::of_refusal(error)),
                GatewayEvent::Drain(action) => {
                    info!("asked to drain by {:?}", action.author);
                    if let Some(drain) = self.drain.take() {
                        // The room may be stopping already.
                        let _ = drain.send(action);
                    }
                    self.stop.cancel();
                }
                GatewayEvent::Control(action) => drop(answers.spawn(decline(action))),
                GatewayEvent::Replaced { by } => {
                    warn!("another process holds this name by incarnation {by}: the room stops");
                    self.stop.cancel();
                }
                GatewayEvent::Opened { incarnation } => info!("{} holds incarnation {incarnation}", self.name),
                GatewayEvent::Lost { incarnation, reason } => warn!("{}", loss(incarnation, reason)),
                GatewayEvent::Reregistered { .. } => info!("all connections are registered again"),
                GatewayEvent::Unopened { error } => warn!("no lease yet: {error}"),
                _ => {}
            }
        }
    }

    fn end(&self, name: &[u8], ending: Ending) {
        if let Some(id) = ConnectionId::parse(name) {
            self.connections.end(id, ending);
        }
    }
}

fn loss(incarnation: u64, reason: Lost) -> String {
    format!("incarnation {incarnation} is lost: {reason}; all connections register again in the next")
}

async fn decline(action: Addressed) {
    let answer = Answer::Refused(format!("a room does not know {:?}", action.action));
    if let Err(error) = action.acknowledge(answer).await {
        warn!("{:?} is not answered: {error}", action.action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_in_words() {
        let told = loss(7, Lost::Rebuilt);
        assert_eq!(told, "incarnation 7 is lost: the registry was rebuilt; all connections register again in the next");
        for reason in [Lost::Ended, Lost::Silence, Lost::Closed] {
            assert!(!loss(7, reason).contains(&format!("{reason:?}")), "{reason}");
        }
    }
}
