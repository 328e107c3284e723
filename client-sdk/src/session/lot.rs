//! Sessions as they lie in the bytes of an answer.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use keeper_proto::{
    fields::{Fields, Value},
    v1::{self, lookup_reply},
};
use prost::Message;

use crate::{Epoch, Error, FormerState, Formerly, Owner, Session, SessionKey};

/// Bytes in which sessions lie, and the owners they name by their places. What is read from them shares them.
#[derive(Debug, Clone)]
pub(crate) struct Lot {
    pub(crate) bytes: Bytes,
    pub(crate) owners: Arc<[Arc<Owner>]>,
}

impl Lot {
    /// A `keeper.v1.Session`; its bytes lie in these.
    pub(crate) fn session(&self, bytes: &[u8]) -> Result<Session, Error> {
        let (mut key, mut owner, mut epoch) = (None, 0, None);
        let (mut connection, mut conn_seq, mut registered_at_ms) = (Bytes::new(), None, 0);
        let (mut topics, mut attributes) = (Vec::new(), BTreeMap::new());
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Bytes(it)) => key = Some(it),
                (2, Value::Number(it)) => owner = it,
                (3, Value::Bytes(it)) => connection = self.shared(it),
                (4, Value::Bytes(it)) => epoch = Some(it),
                (5, Value::Number(it)) => conn_seq = Some(it),
                (6, Value::Bytes(it)) => topics.push(self.shared(it)),
                (7, Value::Bytes(it)) => attributes = attributes_of(it)?,
                (8, Value::Number(it)) => registered_at_ms = it,
                _ => {}
            }
        }
        let key = self.session_key(key.unwrap_or_default())?;
        let (owner, epoch) = (self.owner(owner)?, self::epoch(epoch.unwrap_or_default())?);
        Ok(Session { key, owner, connection, epoch, conn_seq, topics, attributes, registered_at_ms })
    }

    /// A `keeper.v1.LookupReply.Formerly`; its bytes lie in these.
    pub(crate) fn formerly(&self, bytes: &[u8]) -> Result<Formerly, Error> {
        use lookup_reply::formerly::State;
        let (mut session, mut is_unconfirmed, mut until_ms) = (None, false, 0);
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Bytes(it)) => session = Some(self.session(it)?),
                (2, Value::Number(it)) => is_unconfirmed = it == State::Unconfirmed as u64,
                (3, Value::Number(it)) => until_ms = it,
                _ => {}
            }
        }
        let session = session.ok_or_else(|| Error::malformed("a former session without the session"))?;
        let state = if is_unconfirmed { FormerState::Unconfirmed } else { FormerState::Lingering { until_ms } };
        Ok(Formerly { session, state })
    }

    fn session_key(&self, bytes: &[u8]) -> Result<SessionKey, Error> {
        let (mut user, mut slot) = (Bytes::new(), Bytes::new());
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Bytes(it)) => user = self.shared(it),
                (2, Value::Bytes(it)) => slot = self.shared(it),
                _ => {}
            }
        }
        Ok(SessionKey::trusted(user, slot))
    }

    fn owner(&self, index: u64) -> Result<Arc<Owner>, Error> {
        let owner = usize::try_from(index).ok().and_then(|index| self.owners.get(index));
        owner.cloned().ok_or_else(|| Error::malformed("a session without its owner"))
    }

    fn shared(&self, part: &[u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }
}

fn epoch(bytes: &[u8]) -> Result<Epoch, Error> {
    let mut epoch = Epoch { revision: 0, position: 0 };
    for field in Fields::of(bytes) {
        match field? {
            (1, Value::Number(it)) => epoch.revision = it,
            (2, Value::Number(it)) => epoch.position = u32::try_from(it).unwrap_or(u32::MAX),
            _ => {}
        }
    }
    Ok(epoch)
}

/// Few sessions have any.
fn attributes_of(bytes: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    let attributes = v1::Attributes::decode(bytes).map_err(|error| Error::malformed(error.to_string()))?;
    Ok(attributes.values.into_iter().collect())
}
