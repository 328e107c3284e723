//! `keeper.v1.Sessions`: frames taken once and in order, lookups that find every user whose name begins with `u`.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{
    self, CountSessionsReply, CountSessionsRequest, ExplainReply, ExplainRequest, GetKickRequest, GiveUpReply,
    GiveUpRequest, KickReply, KickRequest, KickStatus, ListKicksReply, ListKicksRequest, ListSessionsReply,
    ListSessionsRequest, LookupReply, LookupRequest, Notice, NoticesReply, NoticesRequest, PresenceReply,
    PresenceRequest, RebuildStatusReply, RebuildStatusRequest, ScanReply, ScanRequest, SessionKey, TopSessionsReply,
    TopSessionsRequest, WriteFrame, WriteFrameReply, lookup_reply, notice, operation_result,
    session_operation::Operation, sessions_server::Sessions,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Node, Replies, STATE_ID, refused,
    state::{Answer, Book, Fault},
    status,
};

#[tonic::async_trait]
impl Sessions for Node {
    type WriteStream = Replies<WriteFrameReply>;
    type ReadStream = Replies<LookupReply>;
    type NoticesStream = Replies<NoticesReply>;
    type ScanStream = Replies<ScanReply>;
    type PresenceStream = Replies<PresenceReply>;

    async fn write(&self, request: Request<Streaming<WriteFrame>>) -> Result<Response<Self::WriteStream>, Status> {
        let mut breaks = self.state.breaks.subscribe();
        let replies = stream::unfold((self.clone(), request.into_inner()), |(node, mut frames)| async move {
            let frame = frames.message().await.ok()??;
            let reply = node.take(frame)?;
            Some((Ok(reply), (node, frames)))
        });
        // The double answers at once, so silence is a stream that never goes on.
        let replies = replies.flat_map(|reply| match reply {
            Ok(Reply::Answer(reply)) => stream::once(async { Ok(reply) }).boxed(),
            Ok(Reply::Silence) => stream::pending().boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        });
        let broken = async move { drop(breaks.changed().await) };
        Ok(Response::new(replies.take_until(broken).boxed()))
    }

    async fn read(&self, request: Request<Streaming<LookupRequest>>) -> Result<Response<Self::ReadStream>, Status> {
        let mut breaks = self.state.breaks.subscribe();
        let node = self.clone();
        let replies = request.into_inner().map(move |frame| Ok(node.find(frame?)));
        let broken = async move { drop(breaks.changed().await) };
        Ok(Response::new(replies.take_until(broken).boxed()))
    }

    async fn lookup(&self, request: Request<LookupRequest>) -> Result<Response<LookupReply>, Status> {
        Ok(Response::new(self.find(request.into_inner())))
    }

    async fn list(&self, _: Request<ListSessionsRequest>) -> Result<Response<ListSessionsReply>, Status> {
        Ok(Response::new(ListSessionsReply::default()))
    }

    async fn scan(&self, request: Request<ScanRequest>) -> Result<Response<Self::ScanStream>, Status> {
        Ok(self.walk(request.into_inner()))
    }

    async fn count(&self, _: Request<CountSessionsRequest>) -> Result<Response<CountSessionsReply>, Status> {
        Ok(Response::new(CountSessionsReply::default()))
    }

    async fn top(&self, _: Request<TopSessionsRequest>) -> Result<Response<TopSessionsReply>, Status> {
        Ok(Response::new(TopSessionsReply::default()))
    }

    async fn kick(&self, request: Request<KickRequest>) -> Result<Response<KickReply>, Status> {
        self.lead()?;
        Ok(self.begin_kick(request.into_inner()))
    }

    async fn get_kick(&self, request: Request<GetKickRequest>) -> Result<Response<KickStatus>, Status> {
        self.look_at_kick(request.into_inner().kick)
    }

    async fn list_kicks(&self, _: Request<ListKicksRequest>) -> Result<Response<ListKicksReply>, Status> {
        Ok(Response::new(ListKicksReply::default()))
    }

    async fn presence(&self, request: Request<PresenceRequest>) -> Result<Response<Self::PresenceStream>, Status> {
        Ok(self.tell_presence(request.into_inner()))
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        Ok(Response::new(ExplainReply::default()))
    }

    async fn rebuild_status(&self, _: Request<RebuildStatusRequest>) -> Result<Response<RebuildStatusReply>, Status> {
        Ok(Response::new(RebuildStatusReply::default()))
    }

    async fn give_up(&self, _: Request<GiveUpRequest>) -> Result<Response<GiveUpReply>, Status> {
        self.lead()?;
        Ok(Response::new(GiveUpReply { revision: 1 }))
    }

    /// Notices 1, 2, 3 after the cursor, then the stream breaks; after the third it stays open.
    async fn notices(&self, request: Request<NoticesRequest>) -> Result<Response<Self::NoticesStream>, Status> {
        let told = request.into_inner().cursor.first().copied().unwrap_or(0);
        let (sender, replies) = mpsc::channel(1);
        if told < 3 {
            let kick = notice::Kick { reason: format!("number {}", told + 1), author: String::new() };
            let notice = Notice { cause: Some(notice::Cause::Kicked(kick)), ..Notice::default() };
            let cursor = vec![told + 1].into();
            drop(sender.send(Ok(NoticesReply { notices: vec![notice], cursor, reset: false })).await);
            return Ok(Response::new(ReceiverStream::new(replies).boxed()));
        }
        Ok(Response::new(stream::pending().boxed()))
    }
}

enum Reply {
    Answer(WriteFrameReply),
    Silence,
}

impl Node {
    /// None: the stream breaks.
    fn take(&self, frame: WriteFrame) -> Option<Reply> {
        let sequence = frame.sequence;
        let answer =
            |problem| Reply::Answer(WriteFrameReply { sequence, problem: Some(problem), ..Default::default() });
        if !self.leads() {
            return Some(answer(self.not_leader()));
        }
        self.state.change(|book| {
            book.arrived.push(frame.clone());
            match book.faults.pop_front() {
                Some(Fault::BreakBefore) => None,
                Some(Fault::BreakAfter) => {
                    drop(apply(book, &frame));
                    None
                }
                Some(Fault::Answer(problem)) => Some(answer(problem)),
                Some(Fault::Silence) => Some(Reply::Silence),
                None => Some(match apply(book, &frame) {
                    Ok(Answer { revision, results }) => {
                        Reply::Answer(WriteFrameReply { sequence, revision, results, problem: None })
                    }
                    Err(reason) => answer(refused(reason)),
                }),
            }
        })
    }

    /// Users that begin with `u` are live, those that begin with `l` linger; on a topic only those whose names have it
    /// in them.
    fn find(&self, request: LookupRequest) -> LookupReply {
        let rebuilding = self.state.change(|book| {
            book.lookup_frames.push(request.keys.len() + request.users.len());
            book.rebuilding
        });
        let owner =
            lookup_reply::Owner { service: "room".into(), endpoints: vec!["room:1".into()], ..Default::default() };
        let topic = String::from_utf8_lossy(&request.topic).into_owned();
        let bound = |user: &[u8]| String::from_utf8_lossy(user).contains(&topic);
        let session = |key: SessionKey| v1::Session { key: Some(key), ..v1::Session::default() };
        let found = |key: SessionKey| {
            let (live, lingers) = (key.user.starts_with(b"u") && bound(&key.user), key.user.starts_with(b"l"));
            lookup_reply::Found {
                session: live.then(|| session(key.clone())),
                formerly: lingers.then(|| lookup_reply::Formerly {
                    session: Some(session(key)),
                    state: lookup_reply::formerly::State::Lingering.into(),
                    until_ms: 1_234,
                }),
            }
        };
        let slots = |user: bytes::Bytes| {
            let slots = ["", "pad"].into_iter().filter(|_| bound(&user));
            slots.map(|slot| session(SessionKey { user: user.clone(), slot: slot.into() })).collect()
        };
        let all = |it: bytes::Bytes| lookup_reply::FoundAll { sessions: slots(it), formerly: Vec::new() };
        LookupReply {
            sequence: request.sequence,
            revision: 100,
            state_id: STATE_ID,
            owners: vec![owner],
            keys: request.keys.into_iter().map(found).collect(),
            users: request.users.into_iter().map(all).collect(),
            rebuilding,
            ..LookupReply::default()
        }
    }
}

/// The only session of a user.
pub(crate) fn key(user: &str) -> SessionKey {
    SessionKey { user: user.as_bytes().to_vec().into(), slot: Default::default() }
}

/// As the state does it.
fn apply(book: &mut Book, frame: &WriteFrame) -> Result<Answer, &'static str> {
    if !book.opened.contains(&frame.incarnation) || book.closed.contains(&frame.incarnation) {
        return Err("incarnation-closed");
    }
    let (last, answers) = book.frames.entry(frame.incarnation).or_default();
    if frame.sequence <= *last {
        return answers.get(&frame.sequence).cloned().ok_or("reply-forgotten");
    }
    if frame.sequence != *last + 1 {
        return Err("sequence-gap");
    }
    *last = frame.sequence;
    book.revision += 1;
    let revision = book.revision;
    let mut results = Vec::new();
    for (position, operation) in (0_u32..).zip(&frame.operations) {
        if let Some(Operation::Register(register)) = &operation.operation {
            book.registered.push(register.key.clone().unwrap_or_default().user.to_vec());
        }
        let epoch = Some(v1::Epoch { revision, position });
        let registered = operation_result::Registered { epoch, displaced: None };
        results.push(v1::OperationResult { result: Some(operation_result::Result::Registered(registered)) });
    }
    let answer = Answer { revision, results };
    answers.insert(frame.sequence, answer.clone());
    Ok(answer)
}

/// For tests that break a call instead of a frame.
pub(crate) fn broken() -> Status {
    status(&super::problem(
        v1::problem::Class::Unavailable,
        "outcome-unknown",
        v1::problem::Happened::Maybe,
        String::new(),
    ))
}
