//! Session operations as they go to the wire.

use bytes::Bytes;
use keeper_proto::v1::{
    self,
    session_operation::{Bind, Operation, Register, Unbind, Unregister},
};

use crate::{Epoch, Registration, SessionKey};

pub(crate) fn register(registration: Registration) -> Operation {
    let Registration { key, connection, conn_seq, topics, attributes } = registration;
    let attributes = (!attributes.is_empty()).then(|| v1::Attributes { values: attributes.into_iter().collect() });
    Operation::Register(Register { key: Some(self::key(&key)), connection, conn_seq, topics, attributes })
}

pub(crate) fn unregister(key: &SessionKey, epoch: Epoch) -> Operation {
    Operation::Unregister(Unregister { key: Some(self::key(key)), epoch: Some(self::epoch(epoch)) })
}

pub(crate) fn bind(key: &SessionKey, epoch: Epoch, topics: Vec<Bytes>) -> Operation {
    Operation::Bind(Bind { key: Some(self::key(key)), epoch: Some(self::epoch(epoch)), topics })
}

pub(crate) fn unbind(key: &SessionKey, epoch: Epoch, topics: Vec<Bytes>) -> Operation {
    Operation::Unbind(Unbind { key: Some(self::key(key)), epoch: Some(self::epoch(epoch)), topics })
}

pub(crate) fn key(key: &SessionKey) -> v1::SessionKey {
    v1::SessionKey { user: key.user().clone(), slot: key.slot().clone() }
}

const fn epoch(epoch: Epoch) -> v1::Epoch {
    v1::Epoch { revision: epoch.revision, position: epoch.position }
}
