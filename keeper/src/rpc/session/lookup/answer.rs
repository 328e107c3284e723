//! An answer to a lookup, written as it goes out.
//!
//! A message of generated code is a dozen allocations a session, which take the node longer than finding it does. Here
//! each session is written once, under the state's lock, into one buffer; the fields of a message may come in any
//! order, so that what belongs to the whole answer follows behind. What is seldom (sessions that are not live) is left
//! to generated code.

use keeper_proto::v1 as wire;
use keeper_registry::{Formerly, SessionView};
use prost::encoding::{encode_varint, encoded_len_varint, message};
use prost::{DecodeError, Message};

use crate::rpc::to_proto::{self, Owners};

/// `LookupReply.keys` and `.users`.
const KEYS: u32 = 6;
const USERS: u32 = 7;

/// `Found.session` and `FoundAll.sessions`, `.formerly`.
const SESSIONS: u32 = 1;
const FORMERLY: u32 = 2;

/// Bytes of a typical session; only a capacity hint.
const SESSION_BYTES_TYPICAL: usize = 80;

/// An encoded `LookupReply`.
#[derive(Debug)]
pub(in crate::rpc) struct LookupAnswer(Vec<u8>);

/// An answer in the making: a result for each key, then one for each user.
#[derive(Debug)]
pub(super) struct AnswerWriter {
    bytes: Vec<u8>,
    owners: Owners,
    /// One session, or all of a user, before their length is known.
    scratch: Vec<u8>,
}

impl LookupAnswer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// For those who want the message after all.
    pub(super) fn decode(&self) -> Result<wire::LookupReply, DecodeError> {
        wire::LookupReply::decode(self.bytes())
    }
}

impl AnswerWriter {
    pub(super) fn with_capacity(sessions: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(sessions * SESSION_BYTES_TYPICAL),
            owners: Owners::default(),
            scratch: Vec::with_capacity(2 * SESSION_BYTES_TYPICAL),
        }
    }

    /// The result of a key: a live session, or nobody.
    pub(super) fn key(&mut self, session: Option<&SessionView<'_>>) {
        self.scratch.clear();
        if let Some(session) = session {
            let owner = self.owners.index_of(session.owner());
            write_session(session, owner, &mut self.scratch);
            open(&mut self.bytes, KEYS, sized(self.scratch.len()));
            put(&mut self.bytes, SESSIONS, &self.scratch);
        } else {
            open(&mut self.bytes, KEYS, 0);
        }
    }

    /// The result of a key whose session is not live.
    pub(super) fn former_key(&mut self, formerly: &Formerly<'_>) {
        let formerly = Some(to_proto::formerly(formerly, None, &mut self.owners));
        message::encode(KEYS, &wire::lookup_reply::Found { session: None, formerly }, &mut self.bytes);
    }

    /// The result of a user.
    pub(super) fn user<'a>(
        &mut self,
        sessions: impl Iterator<Item = &'a SessionView<'a>>,
        formerly: impl Iterator<Item = &'a Formerly<'a>>,
    ) {
        let (mut all, mut one) = (Vec::new(), std::mem::take(&mut self.scratch));
        for session in sessions {
            one.clear();
            write_session(session, self.owners.index_of(session.owner()), &mut one);
            put(&mut all, SESSIONS, &one);
        }
        for formerly in formerly {
            message::encode(FORMERLY, &to_proto::formerly(formerly, None, &mut self.owners), &mut all);
        }
        put(&mut self.bytes, USERS, &all);
        self.scratch = one;
    }

    /// With what holds for all results.
    pub(super) fn finish(mut self, head: wire::LookupReply) -> LookupAnswer {
        wire::LookupReply { owners: self.owners.finish(), ..head }.encode_raw(&mut self.bytes);
        LookupAnswer(self.bytes)
    }
}

/// Writes the fields of a `Session`.
fn write_session(view: &SessionView<'_>, owner: u32, bytes: &mut Vec<u8>) {
    let (user, slot, epoch) = (view.user(), view.slot(), to_proto::epoch(view.epoch()));
    open(bytes, 1, sized(user.len()) + if slot.is_empty() { 0 } else { sized(slot.len()) });
    put(bytes, 1, user);
    put_some(bytes, 2, slot);
    number(bytes, 2, owner.into());
    put_some(bytes, 3, view.connection());
    open(bytes, 4, epoch.encoded_len());
    number(bytes, 1, epoch.revision);
    number(bytes, 2, epoch.position.into());
    if let Some(conn_seq) = view.conn_seq() {
        // A count of zero is another thing than none.
        bytes.push(5 << 3);
        encode_varint(conn_seq, bytes);
    }
    for topic in view.topics() {
        put(bytes, 6, topic);
    }
    // As `from_proto` encoded them.
    put_some(bytes, 7, view.attributes());
    number(bytes, 8, view.registered_at().0);
}

/// What a field with so many bytes takes. Every field here has a number below 16, so that its key is one byte.
const fn sized(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

/// Begins a field of so many bytes.
fn open(bytes: &mut Vec<u8>, field: u32, length: usize) {
    bytes.push((field << 3 | 2) as u8);
    encode_varint(length as u64, bytes);
}

fn put(bytes: &mut Vec<u8>, field: u32, value: &[u8]) {
    open(bytes, field, value.len());
    bytes.extend_from_slice(value);
}

/// The same, but for what is empty.
fn put_some(bytes: &mut Vec<u8>, field: u32, value: &[u8]) {
    if !value.is_empty() {
        put(bytes, field, value);
    }
}

/// A number that is absent when it is zero.
fn number(bytes: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        bytes.push((field << 3) as u8);
        encode_varint(value, bytes);
    }
}

#[cfg(test)]
mod tests;
