//! Names that the registry holds as `&'static str`, on their way back from disk.
//!
//! They come from a closed set in the registry's code (the fields and things a refusal can name), so each is leaked
//! once and then found again. The bound is for damaged input.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::codec::{DecodeError, Input};

/// More than the registry names.
const NAMES_MAX: usize = 1_024;

/// Longer than any of them.
const NAME_BYTES_MAX: usize = 128;

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Reads a name.
pub(super) fn read(input: &mut Input) -> Result<&'static str, DecodeError> {
    let name = input.str()?;
    let mut names = NAMES.lock();
    if let Some(known) = names.get(name.as_str()) {
        return Ok(known);
    }
    if names.len() >= NAMES_MAX || name.len() > NAME_BYTES_MAX {
        return Err(DecodeError::OutOfRange { what: "the name of a field", at: input.position() });
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    Ok(name)
}
