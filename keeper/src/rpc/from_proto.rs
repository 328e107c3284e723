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

/// A gateway's frame, and what its answer needs to know of it.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// What is proposed.
    pub(crate) frame: Frame,
    /// The operations left out of it.
    pub(crate) misfits: Vec<Misfit>,
    /// Where it registers connections of a former history.
    pub(crate) flushed: Vec<usize>,
}

/// A gateway's frame.
pub(crate) fn frame(frame: wire::WriteFrame) -> Result<Parsed, Problem> {
    let (given, limit) = (frame.operations.len(), limits::FRAME_OPERATIONS_MAX);
    if given > limit {
        return Err(invalid(
            "operations",
            format!("the frame has {given} operations; the limit is {limit}: send several frames"),
        ));
    }
    let (mut misfits, mut flushed) = (Vec::new(), Vec::new());
    let mut operations = Vec::with_capacity(given);
    for (place, it) in frame.operations.into_iter().enumerate() {
        match operation(place, it) {
            Ok(operation) => {
                if matches!(&operation, SessionOperation::Register(register) if register.flushed.is_some()) {
                    flushed.push(place);
                }
                operations.push(operation);
            }
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
    Ok(Parsed { frame, misfits, flushed })
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
    check_size(|| field.to_owned(), name.as_bytes(), 2 * limits::NAME_BYTES_MAX + "/".len())?;
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
    if request.former_state_id == 0 && request.flush_total > 0 {
        let total = request.flush_total;
        let message = format!(
            "`former_state_id` is 0, and `flush_total` says that {total} sessions will be registered again: name the \
             state id they were held under"
        );
        return Err(invalid("former_state_id", message));
    }
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

#[cfg(test)]
mod tests {
    use keeper_proto::v1::session_operation::{Operation, Register, Unregister, unregister::Cause};

    use super::*;

    fn named(problem: Problem) -> (String, String) {
        let Problem::Invalid { field, message } = problem else { panic!("{problem:?}") };
        (field, message)
    }

    fn register() -> Operation {
        let key = Some(wire::SessionKey { user: "ada".into(), slot: "".into() });
        Operation::Register(Register { key, ..Register::default() })
    }

    fn unregister(cause: i32) -> Operation {
        let key = Some(wire::SessionKey { user: "ada".into(), slot: "".into() });
        Operation::Unregister(Unregister { key, epoch: Some(wire::Epoch::default()), cause })
    }

    fn parsed(operations: impl IntoIterator<Item = Option<Operation>>) -> Result<Parsed, Problem> {
        let operations = operations.into_iter().map(|operation| wire::SessionOperation { operation });
        frame(wire::WriteFrame { operations: operations.collect(), ..Default::default() })
    }

    #[test]
    fn what_is_no_operation_is_left_out_by_its_path() {
        let keyless = Operation::Register(Register::default());
        let key = Some(wire::SessionKey::default());
        let epochless = Operation::Unregister(Unregister { key, epoch: None, cause: 0 });
        let given = [Some(register()), None, Some(keyless), Some(unregister(9)), Some(epochless), Some(register())];
        let Parsed { frame, misfits, .. } = parsed(given).expect("a frame");
        assert_eq!(frame.operations.len(), 2);
        let told: Vec<_> = misfits.into_iter().map(|misfit| named(misfit.problem)).collect();
        let expected = [
            ("operations[1].operation", "none of register, unregister, bind and unbind is given, or one that is newer"),
            ("operations[2].key", "`key` is missing"),
            ("operations[3].cause", "9 is no cause this version knows: 1 is left, 2 is lost"),
            ("operations[4].epoch", "`epoch` is missing"),
        ];
        assert_eq!(told, expected.map(|(field, message)| (field.to_owned(), message.to_owned())));
    }

    #[test]
    fn who_has_sessions_to_register_again_says_since_when() {
        let open = |former_state_id, flush_total| {
            open_instance(wire::OpenInstanceRequest { former_state_id, flush_total, ..Default::default() })
        };
        assert_eq!(named(open(0, 3).expect_err("of no history")).0, "former_state_id");
        let opened = open(7, 3).expect("of a history");
        assert_eq!((opened.former_state, opened.flush_total), (Some(StateId(7)), 3));
        assert_eq!(open(0, 0).expect("nothing to register").former_state, None);
    }

    #[test]
    fn a_good_bye_without_a_cause_is_one() {
        let causes = [0, Cause::Left.into(), Cause::Lost.into()].map(|cause| Some(unregister(cause)));
        let operations = parsed(causes).expect("a frame").frame.operations;
        let causes = operations.iter().map(|operation| {
            let SessionOperation::Unregister(unregister) = operation else { panic!("{operation:?}") };
            unregister.cause
        });
        let expected = [UnregisterCause::Left, UnregisterCause::Left, UnregisterCause::Lost];
        assert_eq!(causes.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_whole() {
        let refused = parsed(vec![Some(register()); limits::FRAME_OPERATIONS_MAX + 1]).expect_err("too many");
        let message = "the frame has 1025 operations; the limit is 1024: send several frames";
        assert_eq!(named(refused), ("operations".to_owned(), message.to_owned()));
    }

    #[test]
    fn a_selector_is_refused_by_the_field_that_is_wrong() {
        let of = |change: fn(&mut wire::SessionSelector)| {
            let mut given = wire::SessionSelector::default();
            change(&mut given);
            named(selector(Some(given)).expect_err("it is wrong")).0
        };
        assert_eq!(of(|it| it.topic = vec![0; limits::TOPIC_BYTES_MAX + 1].into()), "selector.topic");
        assert_eq!(of(|it| it.user_prefix = vec![0; limits::USER_BYTES_MAX + 1].into()), "selector.user_prefix");
        assert_eq!(of(|it| it.slot = Some(vec![0; limits::SLOT_BYTES_MAX + 1].into())), "selector.slot");
        for wrong in ["gateway", "/a", "gateway/", "gateway/a/b"] {
            let refused = named(instance_name("selector.instance", wrong).expect_err("it is wrong"));
            let message = format!("`{wrong}` names no instance; it is written service/id");
            assert_eq!(refused, ("selector.instance".to_owned(), message));
        }
        assert_eq!(selector(None), Ok(SessionSelector::default()));
    }
}
