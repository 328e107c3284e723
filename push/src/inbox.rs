//! Where senders deliver: `POST /push?user=U`, on an address that devices cannot reach.
//!
//! A sender looks a user up, learns the room's inbox from the answer, and posts the text here. `GET /status` says how
//! the room is.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use keeper_client_sdk::GatewayStatus;
use serde::Deserialize;
use serde_json::json;

use crate::{connection::Surroundings, connections::Delivery, limits};

pub(crate) fn routes(around: Surroundings) -> Router {
    Router::new()
        .route("/push", post(push))
        .route("/status", get(status))
        .layer(DefaultBodyLimit::max(limits::MESSAGE_BYTES_MAX))
        .with_state(around)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    user: String,
    /// Every device of the user when absent.
    slot: Option<String>,
}

async fn push(State(around): State<Surroundings>, Query(to): Query<To>, text: String) -> (StatusCode, String) {
    let max = around.config.borrow().max_message_bytes.0;
    if text.len() > max {
        return (StatusCode::PAYLOAD_TOO_LARGE, format!("{} bytes; max_message_bytes is {max}\n", text.len()));
    }
    let slot = to.slot.as_deref().map(str::as_bytes);
    let delivery = around.connections.push_to_user(to.user.as_bytes(), slot, &text);
    answer(&to.user, &delivery)
}

fn answer(user: &str, delivery: &Delivery) -> (StatusCode, String) {
    match delivery {
        Delivery { queued: 0, full: 0 } => (StatusCode::NOT_FOUND, format!("{user} is not connected here\n")),
        Delivery { queued, full: 0 } => (StatusCode::OK, format!("delivered to {queued} of {user}\n")),
        Delivery { queued, full } => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("delivered to {queued} of {user}; {full} too slow, try again\n"))
        }
    }
}

async fn status(State(around): State<Surroundings>) -> String {
    let GatewayStatus { incarnation, registered, .. } = around.gateway.status();
    let connections = around.connections.count();
    let config = around.config.borrow().clone();
    let status = json!({
        "incarnation": incarnation, "connections": connections, "registered": registered, "config": *config,
    });
    format!("{status}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_told_what_became_of_its_push() {
        let of = |queued, full| answer("a", &Delivery { queued, full });
        assert_eq!(of(0, 0), (StatusCode::NOT_FOUND, "a is not connected here\n".into()));
        assert_eq!(of(1, 0), (StatusCode::OK, "delivered to 1 of a\n".into()));
        assert_eq!(of(0, 1).0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
