//! What happened to the sessions of a user: the timeline that answers "why was ann offline at noon?".
//!
//! Each node remembers facts as far back as its own ring reaches; one that was started a minute ago knows a minute and
//! what a snapshot told it. So all nodes are asked, and the answers are joined: the newest, and before it what others
//! remember of older times.

use bytes::Bytes;
use futures_util::future::join_all;
use keeper_proto::v1;

use crate::{
    Error, Formerly, PresenceFact, Session, SessionAdmin,
    connection::{Aim, Retry},
    session::{admin::client, from_proto, presence},
};

/// What happened to the sessions of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The state that answered.
    pub revision: u64,
    /// Nothing before this revision is remembered.
    pub since_revision: u64,
    /// Log time, Unix milliseconds.
    pub since_ms: u64,
    /// Oldest first; at most the newest 1,000 of each node.
    pub facts: Vec<PresenceFact>,
    /// What is live now.
    pub sessions: Vec<Session>,
    /// What is not, and not gone either.
    pub formerly: Vec<Formerly>,
}

impl SessionAdmin {
    /// What happened to the sessions of a user, or to one of them, for as far back as any node remembers.
    ///
    /// # Errors
    /// As [`Error`] says, when no node answers.
    pub async fn explain(&self, user: impl Into<Bytes>, slot: Option<Bytes>) -> Result<Explained, Error> {
        let request = v1::ExplainRequest { user: user.into(), slot };
        let ask = |aim, retry| {
            let method = |channel, request| async move { client(channel).explain(request).await };
            self.nodes.call("session explain", aim, retry, request.clone(), method)
        };
        let everybody = self.nodes.endpoints().into_iter().map(|it| ask(Aim::At(it), Retry::Never));
        let mut answers = Vec::new();
        for answer in join_all(everybody).await.into_iter().filter_map(Result::ok) {
            answers.push(explained(answer)?);
        }
        match join(answers) {
            Some(explained) => Ok(explained),
            None => explained(ask(Aim::Any, Retry::Safe).await?),
        }
    }
}

/// The newest answer, and before what it remembers the one that reaches back furthest.
fn join(mut answers: Vec<Explained>) -> Option<Explained> {
    answers.sort_by_key(|it| it.since_revision);
    let newest = (0..answers.len()).max_by_key(|it| answers[*it].revision)?;
    let mut explained = answers.swap_remove(newest);
    if let Some(deepest) = answers.into_iter().min_by_key(|it| it.since_revision)
        && deepest.since_revision < explained.since_revision
    {
        let mut facts = deepest.facts;
        facts.retain(|it| it.revision < explained.since_revision);
        facts.append(&mut explained.facts);
        let Explained { since_revision, since_ms, .. } = deepest;
        explained = Explained { since_revision, since_ms, facts, ..explained };
    }
    Some(explained)
}

fn explained(reply: v1::ExplainReply) -> Result<Explained, Error> {
    let v1::ExplainReply { revision, since_revision, since_ms, facts, places, present, owners } = reply;
    let owners = from_proto::owners(owners);
    let v1::lookup_reply::FoundAll { sessions, formerly } = present.unwrap_or_default();
    let sessions = sessions.into_iter().map(|it| from_proto::session(it, &owners));
    let formerly = formerly.into_iter().map(|it| from_proto::formerly(it, &owners));
    Ok(Explained {
        revision,
        since_revision,
        since_ms,
        facts: presence::facts(facts, &presence::places(places))?,
        sessions: sessions.collect::<Result<_, _>>()?,
        formerly: formerly.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, PresenceChange, PresenceScope, SessionKey};

    fn answer(revision: u64, since_revision: u64, facts: &[u64]) -> Explained {
        let fact = |revision: &u64| PresenceFact {
            key: SessionKey::trusted("ann".into(), Bytes::new()),
            epoch: Epoch { revision: *revision, position: 0 },
            revision: *revision,
            at_ms: 0,
            place: Default::default(),
            connection: Bytes::new(),
            topics: Vec::new(),
            scope: PresenceScope::Session,
            change: PresenceChange::Online,
        };
        let facts = facts.iter().map(fact).collect();
        let (sessions, formerly) = (Vec::new(), Vec::new());
        Explained { revision, since_revision, since_ms: since_revision, facts, sessions, formerly }
    }

    #[test]
    fn what_one_node_forgot_another_remembers() {
        let answers = vec![answer(90, 10, &[12, 40, 70]), answer(100, 50, &[70, 95]), answer(80, 60, &[70])];
        let joined = join(answers).expect("somebody answered");
        let told: Vec<_> = joined.facts.iter().map(|it| it.revision).collect();
        assert_eq!((joined.revision, joined.since_revision, told), (100, 10, vec![12, 40, 70, 95]));
    }

    #[test]
    fn a_single_answer_is_the_answer() {
        let only = answer(9, 3, &[4, 5]);
        assert_eq!(join(vec![only.clone()]), Some(only));
        assert_eq!(join(Vec::new()), None);
    }
}
