//! `keeper.v1.Sessions`: frames taken once and in order, lookups that find every user whose name begins with `u`.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{
    self, CountSessionsReply, CountSessionsRequest, ExplainReply, ExplainRequest, GetKickRequest, GiveUpReply,
    GiveUpRequest, KickReply, KickRequest, KickStatus, ListKicksReply, ListKicksRequest, ListSessionsReply,
    ListSessionsRequest, LookupReply, LookupRequest, NoticesReply, NoticesRequest, PresenceReply, PresenceRequest,
    RebuildStatusReply, RebuildStatusRequest, ScanReply, ScanRequest, SessionKey, TopSessionsReply, TopSessionsRequest,
    WriteFrame, WriteFrameReply, lookup_reply, sessions_server::Sessions,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Node, Replies, STATE_ID, refused,
    registry::Held,
    state::{Answer, Book, Fault},
    status, unavailable,
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

    /// Whom the frames have registered; only streams find users by their names.
    async fn lookup(&self, request: Request<LookupRequest>) -> Result<Response<LookupReply>, Status> {
        Ok(Response::new(self.state.read(|book| find_registered(book, request.into_inner()))))
    }

    async fn list(&self, _: Request<ListSessionsRequest>) -> Result<Response<ListSessionsReply>, Status> {
        Ok(Response::new(ListSessionsReply::default()))
    }

    async fn scan(&self, request: Request<ScanRequest>) -> Result<Response<Self::ScanStream>, Status> {
        let is_full = self.state.change(|book| {
            book.walks_refused += usize::from(book.walks_full);
            book.walks_full
        });
        if is_full {
            return Err(status(&unavailable("full")));
        }
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

    async fn notices(&self, request: Request<NoticesRequest>) -> Result<Response<Self::NoticesStream>, Status> {
        self.tell_notices(request.into_inner())
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
        let (rebuilding, revision) = self.state.change(|book| {
            book.lookup_frames.push(request.keys.len() + request.users.len());
            (book.rebuilding, book.revision)
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
            revision,
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
    if frame.state_id != book.state_id {
        return Err("foreign-state");
    }
    if !book.is_open(frame.incarnation) {
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
    let operations = (1_u32..).zip(frame.operations.iter().filter_map(|it| it.operation.as_ref()));
    let result = |(position, operation)| v1::OperationResult {
        result: Some(book.operate(frame.incarnation, v1::Epoch { revision, position }, operation)),
    };
    let answer = Answer { revision, results: operations.map(result).collect() };
    let (_, answers) = book.frames.entry(frame.incarnation).or_default();
    answers.insert(frame.sequence, answer.clone());
    Ok(answer)
}

fn find_registered(book: &Book, request: LookupRequest) -> LookupReply {
    let held: Vec<_> = request.keys.iter().map(|key| book.held(key)).collect();
    let owner = |held: &Held| lookup_reply::Owner { incarnation: held.incarnation, ..lookup_reply::Owner::default() };
    let owners = held.iter().flatten().map(|held| owner(held)).collect();
    let mut owner = 0;
    let found = |held: Option<&Held>| {
        let session = held.map(|held| {
            owner += 1;
            let (key, connection) = (held.register.key.clone(), held.register.connection.clone());
            v1::Session { key, owner: owner - 1, connection, epoch: Some(held.epoch), ..v1::Session::default() }
        });
        lookup_reply::Found { session, formerly: None }
    };
    let keys = held.into_iter().map(found).collect();
    LookupReply { sequence: request.sequence, state_id: book.state_id, owners, keys, ..LookupReply::default() }
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
