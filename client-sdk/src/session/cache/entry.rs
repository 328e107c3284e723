//! An answer as it is kept: in memory of its own, because bytes of an answer share the frame they came in, and one
//! session would keep a thousand neighbours.

use std::{mem::size_of, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{Owner, Session, SessionKey};

/// About what the bookkeeping of one user takes: the key's handle, the pointers, the slots of the table.
const USER_BYTES: usize = 160;

/// Where the devices of one user are.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sessions: Arc<[Session]>,
    /// The state that answered.
    pub(super) revision: u64,
    pub(super) state_id: u64,
    /// It was asked for after this moment, and so was true then or later.
    pub(super) true_at: Instant,
    bytes: usize,
}

impl Entry {
    pub(super) fn new(sessions: Arc<[Session]>, revision: u64, state_id: u64, true_at: Instant) -> Self {
        let bytes = USER_BYTES + sessions.iter().map(weight).sum::<usize>();
        Self { sessions, revision, state_id, true_at, bytes }
    }

    pub(super) fn is_at(&self, incarnation: u64) -> bool {
        self.sessions.iter().any(|it| it.owner.incarnation == incarnation)
    }
}

/// Weighs users and their answers in bytes.
#[derive(Debug, Clone)]
pub(super) struct Weigher;

impl quick_cache::Weighter<Bytes, Arc<Entry>> for Weigher {
    fn weight(&self, user: &Bytes, entry: &Arc<Entry>) -> u64 {
        (user.len() + entry.bytes) as u64
    }
}

/// The same session in a buffer of its own, under a shared owner.
pub(super) fn detached(session: &Session, owner: Arc<Owner>) -> Session {
    let (user, slot) = (session.key.user(), session.key.slot());
    let parts = || [user, slot, &session.connection].into_iter().chain(&session.topics);
    let mut buffer = Vec::with_capacity(parts().map(Bytes::len).sum());
    parts().for_each(|part| buffer.extend_from_slice(part));
    let mut rest = Bytes::from(buffer);
    let mut take = |like: &Bytes| rest.split_to(like.len());
    Session {
        key: SessionKey::trusted(take(user), take(slot)),
        owner,
        connection: take(&session.connection),
        topics: session.topics.iter().map(take).collect(),
        attributes: session.attributes.clone(),
        ..*session
    }
}

fn weight(session: &Session) -> usize {
    let names = session.key.user().len() + session.key.slot().len() + session.connection.len();
    let topics: usize = session.topics.iter().map(|it| it.len() + size_of::<Bytes>()).sum();
    let attributes: usize = session.attributes.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
    size_of::<Session>() + names + topics + attributes
}
