//! A registration as a gateway keeps it: one block of bytes.
//!
//! A gateway holds up to a million connections and looks at a registration twice in its life, so it keeps what goes to
//! the wire, encoded, behind the key: the lengths of user and slot in a byte each, both names, then the rest.

use bytes::Bytes;
use keeper_proto::v1::session_operation::{Operation, Register};
use prost::Message;

use crate::{Epoch, Registration, SessionKey, limits, session::to_proto};

/// The lengths of a user and of a slot lie in a byte each.
const _: () = assert!(limits::USER_BYTES_MAX < 256 && limits::SLOT_BYTES_MAX < 256);

const HEAD_BYTES: usize = 2;

/// A registration without the epochs that its lives give it.
#[derive(Debug)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    pub(super) fn new(registration: Registration) -> Self {
        let key = registration.key.clone();
        let registration = to_proto::registration(registration);
        Self::of(&key, &Register { key: None, flushed: None, ..registration })
    }

    fn of(key: &SessionKey, rest: &Register) -> Self {
        let (user, slot) = (key.user(), key.slot());
        let mut bytes = Vec::with_capacity(HEAD_BYTES + user.len() + slot.len() + rest.encoded_len());
        // Names are checked where keys are made.
        bytes.extend([user.len(), slot.len()].map(|length| u8::try_from(length).unwrap_or(u8::MAX)));
        bytes.extend_from_slice(user);
        bytes.extend_from_slice(slot);
        bytes.extend_from_slice(&rest.encode_to_vec());
        Self(bytes.into())
    }

    fn split(&self) -> (&[u8], &[u8], &[u8]) {
        let (head, names) = self.0.split_at(HEAD_BYTES);
        let (user, names) = names.split_at(usize::from(head[0]));
        let (slot, rest) = names.split_at(usize::from(head[1]));
        (user, slot, rest)
    }

    /// Lengths and names: equal for equal keys and for no others.
    pub(super) fn key_bytes(&self) -> &[u8] {
        let (user, slot, _) = self.split();
        &self.0[..HEAD_BYTES + user.len() + slot.len()]
    }

    pub(super) fn key(&self) -> SessionKey {
        let (user, slot, _) = self.split();
        SessionKey::trusted(Bytes::copy_from_slice(user), Bytes::copy_from_slice(slot))
    }

    /// The application's own name for the connection.
    pub(super) fn connection(&self) -> Bytes {
        self.rest().connection
    }

    pub(super) fn conn_seq(&self) -> Option<u64> {
        self.rest().conn_seq
    }

    /// The operation that registers it.
    pub(super) fn operation(&self, flushed: Option<Epoch>) -> Operation {
        let (key, flushed) = (Some(to_proto::key(&self.key())), flushed.map(to_proto::epoch));
        Operation::Register(Register { key, flushed, ..self.rest() })
    }

    /// The same with these topics too.
    pub(super) fn bound(&self, topics: &[Bytes]) -> Self {
        let mut rest = self.rest();
        let added: Vec<_> = topics.iter().filter(|topic| !rest.topics.contains(topic)).cloned().collect();
        rest.topics.extend(added);
        Self::of(&self.key(), &rest)
    }

    /// The same without these topics.
    pub(super) fn unbound(&self, topics: &[Bytes]) -> Self {
        let mut rest = self.rest();
        rest.topics.retain(|topic| !topics.contains(topic));
        Self::of(&self.key(), &rest)
    }

    fn rest(&self) -> Register {
        let (_, _, rest) = self.split();
        // It was encoded here.
        Register::decode(Bytes::copy_from_slice(rest)).unwrap_or_default()
    }
}

/// The bytes by which [`Packed::key_bytes`] finds a key.
pub(super) fn key_bytes(key: &SessionKey) -> Box<[u8]> {
    // Nothing else is in it.
    Packed::of(key, &Register::default()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::to_proto::register;

    fn registration(user: &'static str, slot: &'static str) -> Registration {
        let key = SessionKey::new(user, slot).expect("short names");
        Registration::new(key).connection("17").conn_seq(4).topic("news").attribute("net", "wifi")
    }

    #[test]
    fn what_is_packed_goes_to_the_wire_as_it_was() {
        let packed = Packed::new(registration("ann", "phone"));
        assert_eq!(packed.operation(None), register(registration("ann", "phone")));
        assert_eq!((packed.connection(), packed.conn_seq()), ("17".into(), Some(4)));
        let epoch = Epoch { revision: 7, position: 3 };
        assert_eq!(packed.operation(Some(epoch)), register(registration("ann", "phone").flushed(epoch)));
    }

    #[test]
    fn topics_come_and_go() {
        let packed = Packed::new(registration("ann", "")).bound(&["news".into(), "chat".into()]);
        assert_eq!(packed.rest().topics, ["news", "chat"]);
        assert_eq!(packed.unbound(&["news".into()]).rest().topics, ["chat"]);
        assert_eq!(packed.key_bytes(), Packed::new(registration("ann", "")).key_bytes());
    }

    #[test]
    fn keys_are_told_apart_by_where_the_slot_begins() {
        let (one, other) = (Packed::new(registration("ab", "c")), Packed::new(registration("a", "bc")));
        assert_ne!(one.key_bytes(), other.key_bytes());
    }

    #[test]
    fn a_typical_registration_is_small() {
        let key = SessionKey::of_user("0123456789abcdef").expect("a short name");
        let packed = Packed::new(Registration::new(key).connection("12345678").topic("news"));
        assert!(packed.0.len() <= 40, "{} bytes", packed.0.len());
    }
}
