//! The connections this room holds: who to push to, who to end.
//!
//! One lock, held for a few map operations and never across an await. A user has few connections here, mostly one, so
//! the index by user holds short lists.

use std::{collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;
use keeper_client_sdk::SessionKey;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::{ending::Ending, limits};

/// Names a connection for as long as the room's process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(u64);

impl ConnectionId {
    /// The name the registry knows.
    pub(crate) fn name(self) -> Bytes {
        self.0.to_string().into()
    }

    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        std::str::from_utf8(name).ok()?.parse().ok().map(Self)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Connections {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    admitted: u64,
    by_id: HashMap<ConnectionId, Entry>,
    by_user: HashMap<Bytes, Vec<ConnectionId>>,
}

#[derive(Debug)]
struct Entry {
    key: SessionKey,
    outbound: mpsc::Sender<String>,
    /// Taken by the first who ends the connection.
    end: Option<oneshot::Sender<Ending>>,
}

/// One connection's end of the table; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) id: ConnectionId,
    pub(crate) outbound: mpsc::Receiver<String>,
    pub(crate) end: oneshot::Receiver<Ending>,
    connections: Arc<Connections>,
}

/// What became of a push.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Connections that will get it.
    pub(crate) queued: usize,
    /// Connections whose queue is full.
    pub(crate) full: usize,
}

impl Connections {
    /// Takes a connection in, unless there are `max` already.
    pub(crate) fn admit(self: &Arc<Self>, key: SessionKey, max: usize) -> Option<Line> {
        let (outbound, outbound_receiver) = mpsc::channel(limits::OUTBOUND_MAX);
        let (end, end_receiver) = oneshot::channel();
        let mut table = self.table.lock();
        if table.by_id.len() >= max {
            return None;
        }
        table.admitted += 1;
        let id = ConnectionId(table.admitted);
        table.by_user.entry(key.user().clone()).or_default().push(id);
        table.by_id.insert(id, Entry { key, outbound, end: Some(end) });
        Some(Line { id, outbound: outbound_receiver, end: end_receiver, connections: self.clone() })
    }

    /// Sends to one connection.
    pub(crate) fn push(&self, id: ConnectionId, text: String) -> Delivery {
        let mut delivery = Delivery::default();
        if let Some(entry) = self.table.lock().by_id.get(&id) {
            delivery.add(entry, text);
        }
        delivery
    }

    /// Sends to a user's connections here: all of them, or the one of a slot.
    pub(crate) fn push_to_user(&self, user: &[u8], slot: Option<&[u8]>, text: &str) -> Delivery {
        let table = self.table.lock();
        let ids = table.by_user.get(user).into_iter().flatten();
        let entries = ids.filter_map(|id| table.by_id.get(id));
        let mut delivery = Delivery::default();
        for entry in entries.filter(|entry| slot.is_none_or(|slot| entry.key.slot() == slot)) {
            delivery.add(entry, text.to_owned());
        }
        delivery
    }

    /// Ends a connection; without effect when it has ended.
    pub(crate) fn end(&self, id: ConnectionId, ending: Ending) {
        if let Some(end) = self.table.lock().by_id.get_mut(&id).and_then(|entry| entry.end.take()) {
            // The connection may be ending by itself at this moment.
            let _ = end.send(ending);
        }
    }

    pub(crate) fn end_all(&self, ending: &Ending) {
        for entry in self.table.lock().by_id.values_mut() {
            if let Some(end) = entry.end.take() {
                let _ = end.send(ending.clone());
            }
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.table.lock().by_id.len()
    }

    fn leave(&self, id: ConnectionId) {
        let mut table = self.table.lock();
        let Some(entry) = table.by_id.remove(&id) else { return };
        let user = entry.key.user();
        if let Some(ids) = table.by_user.get_mut(user) {
            ids.retain(|it| *it != id);
            if ids.is_empty() {
                table.by_user.remove(user);
            }
        }
    }
}

impl Delivery {
    fn add(&mut self, entry: &Entry, text: String) {
        match entry.outbound.try_send(text) {
            Ok(()) => self.queued += 1,
            Err(mpsc::error::TrySendError::Full(_)) => self.full += 1,
            // It is ending: as good as gone.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.connections.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &str, slot: &str) -> SessionKey {
        SessionKey::new(user.to_owned(), slot.to_owned()).unwrap()
    }

    #[test]
    fn a_push_reaches_a_users_connections_and_no_others() {
        let connections = Arc::new(Connections::default());
        let mut phone = connections.admit(key("a", "phone"), 10).unwrap();
        let desk = connections.admit(key("a", "desk"), 10).unwrap();
        let mut other = connections.admit(key("b", ""), 10).unwrap();
        assert_eq!(connections.push_to_user(b"a", None, "x"), Delivery { queued: 2, full: 0 });
        assert_eq!(connections.push_to_user(b"a", Some(b"desk"), "y"), Delivery { queued: 1, full: 0 });
        assert_eq!(connections.push_to_user(b"c", None, "z"), Delivery::default());
        assert_eq!(phone.outbound.try_recv().ok().as_deref(), Some("x"));
        assert!(phone.outbound.try_recv().is_err());
        assert_eq!(desk.outbound.len(), 2);
        assert!(other.outbound.try_recv().is_err());
    }

    #[test]
    fn a_full_queue_is_told_not_dropped_silently() {
        let connections = Arc::new(Connections::default());
        let line = connections.admit(key("a", ""), 10).unwrap();
        for _ in 0..limits::OUTBOUND_MAX {
            assert_eq!(connections.push(line.id, String::new()).queued, 1);
        }
        assert_eq!(connections.push(line.id, String::new()), Delivery { queued: 0, full: 1 });
    }

    #[test]
    fn what_ends_leaves_no_trace() {
        let connections = Arc::new(Connections::default());
        let mut line = connections.admit(key("a", ""), 1).unwrap();
        assert!(connections.admit(key("b", ""), 1).is_none(), "the table is full");
        assert_eq!(connections.count(), 1);
        connections.end(line.id, Ending::Superseded);
        connections.end(line.id, Ending::GoingAway);
        assert_eq!(line.end.try_recv(), Ok(Ending::Superseded), "the first ending counts");
        drop(line);
        let table = connections.table.lock();
        assert!(table.by_id.is_empty() && table.by_user.is_empty());
    }

    #[test]
    fn a_name_is_read_back() {
        assert_eq!(ConnectionId::parse(&ConnectionId(42).name()), Some(ConnectionId(42)));
        assert_eq!(ConnectionId::parse(b"\xff"), None);
    }
}
