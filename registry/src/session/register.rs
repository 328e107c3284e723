//! Taking a key.
//!
//! Newest wins by log order, except that a lower `conn_seq` never displaces a higher one: a register delayed in a slow
//! gateway must not steal from the live one. Equal or absent, and log order decides. `flush` says it in full, and what
//! becomes of claims from a former history.
//!
//! Every register gets a new epoch, also one that repeats the owner's own: the gateway asked for a token, and the one
//! it got before may have been lost with the reply. What was displaced is in the reply whenever the connection was
//! another one; a notice goes to the former owner only when that is another incarnation, since a gateway that displaced
//! itself knows it from the reply. What everybody else is told, `replace` says.

use smallvec::SmallVec;

use super::{Content, OwnerId, RowId, TopicId, flush};
use crate::{
    Epoch, Holder, OperationResult, Register, Rejection, SessionKey, State, check, limits,
    notice::{NoticeCause, NoticeFact},
};

/// The row of a key, and whether its session is live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Old {
    pub(super) row: RowId,
    pub(super) is_live: bool,
}

/// What a register meets.
struct Met {
    old: Option<Old>,
    /// Whose live session it takes, unless that is the very same connection.
    displaced: Option<(OwnerId, Holder)>,
}

/// A register that is granted.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    pub(super) owner: OwnerId,
    pub(super) epoch: Epoch,
    /// What the key has already.
    pub(super) old: Option<Old>,
    pub(super) topics: &'a [TopicId],
}

impl State {
    pub(crate) fn register(&mut self, owner: OwnerId, register: &Register) -> Result<OperationResult, Rejection> {
        check_key(&register.key)?;
        check::size("connection", register.connection.len(), limits::CONNECTION_BYTES_MAX)?;
        check::size("attributes", register.attributes.len(), limits::ATTRIBUTES_BYTES_MAX)?;
        check_topics(&register.topics, limits::TOPICS_PER_SESSION_MAX)?;
        let Met { old, displaced } = self.check_register(owner, register)?;

        let epoch = self.clock.next_epoch();
        let topics: SmallVec<[TopicId; limits::TOPICS_PER_SESSION_MAX]> =
            register.topics.iter().map(|name| self.sessions.topics.acquire(name)).collect();
        self.tell_register(register, &Taken { owner, epoch, old, topics: &topics });
        let content = Content {
            owner,
            epoch,
            registered_at: self.clock.time,
            user: &register.key.user,
            slot: &register.key.slot,
            connection: &register.connection,
            attributes: &register.attributes,
            conn_seq: register.conn_seq,
            flushed: register.flushed,
            dropped: None,
            topics: &topics,
        };
        self.sessions.put(&mut self.instances, old.map(|old| old.row), &content);
        if let Some((former, holder)) = displaced.as_ref().filter(|(former, _)| *former != owner) {
            let by = self.holder_of(owner, &register.connection, epoch);
            let fact = NoticeFact::new(&register.key, holder, NoticeCause::DisplacedBy(by));
            self.notices.push(&mut self.instances, &self.clock, *former, fact);
        }
        Ok(OperationResult::Registered { epoch, displaced: displaced.map(|(_, holder)| Box::new(holder)) })
    }

    fn check_register(&self, owner: OwnerId, register: &Register) -> Result<Met, Rejection> {
        let SessionKey { user, slot } = &register.key;
        let present = self.sessions.find(user, slot);
        let old = |is_live| present.map(|(row, _)| Old { row, is_live });
        let live = present.and_then(|(_, entry)| Some((entry, self.sessions.view(&self.instances, entry)?)));
        let Some((entry, view)) = live else {
            self.check_room(user, old(false))?;
            self.check_quota(owner, &register.topics, None)?;
            return Ok(Met { old: old(false), displaced: None });
        };
        flush::check_precedence(register, &view)?;
        self.check_quota(owner, &register.topics, Some(entry))?;
        let is_repeated = entry.row.owner() == owner && entry.connection() == register.connection;
        let displaced = (!is_repeated).then(|| (entry.row.owner(), view.holder()));
        Ok(Met { old: old(true), displaced })
    }

    /// A key that has no live session adds one to its user's.
    fn check_room(&self, user: &[u8], old: Option<Old>) -> Result<(), Rejection> {
        if old.is_none() && self.sessions.stored >= limits::SESSIONS_MAX {
            return Err(Rejection::Full { what: "sessions", limit: limits::SESSIONS_MAX });
        }
        let entries = self.sessions.of_user(user);
        let live = entries.filter(|(_, entry)| self.sessions.view(&self.instances, *entry).is_some()).count();
        if live >= limits::SLOTS_PER_USER_MAX {
            return Err(Rejection::TooManySlots { limit: limits::SLOTS_PER_USER_MAX as u64 });
        }
        Ok(())
    }
}

pub(super) fn check_key(key: &SessionKey) -> Result<(), Rejection> {
    check::bytes("user", &key.user, limits::USER_BYTES_MAX)?;
    check::size("slot", key.slot.len(), limits::SLOT_BYTES_MAX)
}

pub(super) fn check_topics(topics: &[bytes::Bytes], limit: usize) -> Result<(), Rejection> {
    check::size("topics", topics.len(), limit)?;
    for (place, topic) in topics.iter().enumerate() {
        check::bytes("topic", topic, limits::TOPIC_BYTES_MAX)?;
        if topics[..place].contains(topic) {
            return Err(Rejection::Repeated { field: "topics" });
        }
    }
    Ok(())
}
