//! Who may call what when the node has no room for everybody, and what is said to those who cannot be understood.

use keeper_proto::v1 as wire;
use keeper_proto::v1::problem::{Class, Happened};
use prost::Message;
use tonic::{Code, Status};

use crate::govern::{Guest, Need, Rules};
use crate::problem::Problem;
use crate::rpc::error;

/// How soon a client that found no place may try again: places become free when others leave.
const NO_PLACE_RETRY_AFTER_MS: u32 = 1_000;

/// What an admin asks first.
const ADMIN: [&str; 3] = ["/keeper.v1.Cluster/Status", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

/// What leases hang on.
const LEASES: [&str; 3] = ["/keeper.v1.Instances/Open", "/keeper.v1.Instances/Renew", "/keeper.v1.Instances/Close"];

/// For the listener of clients.
#[must_use]
pub const fn rules() -> Rules {
    Rules { admit, refuse: error::status, unreadable }
}

fn admit(guest: &Guest, path: &str) -> Result<Need, Problem> {
    if ADMIN.contains(&path) {
        return Ok(Need::Essential);
    }
    if !guest.connection.is_kept() {
        return Err(Problem::Full {
            what: "client connections (limits.connections_max, or what one address may have of them)",
            limit: guest.connection.places_max() as u64,
            retry_after_ms: NO_PLACE_RETRY_AFTER_MS,
        });
    }
    Ok(if LEASES.contains(&path) { Need::Essential } else { Need::Ordinary })
}

/// A request that is no message, or not of the type that was called.
fn unreadable(status: &Status) -> Status {
    let message = format!("the request cannot be read: {}", status.message());
    let problem = wire::Problem {
        class: Class::Refused.into(),
        reason: "malformed".to_owned(),
        message: message.clone(),
        happened: Happened::No.into(),
        ..Default::default()
    };
    Status::with_details(Code::InvalidArgument, message, problem.encode_to_vec().into())
}
