//! Adding and removing topics of a session. All of an operation's topics, or none.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Content, OwnerId, RowId, TopicId,
    register::{check_key, check_topics},
};
use crate::{BindTopics, OperationResult, Rejection, State, check, limits};

type TopicIds = SmallVec<[TopicId; limits::TOPICS_PER_SESSION_MAX]>;

impl State {
    /// A topic bound already stays where it is: a repeated bind is no error.
    pub(crate) fn bind(&mut self, owner: OwnerId, bind: &BindTopics) -> Result<OperationResult, Rejection> {
        check_key(&bind.key)?;
        check_topics(&bind.topics, limits::TOPICS_PER_SESSION_MAX)?;
        let (row, entry) = self.fenced(owner, &bind.key, bind.epoch)?;
        let mut bound: TopicIds = entry.topics().collect();
        let is_bound = |name: &Bytes| self.sessions.topics.find(name).is_some_and(|topic| bound.contains(&topic));
        let added: SmallVec<[&Bytes; limits::TOPICS_PER_SESSION_MAX]> =
            bind.topics.iter().filter(|name| !is_bound(name)).collect();
        check::size("topics", bound.len() + added.len(), limits::TOPICS_PER_SESSION_MAX)?;
        if added.is_empty() {
            return Ok(OperationResult::Done);
        }
        for topic in &bound {
            self.sessions.topics.acquire_again(*topic);
        }
        bound.extend(added.into_iter().map(|name| self.sessions.topics.acquire(name)));
        self.rebind(row, &bound);
        Ok(OperationResult::Done)
    }

    /// A topic that is not bound refuses the whole operation, since it shows that the gateway's picture is wrong.
    pub(crate) fn unbind(&mut self, owner: OwnerId, unbind: &BindTopics) -> Result<OperationResult, Rejection> {
        check_key(&unbind.key)?;
        check_topics(&unbind.topics, limits::TOPICS_PER_SESSION_MAX)?;
        let (row, entry) = self.fenced(owner, &unbind.key, unbind.epoch)?;
        let mut bound: TopicIds = entry.topics().collect();
        for name in &unbind.topics {
            let place =
                self.sessions.topics.find(name).and_then(|topic| bound.iter().position(|other| *other == topic));
            match place {
                Some(place) => bound.remove(place),
                None => return Err(Rejection::NotBound { topic: Bytes::copy_from_slice(name) }),
            };
        }
        for topic in &bound {
            self.sessions.topics.acquire_again(*topic);
        }
        self.rebind(row, &bound);
        Ok(OperationResult::Done)
    }

    /// Writes the session again with these topics, which have been acquired. Epoch and place in the owner's list stay.
    fn rebind(&mut self, row: RowId, topics: &[TopicId]) {
        let Some(entry) = self.sessions.rows.get(row) else { return };
        let text: SmallVec<[u8; 128]> = SmallVec::from_slice(entry.text());
        let parts = entry.row;
        let copy = super::Entry { row: parts, bytes: &text };
        let content = Content {
            owner: parts.owner(),
            epoch: parts.epoch(),
            registered_at: entry.registered_at(),
            user: copy.user(),
            slot: copy.slot(),
            connection: copy.connection(),
            attributes: copy.attributes(),
            conn_seq: entry.conn_seq(),
            topics,
        };
        self.sessions.rewrite(&mut self.instances, row, &content);
    }
}
