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
use crate::govern::{Admitted, Guest, Need};
use crate::limits;
use crate::metrics;
use crate::problem::Problem;
use crate::rpc::{ReplyStream, error, from_proto, to_proto};
use crate::view::{Age, Consistency};
use answer::{AnswerWriter, LookupAnswer};
use question::Question;
pub(crate) use route::Lookups;

/// Lookups from which on bringing their rows into the cache together pays.
const WARM_MIN: usize = 10;

impl SessionService {
    /// Answers frames of a stream, in their order.
    fn answer_encoded<Q: Stream<Item = Result<Question, Status>> + Send>(
        &self,
        questions: Q,
    ) -> impl Stream<Item = Result<LookupAnswer, Status>> + Send + use<Q> {
        let service = self.clone();
        let ready = questions.map_ok(move |question| {
            let service = service.clone();
            async move { Ok((question.head.sequence, service.wait_for(question).await)) }
        });
        let service = self.clone();
        // Waited for side by side, and answered when the answer is taken: none lies ready for whoever reads nothing.
        ready.try_buffered(limits::LOOKUPS_IN_FLIGHT_MAX).map_ok(move |(sequence, ready)| {
            ready.and_then(|ready| service.tell(ready)).unwrap_or_else(|problem| {
                let problem = Some(error::to_wire(&problem));
                AnswerWriter::with_capacity(0).finish(wire::LookupReply { sequence, problem, ..Default::default() })
            })
        })
    }

    /// The same as messages, for those who take no detour.
    pub(super) fn answer_lookups(&self, requests: Streaming<wire::LookupRequest>) -> ReplyStream<wire::LookupReply> {
        Box::pin(self.answer_encoded(requests.map_ok(Question::from)).and_then(async |answer| message(&answer)))
    }

    /// One frame, as messages.
    pub(super) async fn find(
        &self,
        request: wire::LookupRequest,
        guest: Option<&Guest>,
    ) -> Result<wire::LookupReply, Status> {
        let ready = self.wait_for(request.into()).await;
        // Many may have waited together: whoever finds no room for the answer now costs no work.
        let has_room = |_: &Ready| guest.map_or(Ok(()), |guest| guest.share.admit(Need::Ordinary));
        let answer = ready.and_then(|ready| has_room(&ready).and_then(|()| self.tell(ready)));
        let answer = answer.map_err(|problem| error::status(&problem))?;
        message(&answer)
    }

    /// Waits until a question may be answered as it was asked. One about a revision that may never come waits before
    /// the lane, so that it is in nobody's way.
    async fn wait_for(&self, question: Question) -> Result<Ready, Problem> {
        question.check()?;
        let asked = question.len();
        let consistency = from_proto::consistency(&question.head);
        let (age, admitted) = if let Consistency::AtLeast(_) = consistency {
            let waiting = self.waiting.enter(asked)?;
            let age = self.view.wait(consistency).await?;
            drop(waiting);
            (age, self.lookups.enter(asked)?)
        } else {
            let admitted = self.lookups.enter(asked)?;
            (self.view.wait(consistency).await?, admitted)
        };
        Ok(Ready { question, consistency, age, admitted })
    }

    fn tell(&self, ready: Ready) -> Result<LookupAnswer, Problem> {
        let Ready { question, consistency, age, mut admitted } = ready;
        admitted.go_on()?;
        let asked = question.len();
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

/// A question that may be answered.
struct Ready {
    question: Question,
    consistency: Consistency,
    age: Age,
    admitted: Admitted,
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
    answer.decode().map_err(|error| Status::data_loss(format!("a damaged answer: {error}")))
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
