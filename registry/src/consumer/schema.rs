//! Schemas that processes announced, by the hash of their bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::digest::{Digest, Kind, Sum};

/// The hash of a schema's bytes, 128 bits of xxh3, big-endian. It tells schemas apart that processes made in good
/// faith; it is no defence against one made to collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaHash(pub [u8; 16]);

impl SchemaHash {
    /// Of a schema, as it was written.
    #[must_use]
    pub fn of(schema: &[u8]) -> Self {
        Self(xxh3_128(schema).to_be_bytes())
    }
}

impl std::fmt::Display for SchemaHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A schema that open incarnations read by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Of its bytes.
    pub hash: SchemaHash,
    /// As announced: a JSON Schema, which is not read here.
    pub bytes: Bytes,
}

/// Every schema that a kind names, once.
#[derive(Debug, Default)]
pub(super) struct HeldSchemas {
    held: BTreeMap<SchemaHash, Held>,
    bytes: usize,
    sum: Sum,
}

#[derive(Debug)]
struct Held {
    bytes: Bytes,
    /// How many kinds' documents name it.
    uses: usize,
}

impl HeldSchemas {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Of all schemas.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum.value()
    }

    pub(super) fn get(&self, hash: SchemaHash) -> Option<&Bytes> {
        self.held.get(&hash).map(|held| &held.bytes)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Schema> {
        self.held.iter().map(|(hash, held)| Schema { hash: *hash, bytes: held.bytes.clone() })
    }

    /// Takes one in that nobody names yet; false when it is there.
    pub(super) fn insert(&mut self, bytes: &[u8]) -> bool {
        let hash = SchemaHash::of(bytes);
        if self.held.contains_key(&hash) {
            return false;
        }
        self.bytes += bytes.len();
        self.sum.add(digest(bytes));
        // Of its own memory: what it came in goes with the log.
        self.held.insert(hash, Held { bytes: Bytes::copy_from_slice(bytes), uses: 0 });
        true
    }

    pub(super) fn acquire(&mut self, hash: SchemaHash) {
        if let Some(held) = self.held.get_mut(&hash) {
            held.uses += 1;
        }
    }

    /// Dropped with the last use.
    pub(super) fn release(&mut self, hash: SchemaHash) {
        let Some(held) = self.held.get_mut(&hash) else { return };
        held.uses -= 1;
        if held.uses > 0 {
            return;
        }
        if let Some(held) = self.held.remove(&hash) {
            self.bytes -= held.bytes.len();
            self.sum.subtract(digest(&held.bytes));
        }
    }
}

fn digest(schema: &[u8]) -> u64 {
    Digest::of(Kind::Schema).bytes(schema).finish()
}
