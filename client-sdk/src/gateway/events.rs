//! The stream of a gateway's events.

use std::sync::Arc;

use crate::gateway::{GatewayEvent, desk::Desk};

/// What a gateway tells its application, each thing once.
///
/// Late when the application is slow, but never lost: what is to be told waits with the connection it is about, and
/// what the cluster has told is taken from it only as fast as the application lets go of the connections that have
/// ended. News about the gateway as a whole is told by its newest state. Dropping the stream ends nothing; the
/// connections that end afterwards are not told of.
#[derive(Debug)]
pub struct GatewayEvents {
    desk: Arc<Desk>,
}

impl GatewayEvents {
    pub(super) const fn new(desk: Arc<Desk>) -> Self {
        Self { desk }
    }

    /// The next event; none when the gateway has ended. May be dropped at any await without losing anything.
    pub async fn next(&mut self) -> Option<GatewayEvent> {
        loop {
            if let Some(event) = self.desk.next_event() {
                return Some(event);
            }
            if self.desk.is_over() {
                return None;
            }
            self.desk.told().await;
        }
    }
}
