//! Sessions as the state keeps them: newest wins, claims of former lives lose to what is live, epochs fence.

use std::collections::BTreeMap;

use keeper_proto::v1::{
    Epoch, Holder, Notice, SessionKey, notice,
    operation_result::{Done, Refused, Registered, Result as Answer},
    session_operation::{Operation, Register},
};

use super::state::Book;

/// A session that is registered; live while its incarnation is open.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) incarnation: u64,
    pub(crate) epoch: Epoch,
    pub(crate) register: Register,
}

pub(crate) type Sessions = BTreeMap<(Vec<u8>, Vec<u8>), Held>;

impl Book {
    /// Who lives: opened and not closed.
    pub(crate) fn is_open(&self, incarnation: u64) -> bool {
        self.opened.contains(&incarnation) && !self.closed.contains(&incarnation)
    }

    /// The live session of a user with one device.
    pub(crate) fn live(&self, user: &str) -> Option<&Held> {
        self.held(&super::sessions::key(user))
    }

    /// How many sessions an incarnation holds.
    pub(crate) fn count(&self, incarnation: u64) -> usize {
        self.sessions.values().filter(|it| self.is_open(it.incarnation) && it.incarnation == incarnation).count()
    }

    pub(crate) fn held(&self, key: &SessionKey) -> Option<&Held> {
        self.sessions.get(&names(key)).filter(|it| self.is_open(it.incarnation))
    }

    /// Registers as another gateway would.
    pub(crate) fn register_elsewhere(&mut self, user: &str, incarnation: u64) {
        if !self.opened.contains(&incarnation) {
            self.opened.push(incarnation);
        }
        self.revision += 1;
        let epoch = Epoch { revision: self.revision, position: 1 };
        let key = Some(super::sessions::key(user));
        let register = Register { key, connection: "elsewhere".into(), ..Register::default() };
        self.operate(incarnation, epoch, &Operation::Register(register));
    }

    pub(crate) fn end_by_kick(&mut self, user: &str) {
        let Some(held) = self.live(user).cloned() else { return };
        self.sessions.remove(&names(&super::sessions::key(user)));
        let cause = notice::Cause::Kicked(notice::Kick { reason: "spam".into(), author: "ops".into() });
        self.notify(&held, cause);
    }

    /// Another history begins: nothing of this one is known any more.
    pub(crate) fn rebuild(&mut self) {
        self.state_id += 1;
        self.opened.clear();
        self.closed.clear();
        self.names.clear();
        self.frames.clear();
        self.sessions.clear();
        self.notices.clear();
    }

    pub(crate) fn operate(&mut self, incarnation: u64, epoch: Epoch, operation: &Operation) -> Answer {
        match operation {
            Operation::Register(register) => self.register(incarnation, epoch, register),
            Operation::Unregister(it) => self.fenced(incarnation, it.key.as_ref(), it.epoch, |book, held| {
                book.ended.push((user(&held.register), it.cause));
                book.sessions.remove(&names(&held.register.key.clone().unwrap_or_default()));
            }),
            Operation::Bind(it) => self.fenced(incarnation, it.key.as_ref(), it.epoch, |book, held| {
                book.rebind(&held, |topics| topics.extend(it.topics.iter().cloned()));
            }),
            Operation::Unbind(it) => self.fenced(incarnation, it.key.as_ref(), it.epoch, |book, held| {
                book.rebind(&held, |topics| topics.retain(|topic| !it.topics.contains(topic)));
            }),
        }
    }

    fn register(&mut self, incarnation: u64, epoch: Epoch, register: &Register) -> Answer {
        let key = register.key.clone().unwrap_or_default();
        let present = self.held(&key).cloned();
        if let Some(reason) = self.refuse.get(&user(register)) {
            return refused(reason, None);
        }
        if let Some(present) = &present {
            if register.flushed.is_some() && present.register.flushed.is_none() {
                return refused("stale-epoch", Some(holder(present)));
            }
            if register.conn_seq.zip(present.register.conn_seq).is_some_and(|(given, newer)| given < newer) {
                return refused("stale-conn-seq", Some(holder(present)));
            }
        }
        let held = Held { incarnation, epoch, register: register.clone() };
        if let Some(present) = present.as_ref().filter(|it| it.incarnation != incarnation) {
            self.notify(present, notice::Cause::DisplacedBy(holder(&held)));
        }
        self.registered.push(key.user.to_vec());
        self.sessions.insert(names(&key), held);
        Answer::Registered(Registered { epoch: Some(epoch), displaced: present.as_ref().map(holder) })
    }

    fn fenced(
        &mut self,
        incarnation: u64,
        key: Option<&SessionKey>,
        epoch: Option<Epoch>,
        change: impl FnOnce(&mut Self, Held),
    ) -> Answer {
        let held = key.and_then(|key| self.held(key)).cloned();
        match held {
            Some(held) if held.incarnation == incarnation && Some(held.epoch) == epoch => {
                change(self, held);
                Answer::Done(Done {})
            }
            held => refused("stale-epoch", held.as_ref().map(holder)),
        }
    }

    fn rebind(&mut self, held: &Held, change: impl FnOnce(&mut Vec<bytes::Bytes>)) {
        let key = names(&held.register.key.clone().unwrap_or_default());
        if let Some(held) = self.sessions.get_mut(&key) {
            change(&mut held.register.topics);
        }
    }

    fn notify(&mut self, held: &Held, cause: notice::Cause) {
        let Held { incarnation, epoch, register } = held;
        let (key, connection) = (register.key.clone(), register.connection.clone());
        self.notices.push((*incarnation, Notice { key, epoch: Some(*epoch), connection, cause: Some(cause) }));
    }
}

fn names(key: &SessionKey) -> (Vec<u8>, Vec<u8>) {
    (key.user.to_vec(), key.slot.to_vec())
}

fn user(register: &Register) -> String {
    String::from_utf8_lossy(&register.key.clone().unwrap_or_default().user).into_owned()
}

fn holder(held: &Held) -> Holder {
    Holder {
        service: "room".into(),
        instance: format!("room-{}", held.incarnation),
        incarnation: held.incarnation,
        connection: held.register.connection.clone(),
        epoch: Some(held.epoch),
    }
}

fn refused(reason: &str, holder: Option<Holder>) -> Answer {
    let (reason, message) = (reason.to_owned(), format!("refused by the double: {reason}"));
    Answer::Refused(Refused { reason, message, holder, field: String::new() })
}
