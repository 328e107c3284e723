//! A question, read where it lies.
//!
//! The names of a frame's keys are ranges of the bytes that came in: asking about a thousand sessions costs two
//! allocations instead of thousands.

use std::ops::Range;

use bytes::{Buf, Bytes};
use keeper_proto::fields::{Fields, Unreadable, Value};
use keeper_proto::v1 as wire;
use keeper_registry::limits as registry_limits;
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::codec::DecodeBuf;

use crate::govern::{Held, Share};
use crate::limits;
use crate::problem::Problem;
use crate::rpc::from_proto;

/// `LookupRequest.keys` and `.users`.
const KEYS: u32 = 4;
const USERS: u32 = 5;

/// `SessionKey.user` and `.slot`.
const KEY_USER: u32 = 1;
const KEY_SLOT: u32 = 2;

/// A `LookupRequest`, checked by nobody yet.
#[derive(Debug)]
pub(in crate::rpc) struct Question {
    /// All of it but keys and users.
    pub(super) head: wire::LookupRequest,
    bytes: Bytes,
    keys: Vec<Key>,
    users: Vec<Range<usize>>,
    /// As long as it is here, its bytes are.
    held: Option<Held>,
}

#[derive(Debug, Clone, Default)]
struct Key {
    user: Range<usize>,
    slot: Range<usize>,
}

impl Question {
    pub(super) fn read(buffer: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Self::of(bytes).map_err(|error| Status::internal(error.to_string()))
    }

    /// Counts it among what its client has in memory here.
    pub(super) fn held_by(mut self, share: Option<&Share>) -> Self {
        self.held = share.map(|share| share.hold(self.bytes.len()));
        self
    }

    /// What is odd is left to generated code, which knows whether it can be meant, and what is wrong with it.
    pub(super) fn of(bytes: Bytes) -> Result<Self, DecodeError> {
        Self::in_place(&bytes).or_else(|Unreadable| wire::LookupRequest::decode(bytes).map(Self::from))
    }

    fn in_place(bytes: &Bytes) -> Result<Self, Unreadable> {
        // Neither keys nor users: little, and generated code reads it best.
        let mut rest = Vec::new();
        let (mut keys, mut users) = (Vec::new(), Vec::new());
        let mut fields = Fields::of(bytes);
        let mut start = 0;
        while let Some(field) = fields.next() {
            let end = bytes.len() - fields.left();
            match field? {
                (KEYS, Value::Bytes(key)) => keys.push(read_key(key, end - key.len())?),
                (USERS, Value::Bytes(user)) => users.push(end - user.len()..end),
                _ => rest.extend_from_slice(&bytes[start..end]),
            }
            start = end;
        }
        let head = wire::LookupRequest::decode(&rest[..]).map_err(|_| Unreadable)?;
        Ok(Self { head, bytes: bytes.clone(), keys, users, held: None })
    }

    /// How many results are wanted.
    pub(super) const fn len(&self) -> usize {
        self.keys.len() + self.users.len()
    }

    /// User and slot of each key.
    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.keys.iter().map(|key| (&self.bytes[key.user.clone()], &self.bytes[key.slot.clone()]))
    }

    pub(super) fn users(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.users.iter().map(|user| &self.bytes[user.clone()])
    }

    /// A name that nobody can have is a mistake, not a miss.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let asked = self.len();
        if asked > limits::LOOKUP_KEYS_MAX {
            let limit = limits::LOOKUP_KEYS_MAX;
            return Err(from_proto::invalid("keys", format!("{asked} keys and users; the limit is {limit} a frame")));
        }
        for (place, (user, slot)) in self.keys().enumerate() {
            from_proto::check_user(|| format!("keys[{place}].user"), user)?;
            from_proto::check_size(|| format!("keys[{place}].slot"), slot, registry_limits::SLOT_BYTES_MAX)?;
        }
        for (place, user) in self.users().enumerate() {
            from_proto::check_user(|| format!("users[{place}]"), user)?;
        }
        from_proto::check_size(|| "topic".to_owned(), &self.head.topic, registry_limits::TOPIC_BYTES_MAX)
    }
}

impl From<wire::LookupRequest> for Question {
    fn from(request: wire::LookupRequest) -> Self {
        let wire::LookupRequest { keys: named, users: all_of, .. } = request;
        let mut bytes = Vec::new();
        let mut append = |name: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(name);
            start..bytes.len()
        };
        let keys = named.iter().map(|key| Key { user: append(&key.user), slot: append(&key.slot) }).collect();
        let users = all_of.iter().map(|user| append(user)).collect();
        let head = wire::LookupRequest { keys: Vec::new(), users: Vec::new(), ..request };
        Self { head, bytes: bytes.into(), keys, users, held: None }
    }
}

/// A key whose first byte lies at `start`.
fn read_key(bytes: &[u8], start: usize) -> Result<Key, Unreadable> {
    let mut key = Key::default();
    let mut fields = Fields::of(bytes);
    while let Some(field) = fields.next() {
        let end = start + bytes.len() - fields.left();
        match field? {
            (KEY_USER, Value::Bytes(user)) => key.user = end - user.len()..end,
            (KEY_SLOT, Value::Bytes(slot)) => key.slot = end - slot.len()..end,
            (KEY_USER | KEY_SLOT, _) => return Err(Unreadable),
            _ => {}
        }
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request() -> impl Strategy<Value = wire::LookupRequest> {
        let name = || prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
        let key = (name(), name()).prop_map(|(user, slot)| wire::SessionKey { user, slot });
        let keys = prop::collection::vec(key, 0..20);
        (any::<u64>(), 0..4_i32, any::<u64>(), keys, prop::collection::vec(name(), 0..5), name()).prop_map(
            |(sequence, consistency, at_least, keys, users, topic)| wire::LookupRequest {
                sequence,
                consistency,
                at_least,
                keys,
                users,
                topic,
            },
        )
    }

    /// The message that a question is.
    fn message(question: &Question) -> wire::LookupRequest {
        let copied = Bytes::copy_from_slice;
        let key = |(user, slot)| wire::SessionKey { user: copied(user), slot: copied(slot) };
        let (keys, users) = (question.keys().map(key).collect(), question.users().map(copied).collect());
        wire::LookupRequest { keys, users, ..question.head.clone() }
    }

    proptest! {
        #[test]
        fn a_question_is_what_generated_code_would_read(request in request()) {
            let read = Question::of(request.encode_to_vec().into()).expect("it is a message");
            prop_assert_eq!(&message(&read), &request);
            prop_assert_eq!(message(&Question::from(request.clone())), request);
        }

        #[test]
        fn whatever_comes_is_read_or_refused_as_generated_code_does(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let read = Question::of(bytes.clone().into());
            prop_assert_eq!(read.is_ok(), wire::LookupRequest::decode(&bytes[..]).is_ok());
        }
    }
}
