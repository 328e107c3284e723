//! Session operations as they go to the wire.

use bytes::Bytes;
use keeper_proto::v1::{
    self,
    session_operation::{Bind, Operation, Register, Unbind, Unregister, unregister},
};

use crate::{Epoch, Registration, SessionKey};

pub(crate) fn register(registration: Registration) -> Operation {
    Operation::Register(self::registration(registration))
}

pub(crate) fn registration(registration: Registration) -> Register {
    let Registration { key, connection, conn_seq, topics, attributes, flushed } = registration;
    let attributes = (!attributes.is_empty()).then_some(v1::Attributes { values: attributes });
    let (user, slot) = key.into_parts();
    Register {
        key: Some(v1::SessionKey { user, slot }),
        connection,
        conn_seq,
        topics,
        attributes,
        flushed: flushed.map(epoch),
    }
}

pub(crate) fn unregister(key: &SessionKey, epoch: Epoch, cause: unregister::Cause) -> Operation {
    let (key, epoch) = (Some(self::key(key)), Some(self::epoch(epoch)));
    Operation::Unregister(Unregister { key, epoch, cause: cause.into() })
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

pub(crate) const fn epoch(epoch: Epoch) -> v1::Epoch {
    v1::Epoch { revision: epoch.revision, position: epoch.position }
}
