//! Names and sizes against their limits.
//!
//! A client's mistakes are found by the proposer too, for a better message; what counts is found here, because an entry
//! that is in the log is applied by every node, whatever proposed it.

use crate::{Layer, Level, Rejection, config::layer, limits};

pub(crate) fn size(field: &'static str, actual: usize, limit: usize) -> Result<(), Rejection> {
    if actual <= limit {
        return Ok(());
    }
    Err(Rejection::TooLarge { field, actual: actual as u64, limit: limit as u64 })
}

/// A number between two others.
pub(crate) fn range(field: &'static str, actual: u64, min: u64, max: u64) -> Result<(), Rejection> {
    if (min..=max).contains(&actual) {
        return Ok(());
    }
    Err(Rejection::OutOfRange { field, actual, min, max })
}

/// Any bytes but none.
pub(crate) fn bytes(field: &'static str, bytes: &[u8], limit: usize) -> Result<(), Rejection> {
    if bytes.is_empty() {
        return Err(Rejection::BadName { field });
    }
    size(field, bytes.len(), limit)
}

/// Characters that need no quoting in a path, a label or a shell.
pub(crate) fn name(field: &'static str, text: &str) -> Result<(), Rejection> {
    size(field, text.len(), limits::NAME_BYTES_MAX)?;
    if is_plain(text) { Ok(()) } else { Err(Rejection::BadName { field }) }
}

pub(crate) fn path(text: &str) -> Result<(), Rejection> {
    path_named("path", text)
}

pub(crate) fn path_named(field: &'static str, text: &str) -> Result<(), Rejection> {
    size(field, text.len(), limits::PATH_BYTES_MAX)?;
    if text.split('/').all(is_plain) { Ok(()) } else { Err(Rejection::BadName { field }) }
}

/// The key of a document: a path and, from level 3 on, perhaps a layer. What is the cluster's own has no layers: it is
/// not for instances.
pub(crate) fn key(text: &str, level: Level) -> Result<(), Rejection> {
    let Some((base, _)) = text.split_once(layer::MARK).filter(|_| level >= Level::CONFIGS) else { return path(text) };
    path(base)?;
    let (_, layer) = Layer::of_key(text)?;
    if layer == Layer::Base || base.starts_with(limits::OWN_PREFIX) {
        return Err(Rejection::BadName { field: "layer" });
    }
    Ok(())
}

/// `.` and `..` are folders to whoever writes documents to a disk.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(text, "" | "." | "..") && text.bytes().all(is_plain)
}

pub(crate) fn author(text: &str) -> Result<(), Rejection> {
    size("author", text.len(), limits::AUTHOR_BYTES_MAX)
}

pub(crate) fn reason(text: &str) -> Result<(), Rejection> {
    size("reason", text.len(), limits::REASON_BYTES_MAX)
}
