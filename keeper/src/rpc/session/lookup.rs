//! Looking sessions up: frames of keys and users.
//!
//! Every key is read under one lock, at one revision. A miss says who held the session last while it may still come
//! back, and whether the registry itself is still being filled again.

use futures_util::TryStreamExt;
use keeper_proto::v1 as wire;
use keeper_registry::{SessionView, State, limits as registry_limits};
use prost::Message;
use tonic::Streaming;

use super::SessionService;
use crate::limits;
use crate::metrics;
use crate::problem::Problem;
use crate::rpc::{ReplyStream, error, from_proto, to_proto};
use crate::view::{Age, Consistency};

/// Lookups from which on bringing their rows into the cache together pays.
const WARM_MIN: usize = 10;

impl SessionService {
    pub(super) fn answer_lookups(&self, requests: Streaming<wire::LookupRequest>) -> ReplyStream<wire::LookupReply> {
        let service = self.clone();
        let replies = requests.map_ok(move |request| {
            let service = service.clone();
            async move {
                let sequence = request.sequence;
                let failed = |problem| wire::LookupReply {
                    sequence,
                    problem: Some(error::to_wire(&problem)),
                    ..Default::default()
                };
                Ok(service.find(request).await.unwrap_or_else(failed))
            }
        });
        Box::pin(replies.try_buffered(limits::LOOKUPS_IN_FLIGHT_MAX))
    }

    pub(super) async fn find(&self, request: wire::LookupRequest) -> Result<wire::LookupReply, Problem> {
        check(&request)?;
        let asked = request.keys.len() + request.users.len();
        let _admitted = self.lookups.enter(asked)?;
        let consistency = from_proto::consistency(&request);
        let age = self.view.wait(consistency).await?;
        self.metrics.lookups.of(label(consistency)).inc_by(asked as u64);
        let about_users = !request.users.is_empty();
        let reply = self.view.read(|state| reply(state, request, age));
        // The answer about a key is small; one about a user may hold all its devices.
        let bytes = if about_users { reply.encoded_len() } else { 0 };
        if bytes > limits::MESSAGE_BYTES_MAX {
            let limit = limits::MESSAGE_BYTES_MAX;
            return Err(from_proto::invalid(
                "users",
                format!("the answer has {bytes} bytes; the limit is {limit}: ask for fewer"),
            ));
        }
        Ok(reply)
    }
}

fn reply(state: &State, request: wire::LookupRequest, age: Age) -> wire::LookupReply {
    let wire::LookupRequest { sequence, keys, users, topic, .. } = request;
    if keys.len() + users.len() >= WARM_MIN {
        state.warm(keys.iter().map(|key| &key.user[..]).chain(users.iter().map(|user| &user[..])));
    }
    let topic = (!topic.is_empty()).then_some(&topic[..]);
    let mut owners = to_proto::Owners::default();
    let keys = keys.into_iter().map(|key| found(state, key, topic, &mut owners)).collect();
    let users = users.iter().map(|user| found_all(state, user, topic, &mut owners)).collect();
    wire::LookupReply {
        sequence,
        revision: state.revision().0,
        age_ms: age.0,
        state_id: state.state_id().unwrap_or_default().0,
        owners: owners.finish(),
        keys,
        users,
        problem: None,
        rebuilding: to_proto::rebuilding(state),
    }
}

fn found(
    state: &State,
    key: wire::SessionKey,
    topic: Option<&[u8]>,
    owners: &mut to_proto::Owners,
) -> wire::lookup_reply::Found {
    if let Some(session) = state.session(&key.user, &key.slot) {
        let session = is_bound(&session, topic).then(|| to_proto::session(&session, Some(key), owners));
        return wire::lookup_reply::Found { session, formerly: None };
    }
    let formerly = state.formerly(&key.user, &key.slot).filter(|formerly| is_bound(&formerly.session, topic));
    let formerly = formerly.map(|formerly| to_proto::formerly(&formerly, Some(key), owners));
    wire::lookup_reply::Found { session: None, formerly }
}

/// All slots of a user.
pub(crate) fn found_all(
    state: &State,
    user: &[u8],
    topic: Option<&[u8]>,
    owners: &mut to_proto::Owners,
) -> wire::lookup_reply::FoundAll {
    let (sessions, formerly) = (state.sessions_of(user), state.formerly_of(user));
    let live = sessions.iter().filter(|session| is_bound(session, topic));
    let gone = formerly.iter().filter(|formerly| is_bound(&formerly.session, topic));
    wire::lookup_reply::FoundAll {
        sessions: live.map(|session| to_proto::session(session, None, owners)).collect(),
        formerly: gone.map(|formerly| to_proto::formerly(formerly, None, owners)).collect(),
    }
}

/// Whether a session is among those asked for.
fn is_bound(session: &SessionView<'_>, topic: Option<&[u8]>) -> bool {
    topic.is_none_or(|topic| session.topics().any(|bound| bound == topic))
}

/// A name that nobody can have is a mistake, not a miss.
fn check(request: &wire::LookupRequest) -> Result<(), Problem> {
    let asked = request.keys.len() + request.users.len();
    if asked > limits::LOOKUP_KEYS_MAX {
        let limit = limits::LOOKUP_KEYS_MAX;
        return Err(from_proto::invalid("keys", format!("{asked} keys and users; the limit is {limit} a frame")));
    }
    for (place, key) in request.keys.iter().enumerate() {
        from_proto::check_user(|| format!("keys[{place}].user"), &key.user)?;
        from_proto::check_size(|| format!("keys[{place}].slot"), &key.slot, registry_limits::SLOT_BYTES_MAX)?;
    }
    for (place, user) in request.users.iter().enumerate() {
        from_proto::check_user(|| format!("users[{place}]"), user)?;
    }
    from_proto::check_size(|| "topic".to_owned(), &request.topic, registry_limits::TOPIC_BYTES_MAX)
}

const fn label(consistency: Consistency) -> metrics::Consistency {
    match consistency {
        Consistency::Linearizable => metrics::Consistency::Linearizable,
        Consistency::Local => metrics::Consistency::Local,
        Consistency::AtLeast(_) => metrics::Consistency::AtLeast,
    }
}
