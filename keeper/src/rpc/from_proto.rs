//! From the wire's messages to the domain's. Plain functions; what the registry judges by itself is not judged here.

use std::time::Duration;

use keeper_proto::v1 as wire;
use keeper_registry::{
    BindTopics, Epoch, Frame, Incarnation, OpenInstance, Register, RequestId, Revision, SessionKey, SessionOperation,
    StateId, Unregister,
};
use prost::Message;
use tokio::time::Instant;

use crate::clock;
use crate::problem::Problem;
use crate::view::Consistency;

/// A complaint about a field.
pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem::Invalid { field: field.into(), message: message.into() }
}

/// When the caller of a frame stops waiting.
pub(crate) fn deadline(timeout_ms: u32) -> Option<Instant> {
    (timeout_ms > 0).then(|| clock::now() + Duration::from_millis(u64::from(timeout_ms)))
}

/// A gateway's frame.
pub(crate) fn frame(frame: wire::WriteFrame) -> Result<Frame, Problem> {
    let operations = frame.operations.into_iter().enumerate();
    Ok(Frame {
        incarnation: Incarnation(frame.incarnation),
        sequence: frame.sequence,
        state: StateId(frame.state_id),
        operations: operations.map(|(position, it)| operation(position, it)).collect::<Result<_, _>>()?,
    })
}

fn operation(position: usize, operation: wire::SessionOperation) -> Result<SessionOperation, Problem> {
    use wire::session_operation::Operation;
    let missing = |what: &str| invalid(format!("operations[{position}].{what}"), format!("`{what}` is missing"));
    Ok(match operation.operation.ok_or_else(|| missing("operation"))? {
        Operation::Register(register) => SessionOperation::Register(Register {
            key: register.key.map(key).ok_or_else(|| missing("key"))?,
            connection: register.connection,
            conn_seq: register.conn_seq,
            topics: register.topics,
            attributes: register.attributes.map(|it| it.encode_to_vec().into()).unwrap_or_default(),
        }),
        Operation::Unregister(unregister) => SessionOperation::Unregister(Unregister {
            key: unregister.key.map(key).ok_or_else(|| missing("key"))?,
            epoch: unregister.epoch.map(epoch).ok_or_else(|| missing("epoch"))?,
        }),
        Operation::Bind(bind) => SessionOperation::Bind(BindTopics {
            key: bind.key.map(key).ok_or_else(|| missing("key"))?,
            epoch: bind.epoch.map(epoch).ok_or_else(|| missing("epoch"))?,
            topics: bind.topics,
        }),
        Operation::Unbind(unbind) => SessionOperation::Unbind(BindTopics {
            key: unbind.key.map(key).ok_or_else(|| missing("key"))?,
            epoch: unbind.epoch.map(epoch).ok_or_else(|| missing("epoch"))?,
            topics: unbind.topics,
        }),
    })
}

/// A session's name.
pub(crate) fn key(key: wire::SessionKey) -> SessionKey {
    SessionKey { user: key.user, slot: key.slot }
}

fn epoch(epoch: wire::Epoch) -> Epoch {
    Epoch { revision: Revision(epoch.revision), position: epoch.position }
}

/// What a lookup promises.
pub(crate) fn consistency(request: &wire::LookupRequest) -> Consistency {
    match request.consistency() {
        wire::Consistency::Unspecified | wire::Consistency::Linearizable => Consistency::Linearizable,
        wire::Consistency::Local => Consistency::Local,
        wire::Consistency::AtLeast => Consistency::AtLeast(Revision(request.at_least)),
    }
}

/// A request id, or none when empty.
pub(crate) fn request_id(id: &[u8]) -> Result<Option<RequestId>, Problem> {
    if id.is_empty() {
        return Ok(None);
    }
    let id = <[u8; 16]>::try_from(id)
        .map_err(|_| invalid("request_id", format!("`request_id` has {} bytes; it has 16 or none", id.len())))?;
    Ok(Some(RequestId(id)))
}

/// An instance to open. Labels are sorted, as the registry wants them.
pub(crate) fn open_instance(request: wire::OpenInstanceRequest) -> Result<OpenInstance, Problem> {
    /// The TTL of a caller that names none.
    const TTL_MS_DEFAULT: u32 = 10_000;
    let mut labels: Vec<_> = request.labels.into_iter().collect();
    labels.sort();
    Ok(OpenInstance {
        service: request.service,
        id: request.id,
        endpoints: request.endpoints,
        zone: request.zone,
        weight: request.weight,
        labels,
        version: request.version,
        ttl_ms: if request.ttl_ms == 0 { TTL_MS_DEFAULT } else { request.ttl_ms },
        request: request_id(&request.request_id)?,
    })
}
