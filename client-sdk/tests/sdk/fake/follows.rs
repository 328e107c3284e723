//! `keeper.v1.Follows`: a document is its own effective one, but for the candidates some incarnations have.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{
    AcknowledgeReply, AcknowledgeRequest, AnnounceReply, AnnounceRequest, EffectiveDocument, FollowRequest, Followed,
    follows_server::Follows,
};
use tonic::{Request, Response, Status};

use super::{
    Node, Replies, STATE_ID, refused,
    sessions::broken,
    state::{Announcing, Book},
    status, unavailable,
};

#[tonic::async_trait]
impl Follows for Node {
    type FollowStream = Replies<Followed>;

    async fn announce(&self, request: Request<AnnounceRequest>) -> Result<Response<AnnounceReply>, Status> {
        self.lead()?;
        let request = request.into_inner();
        match self.state.read(|book| book.announcing) {
            Announcing::Answered => {}
            Announcing::Refused => return Err(status(&refused("level"))),
            Announcing::Silent => return Err(status(&unavailable("no-quorum"))),
        }
        if !self.state.read(|book| book.is_open(request.incarnation)) {
            return Err(status(&refused("incarnation-closed")));
        }
        let reply = self.state.change(|book| {
            book.schemas.extend(request.schemas.iter().cloned());
            let is_held = |hash: &[u8]| book.schemas.iter().any(|schema| hash == hash_of(schema));
            let named = request.documents.iter().map(|it| it.schema_hash.clone()).filter(|hash| !hash.is_empty());
            let missing: Vec<_> = named.filter(|hash| !is_held(hash)).collect();
            book.announced.push(request.clone());
            AnnounceReply { revision: book.revision, missing }
        });
        Ok(Response::new(reply))
    }

    async fn follow(&self, request: Request<FollowRequest>) -> Result<Response<Self::FollowStream>, Status> {
        let request = request.into_inner();
        self.state.change(|book| book.follows.push(request.clone()));
        let mut breaks = self.state.breaks.subscribe();
        let broken = async move { drop(breaks.changed().await) };
        let changes = self.state.changes();
        let start = (self.clone(), Some((request.cursor, changes)), request);
        let replies = stream::unfold(start, |(node, course, request)| async move {
            let (mut cursor, mut changes) = course?;
            loop {
                changes.mark_unchanged();
                let incarnation = request.incarnation;
                if incarnation > 0 && !node.state.read(|book| book.is_open(incarnation)) {
                    return Some((Err(status(&refused("incarnation-closed"))), (node, None, request)));
                }
                if let Some(frame) = node.state.read(|book| since(book, &request, cursor)) {
                    cursor = frame.cursor;
                    return Some((Ok(frame), (node, Some((cursor, changes)), request)));
                }
                changes.changed().await.ok()?;
            }
        });
        Ok(Response::new(replies.take_until(broken).boxed()))
    }

    async fn acknowledge(&self, request: Request<AcknowledgeRequest>) -> Result<Response<AcknowledgeReply>, Status> {
        self.lead()?;
        let request = request.into_inner();
        let (term, lose) = self.state.change(|book| {
            book.acknowledged.push(request);
            (book.term, book.lose_acknowledgement.take())
        });
        match lose {
            Some(()) => Err(broken()),
            None => Ok(Response::new(AcknowledgeReply { term })),
        }
    }
}

/// The double need not know how schemas are hashed: the SDK says which is which, and a test elsewhere what it must be.
fn hash_of(schema: &[u8]) -> Vec<u8> {
    xxhash_rust::xxh3::xxh3_128(schema).to_be_bytes().to_vec()
}

/// What a follower at `cursor` has not been told; the full set when it begins.
fn since(book: &Book, request: &FollowRequest, cursor: u64) -> Option<Followed> {
    let documents = request.paths.iter().filter_map(|path| effective(book, request.incarnation, path));
    let documents: Vec<_> = documents.filter(|it| it.revision > cursor).collect();
    let reset = cursor == 0;
    (reset || !documents.is_empty()).then_some(Followed {
        cursor: book.revision,
        state_id: STATE_ID,
        reset,
        documents,
        more: false,
    })
}

fn effective(book: &Book, incarnation: u64, path: &str) -> Option<EffectiveDocument> {
    if let Some((revision, text)) = book.candidates.get(&(incarnation, path.to_owned())) {
        let value = text.clone().into_bytes().into();
        let (path, revision) = (path.to_owned(), *revision);
        return Some(EffectiveDocument { path, revision, value, deleted: false, rollout: revision });
    }
    let document = book.documents.get(path)?.clone();
    let (path, revision, value, deleted) = (document.path, document.revision, document.value, document.deleted);
    Some(EffectiveDocument { path, revision, value, deleted, rollout: 0 })
}
