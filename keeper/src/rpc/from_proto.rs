//! From the wire's messages to the domain's. Plain functions; what the registry judges by itself is not judged here.

use std::time::Duration;

use keeper_proto::v1 as wire;
use keeper_registry::{
    BindTopics, Epoch, Frame, Incarnation, OpenInstance, Register, RequestId, Revision, SessionKey, SessionOperation,
    SessionSelector, StateId, Unregister, UnregisterCause, limits,
};
use prost::Message;
use tokio::time::Instant;

use crate::clock;
use crate::problem::Problem;
use crate::rpc::token;
use crate::view::Consistency;

/// A complaint about a field.
pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem::Invalid { field: field.into(), message: message.into() }
}

/// When the caller of a frame stops waiting.
pub(crate) fn deadline(timeout_ms: u32) -> Option<Instant> {
    (timeout_ms > 0).then(|| clock::now() + Duration::from_millis(u64::from(timeout_ms)))
}

/// An operation of a frame that is none: it is refused alone, and never reaches the state.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Where in the frame.
    pub(crate) place: usize,
    /// What is wrong with it.
    pub(crate) problem: Problem,
}

/// A gateway's frame, and the operations left out of it.
pub(crate) fn frame(frame: wire::WriteFrame) -> Result<(Frame, Vec<Misfit>), Problem> {
    let (given, limit) = (frame.operations.len(), limits::FRAME_OPERATIONS_MAX);
    if given > limit {
        return Err(invalid(
            "operations",
            format!("the frame has {given} operations; the limit is {limit}: send several frames"),
        ));
    }
    let mut misfits = Vec::new();
    let mut operations = Vec::with_capacity(given);
    for (place, it) in frame.operations.into_iter().enumerate() {
        match operation(place, it) {
            Ok(operation) => operations.push(operation),
            Err(problem) => misfits.push(Misfit { place, problem }),
        }
    }
    let frame = Frame {
        incarnation: Incarnation(frame.incarnation),
        sequence: frame.sequence,
        state: StateId(frame.state_id),
        operations,
        confirmed: token::read_notices("confirmed", &frame.confirmed)?,
        flush_remaining: frame.flush_remaining,
    };
    Ok((frame, misfits))
}

fn operation(place: usize, operation: wire::SessionOperation) -> Result<SessionOperation, Problem> {
    use wire::session_operation::Operation;
    let field = |what: &str| format!("operations[{place}].{what}");
    let missing = |what: &str| invalid(field(what), format!("`{what}` is missing"));
    let operation = operation.operation.ok_or_else(|| {
        invalid(field("operation"), "none of register, unregister, bind and unbind is given, or one that is newer")
    })?;
    Ok(match operation {
        Operation::Register(register) => SessionOperation::Register(Register {
            key: register.key.map(key).ok_or_else(|| missing("key"))?,
            connection: register.connection,
            conn_seq: register.conn_seq,
            topics: register.topics,
            attributes: register.attributes.map(|it| it.encode_to_vec().into()).unwrap_or_default(),
            flushed: register.flushed.map(epoch),
        }),
        Operation::Unregister(unregister) => SessionOperation::Unregister(Unregister {
            cause: cause(unregister.cause).map_err(|message| invalid(field("cause"), message))?,
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

/// A cause that is not known would be a guess about whether the session lingers.
fn cause(number: i32) -> Result<UnregisterCause, String> {
    use wire::session_operation::unregister::Cause;
    match Cause::try_from(number) {
        Ok(Cause::Unspecified | Cause::Left) => Ok(UnregisterCause::Left),
        Ok(Cause::Lost) => Ok(UnregisterCause::Lost),
        Err(_) => Err(format!("{number} is no cause this version knows: 1 is left, 2 is lost")),
    }
}

/// A session's name.
pub(crate) fn key(key: wire::SessionKey) -> SessionKey {
    SessionKey { user: key.user, slot: key.slot }
}

fn epoch(epoch: wire::Epoch) -> Epoch {
    Epoch { revision: Revision(epoch.revision), position: epoch.position }
}

/// A user's name.
pub(crate) fn check_user(field: impl FnOnce() -> String, user: &[u8]) -> Result<(), Problem> {
    if user.is_empty() {
        let field = field();
        let message = format!("`{field}` is empty; a user has 1 to {} bytes", limits::USER_BYTES_MAX);
        return Err(invalid(field, message));
    }
    check_size(field, user, limits::USER_BYTES_MAX)
}

/// Bytes that may be none, and not too many.
pub(crate) fn check_size(field: impl FnOnce() -> String, bytes: &[u8], limit: usize) -> Result<(), Problem> {
    if bytes.len() <= limit {
        return Ok(());
    }
    let (field, given) = (field(), bytes.len());
    let message = format!("`{field}` has {given} bytes; the limit is {limit}");
    Err(invalid(field, message))
}

/// Which sessions. An absent selector is one without fields.
pub(crate) fn selector(selector: Option<wire::SessionSelector>) -> Result<SessionSelector, Problem> {
    let Some(wire::SessionSelector { topic, instance, user_prefix, slot }) = selector else {
        return Ok(SessionSelector::default());
    };
    check_size(|| "selector.topic".to_owned(), &topic, limits::TOPIC_BYTES_MAX)?;
    check_size(|| "selector.user_prefix".to_owned(), &user_prefix, limits::USER_BYTES_MAX)?;
    check_size(|| "selector.slot".to_owned(), slot.as_deref().unwrap_or_default(), limits::SLOT_BYTES_MAX)?;
    Ok(SessionSelector {
        topic: (!topic.is_empty()).then_some(topic),
        instance: (!instance.is_empty()).then(|| instance_name("selector.instance", &instance)).transpose()?,
        user_prefix,
        slot,
    })
}

/// "service/id".
pub(crate) fn instance_name(field: &str, name: &str) -> Result<(String, String), Problem> {
    let parts = name.split_once('/').filter(|(service, id)| !service.is_empty() && !id.is_empty() && !id.contains('/'));
    let (service, id) =
        parts.ok_or_else(|| invalid(field, format!("`{name}` names no instance; it is written service/id")))?;
    Ok((service.to_owned(), id.to_owned()))
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
        former_state: (request.former_state_id != 0).then_some(StateId(request.former_state_id)),
        flush_total: request.flush_total,
        request: request_id(&request.request_id)?,
    })
}
