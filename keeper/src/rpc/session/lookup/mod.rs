//! Looking sessions up: frames of keys and users.
//!
//! Every key is read under one lock, at one revision. A miss says who held the session last while it may still come
//! back, and whether the registry itself is still being filled again.
//!
//! Questions are read where they lie ([`question`]) and answers are written as they go out ([`answer`]); the stream of
//! them has a way of its own past generated code ([`route`]).

mod answer;
#[cfg(any(test, fuzzing))]
pub(in crate::rpc::session) mod fuzz;
mod question;
mod route;

use futures_util::{Stream, TryStreamExt};
use keeper_proto::v1 as wire;
use keeper_registry::{LogTime, SessionView, State};
use tonic::{Status, Streaming};

use super::SessionService;
use crate::limits;
use crate::metrics;
use crate::problem::Problem;
use crate::rpc::{ReplyStream, error, from_proto, to_proto};
use crate::view::{Age, Consistency};
use answer::{AnswerWriter, LookupAnswer};
use question::Question;
pub(crate) use route::WithLookups;

/// Lookups from which on bringing their rows into the cache together pays.
const WARM_MIN: usize = 10;

impl SessionService {
    /// Answers frames of a stream, in their order.
    fn answer_encoded<Q: Stream<Item = Result<Question, Status>> + Send>(
        &self,
        questions: Q,
    ) -> impl Stream<Item = Result<LookupAnswer, Status>> + Send + use<Q> {
        let service = self.clone();
        let answers = questions.map_ok(move |question| {
            let service = service.clone();
            async move {
                let sequence = question.head.sequence;
                let failed = |problem| {
                    let problem = Some(error::to_wire(&problem));
                    AnswerWriter::with_capacity(0).finish(wire::LookupReply { sequence, problem, ..Default::default() })
                };
                Ok(service.find_encoded(question).await.unwrap_or_else(failed))
            }
        });
        answers.try_buffered(limits::LOOKUPS_IN_FLIGHT_MAX)
    }

    /// The same as messages, for those who do not come through [`WithLookups`].
    pub(super) fn answer_lookups(&self, requests: Streaming<wire::LookupRequest>) -> ReplyStream<wire::LookupReply> {
        Box::pin(self.answer_encoded(requests.map_ok(Question::from)).and_then(async |answer| message(&answer)))
    }

    /// One frame, as messages.
    pub(super) async fn find(&self, request: wire::LookupRequest) -> Result<wire::LookupReply, Status> {
        let answer = self.find_encoded(request.into()).await.map_err(|problem| error::status(&problem))?;
        message(&answer)
    }

    async fn find_encoded(&self, question: Question) -> Result<LookupAnswer, Problem> {
        question.check()?;
        let asked = question.len();
        let _admitted = self.lookups.enter(asked)?;
        let consistency = from_proto::consistency(&question.head);
        let age = self.view.wait(consistency).await?;
        self.metrics.lookups.of(label(consistency)).inc_by(asked as u64);
        let now = self.view.log_time();
        let answer = self.view.read(|state| answer(state, &question, age, now));
        // The answer about a key is small; one about a user may hold all its devices.
        let (bytes, limit) = (answer.bytes().len(), limits::MESSAGE_BYTES_MAX);
        if bytes > limit {
            return Err(from_proto::invalid(
                "users",
                format!("the answer has {bytes} bytes; the limit is {limit}: ask for fewer"),
            ));
        }
        Ok(answer)
    }
}

fn answer(state: &State, question: &Question, age: Age, now: LogTime) -> LookupAnswer {
    if question.len() >= WARM_MIN {
        state.warm(question.keys().map(|(user, _)| user).chain(question.users()));
    }
    let wire::LookupRequest { sequence, topic, .. } = &question.head;
    let topic = (!topic.is_empty()).then_some(&topic[..]);
    let mut answer = AnswerWriter::with_capacity(question.len());
    for (user, slot) in question.keys() {
        if let Some(session) = state.session(user, slot) {
            answer.key(is_bound(&session, topic).then_some(&session));
        } else if let Some(formerly) = state.formerly(user, slot).filter(|it| is_bound(&it.session, topic)) {
            answer.former_key(&formerly);
        } else {
            answer.key(None);
        }
    }
    for user in question.users() {
        let (sessions, formerly) = (state.sessions_of(user), state.formerly_of(user));
        let live = sessions.iter().filter(|session| is_bound(session, topic));
        answer.user(live, formerly.iter().filter(|formerly| is_bound(&formerly.session, topic)));
    }
    answer.finish(wire::LookupReply {
        sequence: *sequence,
        revision: state.revision().0,
        age_ms: age.0,
        state_id: state.state_id().unwrap_or_default().0,
        rebuilding: to_proto::rebuilding(state, now),
        ..Default::default()
    })
}

fn message(answer: &LookupAnswer) -> Result<wire::LookupReply, Status> {
    answer.decode().map_err(|error| Status::internal(format!("a damaged answer: {error}")))
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

const fn label(consistency: Consistency) -> metrics::Consistency {
    match consistency {
        Consistency::Linearizable => metrics::Consistency::Linearizable,
        Consistency::Local => metrics::Consistency::Local,
        Consistency::AtLeast(_) => metrics::Consistency::AtLeast,
    }
}
