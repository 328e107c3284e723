//! Schemas that were read before, by the hash of their bytes: reading one takes a thousand times as long as holding a
//! small value against it.
//!
//! A hash that two texts share gives each its own schema all the same: the bytes are compared.

use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::SchemaHash;
use quick_cache::sync::Cache;

use super::{Attached, Schema};
use crate::config::limits::COMPILED_KEPT;
use crate::format::{self, Format};
use crate::problem::chain;

/// What became of reading a text: what it says, or a sentence why nothing.
pub type Read<T> = Arc<Result<T, String>>;

/// A text and what became of reading it.
type Kept<T> = (Bytes, Read<T>);

/// Schemas that were read, the ones used last.
#[derive(Debug)]
pub struct Compiled {
    announced: Cache<SchemaHash, Kept<Schema>>,
    attached: Cache<SchemaHash, Kept<Attached>>,
}

impl Default for Compiled {
    fn default() -> Self {
        Self { announced: Cache::new(COMPILED_KEPT), attached: Cache::new(COMPILED_KEPT) }
    }
}

impl Compiled {
    /// A schema as a process announced it.
    #[must_use]
    pub fn announced(&self, text: &Bytes) -> Read<Schema> {
        kept(&self.announced, text, |text| Schema::read(text).map_err(|error| chain(&error)))
    }

    /// A schema as an admin attached it: the canonical value of its document.
    #[must_use]
    pub fn attached(&self, value: &Bytes) -> Read<Attached> {
        kept(&self.attached, value, |value| {
            let value = format::parse(Format::Json, &String::from_utf8_lossy(value)).map_err(|error| chain(&error))?;
            Attached::read(&value).map_err(|error| chain(&error))
        })
    }
}

fn kept<T>(cache: &Cache<SchemaHash, Kept<T>>, text: &Bytes, read: impl Fn(&[u8]) -> Result<T, String>) -> Read<T> {
    let hash = SchemaHash::of(text);
    if let Some((known, read)) = cache.get(&hash)
        && known == text
    {
        return read;
    }
    let read = Arc::new(read(text));
    cache.insert(hash, (text.clone(), Arc::clone(&read)));
    read
}
