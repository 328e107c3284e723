//! `keeper.v1.Sessions`.

use std::sync::Arc;

use futures_util::{TryStreamExt, stream};
use keeper_proto::v1 as wire;
use keeper_proto::v1::sessions_server::Sessions;
use keeper_registry::{Command, Incarnation, Kick, Reply, SessionFilter, SessionView, StateId};
use tonic::{Request, Response, Status, Streaming};

use crate::limits;
use crate::metrics::{self, Metrics};
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Pending, Proposal, Proposer};
use crate::rpc::{ReplyStream, error, from_proto, to_proto, token};
use crate::view::{Consistency, View};
use crate::watch::{NoticeWatch, Notices, Watches};

/// What a frame or a kick takes in the log beyond its operations.
const OVERHEAD_BYTES: usize = 64;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct SessionService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) watches: Watches,
    pub(crate) metrics: Arc<Metrics>,
}

#[tonic::async_trait]
impl Sessions for SessionService {
    type WriteStream = ReplyStream<wire::WriteFrameReply>;
    type ReadStream = ReplyStream<wire::LookupReply>;
    type NoticesStream = ReplyStream<wire::NoticesReply>;

    async fn write(
        &self,
        request: Request<Streaming<wire::WriteFrame>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        let service = self.clone();
        let replies = request.into_inner().map_ok(move |frame| {
            let sequence = frame.sequence;
            // Submitted here, in the order of the stream; only the answers are waited for side by side.
            let pending = service.submit(frame);
            async move { Ok(write_reply(sequence, outcome(pending).await)) }
        });
        Ok(Response::new(Box::pin(replies.try_buffered(limits::FRAMES_IN_FLIGHT_MAX))))
    }

    async fn read(
        &self,
        request: Request<Streaming<wire::LookupRequest>>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let service = self.clone();
        let replies = request.into_inner().map_ok(move |request| {
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
        Ok(Response::new(Box::pin(replies.try_buffered(limits::LOOKUPS_IN_FLIGHT_MAX))))
    }

    async fn lookup(&self, request: Request<wire::LookupRequest>) -> Result<Response<wire::LookupReply>, Status> {
        let reply = self.find(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    async fn list(
        &self,
        request: Request<wire::ListSessionsRequest>,
    ) -> Result<Response<wire::ListSessionsReply>, Status> {
        let reply = self.page(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    async fn count(
        &self,
        request: Request<wire::CountSessionsRequest>,
    ) -> Result<Response<wire::CountSessionsReply>, Status> {
        let topic = request.into_inner().topic;
        self.view.wait(Consistency::Linearizable).await.map_err(|problem| error::status(&problem))?;
        let reply = self.view.read(|state| {
            let topic = (!topic.is_empty()).then_some(&topic[..]);
            let instances: Vec<_> = state
                .count_by_instance(topic)
                .into_iter()
                .filter_map(|(incarnation, sessions)| {
                    let instance = state.instance(incarnation)?;
                    Some(wire::count_sessions_reply::InstanceCount {
                        service: instance.service.to_string(),
                        instance: instance.id.to_string(),
                        incarnation: incarnation.0,
                        sessions,
                    })
                })
                .collect();
            let total = instances.iter().map(|count| count.sessions).sum();
            wire::CountSessionsReply { revision: state.revision().0, total, instances }
        });
        Ok(Response::new(reply))
    }

    async fn kick(&self, request: Request<wire::KickRequest>) -> Result<Response<wire::KickReply>, Status> {
        let reply = self.end(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    async fn notices(&self, request: Request<wire::NoticesRequest>) -> Result<Response<Self::NoticesStream>, Status> {
        let request = request.into_inner();
        let watch = self.follow(&request).await.map_err(|problem| error::status(&problem))?;
        let replies = stream::unfold(watch, |mut watch| async move {
            let notices = watch.next().await?;
            Some((Ok(notices_reply(notices)), watch))
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

impl SessionService {
    fn submit(&self, frame: wire::WriteFrame) -> Result<Pending, Problem> {
        let operations = frame.operations.len();
        if operations > keeper_registry::limits::FRAME_OPERATIONS_MAX {
            let limit = keeper_registry::limits::FRAME_OPERATIONS_MAX;
            return Err(from_proto::invalid(
                "operations",
                format!("the frame has {operations} operations; the limit is {limit}: send several frames"),
            ));
        }
        let bytes = prost::Message::encoded_len(&frame) + OVERHEAD_BYTES;
        let deadline = from_proto::deadline(frame.timeout_ms);
        let command = Command::Frame(from_proto::frame(frame)?);
        self.proposer.submit(Lane::Session, Proposal { command, bytes, deadline, term: None })
    }

    async fn find(&self, mut request: wire::LookupRequest) -> Result<wire::LookupReply, Problem> {
        let asked = request.keys.len() + request.users.len();
        if asked > limits::LOOKUP_KEYS_MAX {
            let limit = limits::LOOKUP_KEYS_MAX;
            return Err(from_proto::invalid("keys", format!("{asked} keys and users; the limit is {limit} a frame")));
        }
        let consistency = from_proto::consistency(&request);
        let age = self.view.wait(consistency).await?;
        self.metrics.lookups.of(label(consistency)).inc_by(asked as u64);
        let topic = std::mem::take(&mut request.topic);
        let topic = (!topic.is_empty()).then_some(&topic[..]);
        let keys = std::mem::take(&mut request.keys);
        let users = std::mem::take(&mut request.users);
        let reply = self.view.read(|state| {
            let mut owners = to_proto::Owners::default();
            let keys = keys.into_iter().map(|key| {
                let session = state.session(&key.user, &key.slot).filter(|session| is_bound(session, topic));
                wire::lookup_reply::Found {
                    session: session.map(|session| to_proto::session(&session, Some(key), &mut owners)),
                }
            });
            let keys = keys.collect();
            let users = users.iter().map(|user| wire::lookup_reply::FoundAll {
                sessions: state
                    .sessions_of(user)
                    .iter()
                    .filter(|session| is_bound(session, topic))
                    .map(|session| to_proto::session(session, None, &mut owners))
                    .collect(),
            });
            let users = users.collect();
            wire::LookupReply {
                sequence: request.sequence,
                revision: state.revision().0,
                age_ms: age.0,
                state_id: state.state_id().unwrap_or_default().0,
                owners: owners.finish(),
                keys,
                users,
                problem: None,
            }
        });
        // The answer about a key is small; one about a user may hold all its devices.
        let bytes = if reply.users.is_empty() { 0 } else { prost::Message::encoded_len(&reply) };
        if bytes > limits::MESSAGE_BYTES_MAX {
            let limit = limits::MESSAGE_BYTES_MAX;
            return Err(from_proto::invalid(
                "users",
                format!("the answer has {bytes} bytes; the limit is {limit}: ask for fewer"),
            ));
        }
        Ok(reply)
    }

    async fn page(&self, request: wire::ListSessionsRequest) -> Result<wire::ListSessionsReply, Problem> {
        /// What a caller gets that names no limit.
        const LIMIT_DEFAULT: usize = 100;
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => LIMIT_DEFAULT,
            limit => limit.min(limits::PAGE_SESSIONS_MAX),
        };
        self.view.wait(Consistency::Linearizable).await?;
        self.view.read(|state| {
            let after = token::read_scan(&request.token, state.state_id())?;
            let filter = SessionFilter {
                incarnation: owner_filter(state, &request.instance)?,
                user_prefix: &request.user_prefix,
                topic: (!request.topic.is_empty()).then_some(&request.topic[..]),
            };
            let page = state.sessions_page(after.as_ref(), limit, &filter);
            let mut owners = to_proto::Owners::default();
            let sessions = page.sessions.iter().map(|view| to_proto::session(view, None, &mut owners)).collect();
            Ok(wire::ListSessionsReply {
                revision: state.revision().0,
                owners: owners.finish(),
                sessions,
                next: token::write_scan(page.next.as_ref(), state.state_id()),
            })
        })
    }

    async fn end(&self, request: wire::KickRequest) -> Result<wire::KickReply, Problem> {
        let bytes = prost::Message::encoded_len(&request) + OVERHEAD_BYTES;
        let command = Command::Kick(Kick {
            user: request.user,
            slot: request.slot,
            reason: request.reason,
            author: request.author,
            request: from_proto::request_id(&request.request_id)?,
        });
        let Committed { revision, reply } = self.proposer.propose(Lane::Config, Proposal::new(command, bytes)).await?;
        let Reply::Kicked(kicked) = reply else { return Err(Problem::Unknown { reason: "an answer of another kind" }) };
        let kicked = kicked.iter().map(|kicked| wire::kick_reply::Kicked {
            key: Some(to_proto::session_key(&kicked.key)),
            holder: Some(to_proto::holder(&kicked.holder)),
        });
        Ok(wire::KickReply { revision: revision.0, kicked: kicked.collect() })
    }

    async fn follow(&self, request: &wire::NoticesRequest) -> Result<NoticeWatch, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let cursor = token::read_notices(&request.cursor)?;
        let state = (request.state_id != 0).then_some(StateId(request.state_id));
        self.watches.notices(Incarnation(request.incarnation), cursor, state)
    }
}

/// Whether a session is among those asked for.
fn is_bound(session: &SessionView<'_>, topic: Option<&[u8]>) -> bool {
    topic.is_none_or(|topic| session.topics().any(|bound| bound == topic))
}

/// The open incarnation of "service/id", when a filter names one.
fn owner_filter(state: &keeper_registry::State, instance: &str) -> Result<Option<Incarnation>, Problem> {
    if instance.is_empty() {
        return Ok(None);
    }
    let open = instance.split_once('/').and_then(|(service, id)| state.instance_named(service, id));
    open.map(|it| Some(it.incarnation)).ok_or_else(|| {
        from_proto::invalid("instance", format!("no open instance `{instance}`; it is written service/id"))
    })
}

const fn label(consistency: Consistency) -> metrics::Consistency {
    match consistency {
        Consistency::Linearizable => metrics::Consistency::Linearizable,
        Consistency::Local => metrics::Consistency::Local,
        Consistency::AtLeast(_) => metrics::Consistency::AtLeast,
    }
}

async fn outcome(pending: Result<Pending, Problem>) -> Result<Committed, Problem> {
    pending?.outcome().await
}

fn write_reply(sequence: u64, outcome: Result<Committed, Problem>) -> wire::WriteFrameReply {
    let mut reply = wire::WriteFrameReply { sequence, ..Default::default() };
    match outcome {
        Ok(Committed { reply: Reply::Frame { revision, results }, .. }) => {
            reply.revision = revision.0;
            reply.results = results.iter().map(to_proto::operation_result).collect();
        }
        Ok(_) => reply.problem = Some(error::to_wire(&Problem::Unknown { reason: "an answer of another kind" })),
        Err(problem) => reply.problem = Some(error::to_wire(&problem)),
    }
    reply
}

fn notices_reply(notices: Notices) -> wire::NoticesReply {
    wire::NoticesReply {
        notices: notices.notices.iter().map(to_proto::notice).collect(),
        cursor: token::write_notices(notices.cursor),
        reset: notices.reset,
    }
}
