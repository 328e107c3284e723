//! A reply as it is on the wire, written fact by fact.
//!
//! Only one fact at a time is a message: a frame of them would be a dozen times as large as what is sent.

use bytes::{BufMut, Bytes, BytesMut};
use keeper_proto::v1 as wire;
use keeper_registry::PresenceFact;
use prost::Message;
use prost::encoding::message;

use crate::limits::PRESENCE_FRAME_BYTES;
use crate::rpc::encoded::{self, PREFIX_BYTES};
use crate::rpc::presence::facts::Places;

/// The number of `PresenceReply.facts`.
const FACTS: u32 = 1;

/// What a frame holds behind its facts, as a rule: a token and some places.
const TAIL_BYTES: usize = 512;

/// A reply as it is on the wire. Shared by all who are told it.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(super) bytes: Bytes,
    pub(super) facts: u64,
}

/// A frame in the making.
#[derive(Debug, Default)]
pub(super) struct FrameWriter {
    bytes: BytesMut,
    places: Places,
    facts: usize,
}

impl Frame {
    /// The message in it.
    pub(super) fn message(&self) -> Bytes {
        self.bytes.slice(PREFIX_BYTES..)
    }
}

impl FrameWriter {
    pub(super) fn is_full(&self, facts_max: usize) -> bool {
        self.bytes.len() >= PRESENCE_FRAME_BYTES || self.facts >= facts_max
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.facts == 0
    }

    pub(super) fn push(&mut self, fact: &PresenceFact<'_>, topics: Vec<Bytes>) {
        self.begin(PRESENCE_FRAME_BYTES + TAIL_BYTES);
        message::encode(FACTS, &self.places.fact(fact, topics), &mut self.bytes);
        self.facts += 1;
    }

    /// Leaves room for the prefix, which is known at the end.
    fn begin(&mut self, capacity: usize) {
        if self.bytes.is_empty() {
            self.bytes.reserve(capacity);
            self.bytes.put_bytes(0, PREFIX_BYTES);
        }
    }

    /// Writes what goes with the facts. The fields of a message may come in any order, and in parts.
    pub(super) fn finish(mut self, reply: wire::PresenceReply) -> Frame {
        let rest = wire::PresenceReply { places: std::mem::take(&mut self.places).finish(), ..reply };
        self.begin(PREFIX_BYTES + rest.encoded_len());
        rest.encode_raw(&mut self.bytes);
        let length = self.bytes.len() - PREFIX_BYTES;
        self.bytes[..PREFIX_BYTES].copy_from_slice(&encoded::prefix(length));
        Frame { bytes: self.bytes.freeze(), facts: self.facts as u64 }
    }
}
