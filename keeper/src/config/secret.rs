//! Secrets: single fields of documents that only lie sealed in the log, in snapshots, backups and history.
//!
//! A sealed field is a string, `keeper-secret:v1:KEY:BASE64`: the id of the key, and a random nonce with what
//! XChaCha20-Poly1305 makes of the value's canonical form. The key of the document and the field are authenticated with
//! it, so that a box opens nowhere but where it was sealed: moved to another field it stays shut. What a box shows is
//! that there is one, and how long the value is.
//!
//! Keys come in a ring: the last one seals, each of them opens what it sealed. A rotation appends a key; when all that
//! is kept was sealed anew, the old one may go. Keys are 32 random bytes and never derived from words.
//!
//! Chance is an argument here: whoever seals gives the nonces, and none twice under one key. They have 192 bits, so
//! that random ones may be relied on.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use data_encoding::BASE64;
use keeper_registry::SEALED_PREFIX;
use memchr::memmem;

use super::Field;
use super::limits::SECRET_KEYS_MAX;
use crate::format::{self, Format, Value, canonical};

/// What is shown in the place of a secret.
pub const MASK: &str = "••••••";

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 24;

const KEY_BYTES: usize = 32;
const KEY_ID_BYTES_MAX: usize = 32;

/// Keys, the newest last. Shown by their ids alone.
#[derive(Clone, Default)]
pub struct KeyRing(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

/// Why there is no ring, or a field is not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// A line of a ring. The key is not shown.
    #[error("key {0} of the ring is not written ID:KEY, with an id of [A-Za-z0-9_-] and 32 bytes in base64")]
    Key(usize),
    /// An id twice.
    #[error("the ring has two keys `{0}`")]
    Repeated(String),
    /// More keys than anybody rotates.
    #[error("the ring has {0} keys; the limit is {SECRET_KEYS_MAX}")]
    TooMany(usize),
    /// Nothing to seal with.
    #[error("{field} is a secret, and this node has no key to seal it with")]
    NoKey {
        /// The field.
        field: Field,
    },
    /// A secret is one value.
    #[error("{field} is a secret and has to be a text, a number or a boolean")]
    NotScalar {
        /// The field.
        field: Field,
    },
}

impl KeyRing {
    /// Reads a ring: `ID:KEY` on lines or behind commas, the newest last; `#` begins a comment on a line of its own.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let written = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|key| !key.is_empty());
        let mut keys: Vec<Key> = Vec::new();
        for (at, written) in written.enumerate() {
            let key = Key::parse(written).ok_or(SecretError::Key(at + 1))?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(SecretError::Repeated(key.id));
            }
            keys.push(key);
        }
        if keys.len() > SECRET_KEYS_MAX { Err(SecretError::TooMany(keys.len())) } else { Ok(Self(keys)) }
    }

    /// Whether nothing can be sealed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Seals fields of a document's value; what is sealed already with the newest key, and opens here, stays as it is.
    ///
    /// # Errors
    /// [`SecretError`]; the value is then half sealed and to be dropped.
    pub fn seal(
        &self,
        key: &str,
        value: &mut Value,
        fields: &[Field],
        mut nonce: impl FnMut() -> [u8; NONCE_BYTES],
    ) -> Result<(), SecretError> {
        for field in fields {
            let Some(secret) = field.of_mut(value) else { continue };
            let newest = self.0.last().ok_or_else(|| SecretError::NoKey { field: field.clone() })?;
            if matches!(secret, Value::Null | Value::Array(_) | Value::Object(_)) {
                return Err(SecretError::NotScalar { field: field.clone() });
            }
            if let Some(opened) = self.open(key, field, secret) {
                if is_sealed_with(secret, &newest.id) {
                    continue;
                }
                *secret = opened;
            }
            *secret = Value::String(newest.sealed(key, field, secret, nonce()));
        }
        Ok(())
    }

    /// Opens every sealed field of a document's value that these keys open; the others stay sealed. Says where all of
    /// them stand.
    pub fn reveal(&self, key: &str, value: &mut Value) -> Vec<Field> {
        let fields = sealed_fields(value);
        for field in &fields {
            if let Some(secret) = field.of_mut(value)
                && let Some(opened) = self.open(key, field, secret)
            {
                *secret = opened;
            }
        }
        fields
    }

    fn open(&self, key: &str, field: &Field, sealed: &Value) -> Option<Value> {
        let (id, sealed) = parts(sealed)?;
        let opener = self.0.iter().find(|key| key.id == id)?;
        let sealed = BASE64.decode(sealed.as_bytes()).ok()?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let bound = bound(key, field);
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        let opened = opener.cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
        format::parse(Format::Json, &String::from_utf8(opened).ok()?).ok()
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let (id, key) = text.split_once(':')?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_id = (1..=KEY_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain);
        let key = BASE64.decode(key.as_bytes()).ok().filter(|key| key.len() == KEY_BYTES && is_id)?;
        Some(Self { id: id.to_owned(), cipher: XChaCha20Poly1305::new_from_slice(&key).ok()? })
    }

    fn sealed(&self, key: &str, field: &Field, value: &Value, nonce: [u8; NONCE_BYTES]) -> String {
        let (bound, plain) = (bound(key, field), canonical(value));
        let payload = Payload { msg: &plain, aad: bound.as_bytes() };
        let Ok(mut sealed) = self.cipher.encrypt(XNonce::from_slice(&nonce), payload) else {
            unreachable!("a document is shorter than what the cipher can take")
        };
        sealed.splice(..0, nonce);
        format!("{SEALED_PREFIX}{}:{}", self.id, BASE64.encode(&sealed))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// What a box is bound to. No key of a document has a NUL.
fn bound(key: &str, field: &Field) -> String {
    format!("{key}\0{field}")
}

/// The id of the key, and what it sealed.
fn parts(value: &Value) -> Option<(&str, &str)> {
    let Value::String(text) = value else { return None };
    text.strip_prefix(SEALED_PREFIX)?.split_once(':')
}

fn is_sealed_with(value: &Value, id: &str) -> bool {
    parts(value).is_some_and(|(by, _)| by == id)
}

/// Whether a text or a canonical value may have sealed fields. Every publish asks it of all that is kept of its
/// documents.
#[must_use]
pub fn is_sealed(text: &[u8]) -> bool {
    memmem::find(text, SEALED_PREFIX.as_bytes()).is_some()
}

/// Whether a value is a sealed field.
#[must_use]
pub(super) fn is_box(value: &Value) -> bool {
    parts(value).is_some()
}

/// The id of the key that sealed a field; none: it is not sealed.
#[must_use]
pub fn key_of<'a>(value: &'a Value, field: &Field) -> Option<&'a str> {
    parts(field.of(value)?).map(|(id, _)| id)
}

/// Where sealed fields stand.
#[must_use]
pub fn sealed_fields(value: &Value) -> Vec<Field> {
    fn look(value: &Value, field: &Field, found: &mut Vec<Field>) {
        match value {
            Value::Object(entries) => entries.iter().for_each(|(name, value)| look(value, &field.name(name), found)),
            Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| look(item, &field.place(at), found)),
            Value::String(_) if parts(value).is_some() => found.push(field.clone()),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    look(value, &Field::default(), &mut found);
    found
}

/// A text with a mask in the place of every box.
#[must_use]
pub fn masked_text(text: &str) -> Cow<'_, str> {
    let Some((before, mut rest)) = text.split_once(SEALED_PREFIX) else { return Cow::Borrowed(text) };
    let mut masked = before.to_owned();
    let is_inside =
        |symbol: char| symbol.is_ascii_alphanumeric() || matches!(symbol, ':' | '_' | '-' | '+' | '/' | '=');
    loop {
        masked.push_str(MASK);
        let end = rest.find(|symbol| !is_inside(symbol)).unwrap_or(rest.len());
        let Some((between, after)) = rest[end..].split_once(SEALED_PREFIX) else {
            masked.push_str(&rest[end..]);
            return Cow::Owned(masked);
        };
        masked.push_str(between);
        rest = after;
    }
}

/// Shows a mask in the place of every sealed field.
pub fn mask(value: &mut Value) {
    for field in sealed_fields(value) {
        if let Some(secret) = field.of_mut(value) {
            *secret = Value::String(MASK.to_owned());
        }
    }
}
