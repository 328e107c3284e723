//! Adding and removing topics of a session. All of an operation's topics, or none.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Content, OwnerId, RowId, TopicId,
    register::{check_key, check_topics},
    tell::{Scope, Subject, Teller},
};
use crate::{BindTopics, OfflineReason, OperationResult, PresenceWhat, Rejection, State, TopicNames, check, limits};

type TopicIds = SmallVec<[TopicId; limits::TOPICS_PER_SESSION_MAX]>;

impl State {
    /// A topic bound already stays where it is: a repeated bind is no error.
    pub(crate) fn bind(&mut self, owner: OwnerId, bind: &BindTopics) -> Result<OperationResult, Rejection> {
        check_key(&bind.key)?;
        check_topics(&bind.topics, limits::TOPICS_PER_SESSION_MAX)?;
        let (row, entry) = self.fenced(owner, &bind.key, bind.epoch)?;
        let mut bound: TopicIds = entry.topics().collect();
        let is_bound = |name: &Bytes| self.sessions.topics.find(name).is_some_and(|topic| bound.contains(&topic));
        let added: SmallVec<[Bytes; limits::TOPICS_PER_SESSION_MAX]> =
            bind.topics.iter().filter(|name| !is_bound(name)).cloned().collect();
        check::size("topics", bound.len() + added.len(), limits::TOPICS_PER_SESSION_MAX)?;
        if added.is_empty() {
            return Ok(OperationResult::Done);
        }
        self.check_topic_quota(&added, None)?;
        for topic in &bound {
            self.sessions.topics.acquire_again(*topic);
        }
        bound.extend(added.iter().map(|name| self.sessions.topics.acquire(name)));
        self.rebind(row, &bound);
        self.tell_bound(row, &added, PresenceWhat::Online);
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
        self.tell_bound(row, &unbind.topics, PresenceWhat::Offline(OfflineReason::Unbound));
        Ok(OperationResult::Done)
    }

    /// Writes the session again with these topics, which have been acquired. Epoch and place in the owner's list stay.
    fn rebind(&mut self, row: RowId, topics: &[TopicId]) {
        let Some(entry) = self.sessions.rows.get(row) else { return };
        let text = entry.copied();
        let content = Content { topics, ..text.content(entry) };
        self.sessions.rewrite(&mut self.instances, row, &content);
    }

    /// The session itself stays: only subscribers of these topics are told.
    fn tell_bound(&mut self, row: RowId, topics: &[Bytes], what: PresenceWhat<'_>) {
        let Self { sessions, instances, presence, clock, .. } = self;
        let Some(subject) = sessions.rows.get(row).and_then(|entry| Subject::of(entry, instances)) else { return };
        let scope = Scope { whole: false, topics: TopicNames::given(topics) };
        Teller { presence, clock }.tell(&subject, scope, what);
    }
}
