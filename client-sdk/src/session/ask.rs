//! What a caller wants to know, written as it goes out: whoever asks does so in its own time, and the worker that forms
//! frames only puts the bytes together.

use bytes::BufMut;
use prost::encode_length_delimiter;
use tonic::{Status, codec::EncodeBuf};

use crate::{SessionKey, connection::Outgoing};

/// The fields of `keeper.v1.LookupRequest` and `SessionKey` that are written here.
const KEYS: u8 = 4;
const USERS: u8 = 5;
const KEY_USER: u8 = 1;
const KEY_SLOT: u8 = 2;

/// One question.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) shape: Shape,
    /// Its fields of the request.
    pub(crate) fields: Vec<u8>,
}

/// Which parts of an answer belong to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// So many keys.
    Keys(usize),
    /// One user.
    User,
}

/// A request as it goes out.
#[derive(Debug)]
pub(crate) struct Encoded(pub(crate) Vec<u8>);

impl Ask {
    /// About keys, at most `limits::FRAME_OPERATIONS_MAX`; about none it asks only for the revision.
    pub(crate) fn keys(keys: &[SessionKey]) -> Self {
        let mut fields = Vec::with_capacity(keys.iter().map(|key| key.user().len() + key.slot().len() + 8).sum());
        for key in keys {
            let slot = if key.slot().is_empty() { 0 } else { sized(key.slot()) };
            open(&mut fields, KEYS, sized(key.user()) + slot);
            put(&mut fields, KEY_USER, key.user());
            if slot > 0 {
                put(&mut fields, KEY_SLOT, key.slot());
            }
        }
        Self { shape: Shape::Keys(keys.len()), fields }
    }

    /// About all devices of a user.
    pub(crate) fn user(user: &[u8]) -> Self {
        let mut fields = Vec::with_capacity(user.len() + 2);
        put(&mut fields, USERS, user);
        Self { shape: Shape::User, fields }
    }
}

impl Shape {
    /// How much of a frame it takes.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Keys(count) => count,
            Self::User => 1,
        }
    }
}

impl Outgoing for Encoded {
    fn write(&self, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&self.0);
        Ok(())
    }
}

/// What a name takes as a field.
fn sized(name: &[u8]) -> usize {
    1 + prost::length_delimiter_len(name.len()) + name.len()
}

fn put(fields: &mut Vec<u8>, field: u8, name: &[u8]) {
    open(fields, field, name.len());
    fields.extend_from_slice(name);
}

/// Begins a field of so many bytes.
fn open(fields: &mut Vec<u8>, field: u8, length: usize) {
    fields.push(field << 3 | 2);
    // A vector has room for everything.
    let _ = encode_length_delimiter(length, fields);
}

#[cfg(test)]
mod tests {
    use keeper_proto::v1::LookupRequest;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::session::to_proto;

    proptest! {
        #[test]
        fn a_question_is_what_generated_code_would_write(
            names in prop::collection::vec(("[a-z]{1,128}", "[a-z]{0,32}"), 0..20),
            user in "[a-z]{1,128}",
        ) {
            let key = |(user, slot): (String, String)| SessionKey::trusted(user.into(), slot.into());
            let keys: Vec<_> = names.into_iter().map(key).collect();
            let request = LookupRequest { keys: keys.iter().map(to_proto::key).collect(), ..LookupRequest::default() };
            prop_assert_eq!(Ask::keys(&keys).fields, request.encode_to_vec());
            let request = LookupRequest { users: vec![user.clone().into()], ..LookupRequest::default() };
            prop_assert_eq!(Ask::user(user.as_bytes()).fields, request.encode_to_vec());
        }
    }
}
