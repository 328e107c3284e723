//! A page of sessions, copied out of the state in one piece.
//!
//! Under the lock their bytes are appended to one buffer and their numbers to one list; the messages are cut from that
//! buffer afterwards, without copying. A page of a thousand sessions so costs the lock a fraction of what building a
//! thousand messages would, and two allocations instead of thousands.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{Epoch, LogTime, SessionView};

use crate::rpc::to_proto;

/// Bytes of a typical session; only a capacity hint.
const SESSION_BYTES_TYPICAL: usize = 48;

/// Copied sessions.
#[derive(Debug, Default)]
pub(super) struct Page {
    owners: to_proto::Owners,
    sessions: Vec<Copied>,
    /// For each session in turn: user, slot, connection, attributes, topics.
    bytes: Vec<u8>,
    /// How long each of a session's topics is; all of a page one after another.
    topics: Vec<u8>,
}

#[derive(Debug)]
struct Copied {
    owner: u32,
    epoch: Epoch,
    conn_seq: Option<u64>,
    registered_at: LogTime,
    user: u8,
    slot: u8,
    connection: u8,
    topics: u8,
    attributes: u16,
}

impl Page {
    pub(super) fn with_capacity(sessions: usize) -> Self {
        Self {
            sessions: Vec::with_capacity(sessions),
            bytes: Vec::with_capacity(sessions * SESSION_BYTES_TYPICAL),
            ..Self::default()
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Copies a session.
    pub(super) fn push(&mut self, view: &SessionView<'_>) {
        let owner = self.owners.index_of(view.owner());
        let user = self.append(view.user());
        let slot = self.append(view.slot());
        let connection = self.append(view.connection());
        let attributes = self.append(view.attributes());
        let first_topic = self.topics.len();
        for topic in view.topics() {
            let length = self.append(topic);
            self.topics.push(length);
        }
        self.sessions.push(Copied {
            owner,
            epoch: view.epoch(),
            conn_seq: view.conn_seq(),
            registered_at: view.registered_at(),
            user,
            slot,
            connection,
            topics: narrow(self.topics.len() - first_topic),
            attributes,
        });
    }

    /// Appends a name and gives its length, which the registry's limits keep within what `N` holds.
    fn append<N: TryFrom<usize> + Default>(&mut self, name: &[u8]) -> N {
        self.bytes.extend_from_slice(name);
        narrow(name.len())
    }

    /// Everything as messages.
    pub(super) fn finish(self) -> (Vec<wire::lookup_reply::Owner>, Vec<wire::Session>) {
        let mut bytes = Bytes::from(self.bytes);
        let mut lengths = self.topics.into_iter();
        let sessions = self.sessions.into_iter().map(|session| {
            let mut take = |length: usize| bytes.split_to(length);
            let (user, slot) = (take(session.user.into()), take(session.slot.into()));
            let connection = take(session.connection.into());
            let attributes = take(session.attributes.into());
            let topics = lengths.by_ref().take(session.topics.into()).map(|length| take(length.into())).collect();
            wire::Session {
                key: Some(wire::SessionKey { user, slot }),
                owner: session.owner,
                connection,
                epoch: Some(to_proto::epoch(session.epoch)),
                conn_seq: session.conn_seq,
                topics,
                attributes: to_proto::attributes(&attributes),
                registered_at_ms: session.registered_at.0,
            }
        });
        let sessions = sessions.collect();
        (self.owners.finish(), sessions)
    }
}

fn narrow<N: TryFrom<usize> + Default>(length: usize) -> N {
    N::try_from(length).unwrap_or_default()
}

const _: () = {
    use keeper_registry::limits;
    assert!(limits::USER_BYTES_MAX <= u8::MAX as usize);
    assert!(limits::SLOT_BYTES_MAX <= u8::MAX as usize);
    assert!(limits::CONNECTION_BYTES_MAX <= u8::MAX as usize);
    assert!(limits::TOPIC_BYTES_MAX <= u8::MAX as usize);
    assert!(limits::TOPICS_PER_SESSION_MAX <= u8::MAX as usize);
    assert!(limits::ATTRIBUTES_BYTES_MAX <= u16::MAX as usize);
};
