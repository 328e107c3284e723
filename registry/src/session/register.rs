//! Taking a key.
//!
//! Newest wins by log order, except that a lower `conn_seq` never displaces a higher one: a register delayed in a slow
//! gateway must not steal from the live one. Equal or absent, and log order decides.
//!
//! Every register gets a new epoch, also one that repeats the owner's own: the gateway asked for a token, and the one
//! it got before may have been lost with the reply. What was displaced is in the reply whenever the connection was
//! another one; a notice goes to the former owner only when that is another incarnation, since a gateway that displaced
//! itself knows it from the reply.

use smallvec::SmallVec;

use super::{Content, OwnerId, RowId, SessionView, TopicId};
use crate::{
    OperationResult, Register, Rejection, SessionKey, State, check, limits,
    notice::{NoticeCause, NoticeFact},
};

impl State {
    pub(crate) fn register(&mut self, owner: OwnerId, register: &Register) -> Result<OperationResult, Rejection> {
        check_key(&register.key)?;
        check::size("connection", register.connection.len(), limits::CONNECTION_BYTES_MAX)?;
        check::size("attributes", register.attributes.len(), limits::ATTRIBUTES_BYTES_MAX)?;
        check_topics(&register.topics, limits::TOPICS_PER_SESSION_MAX)?;

        let Register { key: SessionKey { user, slot }, .. } = register;
        let present = self.sessions.find(user, slot);
        let old = present.map(|(row, _)| row);
        let live = present.and_then(|(_, entry)| Some((entry, self.sessions.view(&self.instances, entry)?)));
        let displaced = match live {
            None => {
                self.check_room(user, old)?;
                None
            }
            Some((entry, view)) => {
                check_conn_seq(register, &view)?;
                let repeated = entry.row.owner() == owner && entry.connection() == register.connection;
                (!repeated).then(|| (entry.row.owner(), view.holder()))
            }
        };

        let epoch = self.clock.next_epoch();
        let topics: SmallVec<[TopicId; limits::TOPICS_PER_SESSION_MAX]> =
            register.topics.iter().map(|name| self.sessions.topics.acquire(name)).collect();
        let content = Content {
            owner,
            epoch,
            registered_at: self.clock.time,
            user,
            slot,
            connection: &register.connection,
            attributes: &register.attributes,
            conn_seq: register.conn_seq,
            topics: &topics,
        };
        self.sessions.put(&mut self.instances, old, &content);
        if let Some((former, holder)) = displaced.as_ref().filter(|(former, _)| *former != owner) {
            let by = self.holder_of(owner, &register.connection, epoch);
            let fact = NoticeFact::new(&register.key, holder, NoticeCause::DisplacedBy(by));
            self.notices.push(&mut self.instances, &self.clock, *former, fact);
        }
        Ok(OperationResult::Registered { epoch, displaced: displaced.map(|(_, holder)| Box::new(holder)) })
    }

    /// A key that has no live session adds one to its user's.
    fn check_room(&self, user: &[u8], old: Option<RowId>) -> Result<(), Rejection> {
        if old.is_none() && self.sessions.stored >= limits::SESSIONS_MAX {
            return Err(Rejection::Full { what: "sessions", limit: limits::SESSIONS_MAX });
        }
        let entries = self.sessions.of_user(user);
        let live = entries.filter(|(_, entry)| self.instances.open(entry.row.owner()).is_some()).count();
        if live >= limits::SLOTS_PER_USER_MAX {
            return Err(Rejection::TooManySlots { limit: limits::SLOTS_PER_USER_MAX as u64 });
        }
        Ok(())
    }
}

fn check_conn_seq(register: &Register, present: &SessionView<'_>) -> Result<(), Rejection> {
    match (register.conn_seq, present.conn_seq()) {
        (Some(given), Some(newer)) if given < newer => {
            Err(Rejection::StaleConnSeq { given, present: newer, holder: present.holder() })
        }
        _ => Ok(()),
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
