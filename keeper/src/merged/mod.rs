//! Effective documents as they are given to instances, made once for all who have the same layers.
//!
//! Thousands of instances follow a document, in a handful of zones and with a handful of labels. What they run with is
//! computed when the first of them asks, and so are the bytes it travels as; the others take it. Layers are pointed at
//! while the state is held ([`Layered::of`]) and read, opened and merged behind it ([`Merges::of`]).
//!
//! Invariant: what is made depends on the layers, the keys of this node and the schema the instance reads by, all of
//! which are in the key. So what is kept is never stale, and forgetting it costs time alone.
//!
//! A document whose secrets do not all open here is given to nobody: a process would take the box for the value.

mod key;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{Format, Layer, Revision};
use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use key::Key;
pub use key::Layered;

use crate::config::limits::EFFECTIVE_BYTES_MAX;
use crate::config::schema::Compiled;
use crate::config::secret::{KeyRing, is_sealed, sealed_fields};
use crate::config::{Field, effective};
use crate::format::{self, Value, canonical};
use crate::limits::{MERGED_BYTES_KEPT, MERGED_KEPT};
use crate::problem::Problem;

/// What a kept document takes beside its bytes.
const KEPT_BYTES_FIXED: u64 = 512;

/// Makes effective documents, and keeps the ones that were asked for last.
#[derive(Debug)]
pub struct Merges {
    kept: Cache<Key, Kept, Weights>,
    keys: Arc<KeyRing>,
    compiled: Arc<Compiled>,
}

type Kept = Result<Arc<Merged>, MergeError>;

/// An effective document.
#[derive(Debug)]
pub struct Merged {
    /// The canonical value, secrets open.
    value: Bytes,
    digest: u128,
    written: Mutex<Option<Written>>,
}

/// What a document travels as, for one revision of it.
#[derive(Debug, Clone)]
struct Written {
    revision: Revision,
    rollout: Option<u64>,
    bytes: Bytes,
}

/// Why there is no effective document to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A layer is no value.
    #[error("{key} is published and cannot be read: publish it anew")]
    Unreadable {
        /// Which.
        key: String,
    },
    /// A secret does not open.
    #[error("this node has no key that opens {field} of {key}")]
    Sealed {
        /// Of which layer.
        key: String,
        /// Which field.
        field: Field,
    },
    /// Layers make a document that is too large together.
    #[error("{path}: the effective document has {bytes} bytes; the limit is {EFFECTIVE_BYTES_MAX}")]
    TooLarge {
        /// Of which path.
        path: Arc<str>,
        /// How large.
        bytes: usize,
    },
}

impl Merges {
    /// None made yet. Secrets are opened with these keys.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, compiled: Arc<Compiled>) -> Self {
        let kept = Cache::with_weighter(MERGED_KEPT, MERGED_BYTES_KEPT, Weights);
        Self { kept, keys, compiled }
    }

    /// The document that these layers make; none if there are no layers.
    ///
    /// # Errors
    /// [`MergeError`]; other nodes may have the key that is missing here.
    pub fn of(&self, layered: &Layered) -> Result<Option<Arc<Merged>>, MergeError> {
        if layered.is_empty() {
            return Ok(None);
        }
        let made = self.kept.get_or_insert_with(layered.key(), || {
            Ok::<_, std::convert::Infallible>(self.merge(layered).map(|value| Arc::new(Merged::new(value))))
        });
        match made {
            Ok(kept) => kept.map(Some),
        }
    }

    /// Whether two sets of layers make the same document. What cannot be made is like no other.
    #[must_use]
    pub fn are_same(&self, one: &Layered, other: &Layered) -> bool {
        if one.key() == other.key() {
            return true;
        }
        let digest = |layered| self.of(layered).map(|merged| merged.map(|merged| merged.digest));
        matches!((digest(one), digest(other)), (Ok(one), Ok(other)) if one == other)
    }

    fn merge(&self, layered: &Layered) -> Result<Bytes, MergeError> {
        if let Some(alone) = layered.alone().filter(|value| !is_sealed(value)) {
            return Ok(alone.clone());
        }
        let mut parts = Vec::new();
        for (layer, format, canonical) in layered.parts() {
            let key = layer.key(layered.path());
            let value = std::str::from_utf8(canonical).ok().and_then(|text| format::parse(Format::Json, text).ok());
            let mut value = value.ok_or_else(|| MergeError::Unreadable { key: key.clone() })?;
            if is_sealed(canonical) {
                self.keys.reveal(&key, &mut value);
                if let Some(field) = sealed_fields(&value).into_iter().next() {
                    return Err(MergeError::Sealed { key, field });
                }
            }
            parts.push((layer, format, value));
        }
        let merged = effective(parts.iter().map(|(layer, _, value)| (*layer, value)));
        let Some(merged) = merged else { return Ok(canonical(&Value::Null)) };
        let is_untyped = |layer: &Layer| parts.iter().any(|(it, format, _)| **it == *layer && *format == Format::Ini);
        let untyped = merged.provenance.iter().filter(|(_, layer)| is_untyped(layer));
        let untyped: Vec<_> = untyped.map(|(field, _)| field.clone()).collect();
        let value = canonical(&self.typed(layered, merged.value, &untyped));
        match value.len() {
            bytes if bytes > EFFECTIVE_BYTES_MAX && parts.len() > 1 => {
                Err(MergeError::TooLarge { path: Arc::clone(layered.path()), bytes })
            }
            _ => Ok(value),
        }
    }

    /// What comes from a format without types is what the reader's schema asks for.
    fn typed(&self, layered: &Layered, value: Value, untyped: &[Field]) -> Value {
        let Some(schema) = layered.schema().filter(|_| !untyped.is_empty()) else { return value };
        match self.compiled.announced(schema).as_ref() {
            Ok(schema) => schema.typed(&value, untyped),
            Err(_) => value,
        }
    }
}

impl Merged {
    pub(crate) fn new(value: Bytes) -> Self {
        let digest = xxhash_rust::xxh3::xxh3_128(&value);
        Self { value, digest, written: Mutex::new(None) }
    }

    /// The canonical value, secrets open.
    #[must_use]
    pub const fn value(&self) -> &Bytes {
        &self.value
    }

    /// Equal for equal values, and for no others that anybody will see.
    #[must_use]
    pub const fn digest(&self) -> u128 {
        self.digest
    }

    /// What it travels as at a revision; `write` is asked once for all who have it at the same.
    pub fn written(&self, revision: Revision, rollout: Option<u64>, write: impl FnOnce(&Bytes) -> Bytes) -> Bytes {
        let mut written = self.written.lock();
        match &*written {
            Some(known) if (known.revision, known.rollout) == (revision, rollout) => known.bytes.clone(),
            Some(_) | None => {
                let bytes = write(&self.value);
                *written = Some(Written { revision, rollout, bytes: bytes.clone() });
                bytes
            }
        }
    }
}

impl From<MergeError> for Problem {
    fn from(error: MergeError) -> Self {
        match &error {
            MergeError::Sealed { .. } => Self::Locked { message: error.to_string() },
            MergeError::Unreadable { .. } => Self::Declined { reason: "unreadable", message: error.to_string() },
            MergeError::TooLarge { .. } => Self::Declined { reason: "too-large", message: error.to_string() },
        }
    }
}

/// Bytes in memory: the value, what it travels as, and what leads to them.
#[derive(Debug, Clone)]
struct Weights;

impl Weighter<Key, Kept> for Weights {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let value = kept.as_ref().map_or(0, |merged| merged.value.len());
        2 * value as u64 + key.bytes() + KEPT_BYTES_FIXED
    }
}
