//! Secrets of a draft, before it is proposed.
//!
//! Sealed are the fields that the caller names, those that an attached schema marks, and those that were sealed in the
//! version before: a secret does not become readable because somebody forgot to say so again.
//!
//! Where the caller has the mask, or the very value that is published, the box that is published stays: who edits what
//! he was shown changes no secret, and publishing the same again changes nothing. So the version before is one of the
//! things that such a publish is judged by.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use keeper_registry::{Document, Witness};

use super::told::read;
use super::{Draft, DraftAction, Written};
use crate::config::limits::SECRETS_MAX;
use crate::config::secret::{KeyRing, MASK, NONCE_BYTES, SecretError, is_sealed, sealed_fields};
use crate::config::{Field, Patience, convert, rewrite};
use crate::format::Value;
use crate::problem::{Problem, chain};

/// Where nonces come from: no two are ever the same.
#[derive(Clone)]
pub struct Nonces(Arc<dyn Fn() -> [u8; NONCE_BYTES] + Send + Sync>);

impl Nonces {
    /// From the system.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the home of this chance; a simulation passes its own")]
    pub fn from_system() -> Self {
        Self(Arc::new(rand::random))
    }

    /// From elsewhere.
    pub fn of(source: impl Fn() -> [u8; NONCE_BYTES] + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub(super) fn next(&self) -> [u8; NONCE_BYTES] {
        (self.0)()
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces")
    }
}

/// Whether a draft has anything to do with secrets before schemas are looked at.
pub(super) fn has_secrets(draft: &Draft, before: &[Option<Arc<Document>>]) -> bool {
    draft.written().any(|(place, _, written)| {
        let document = before.get(place).and_then(Option::as_ref);
        let was_sealed = document.is_some_and(|document| is_sealed(&document.value));
        was_sealed || !written.secrets.is_empty() || written.text.contains(MASK) || is_sealed(written.text.as_bytes())
    })
}

/// The draft with published boxes where they are to stay, and what it is judged by for that.
pub(super) fn keep(
    draft: &Draft,
    before: &[Option<Arc<Document>>],
    keys: &KeyRing,
) -> Result<(Draft, Vec<Witness>), Problem> {
    let (mut draft, mut witnesses) = (draft.clone(), Vec::new());
    for (place, change) in draft.changes.iter_mut().enumerate() {
        let DraftAction::Put(written) = &mut change.action else { continue };
        let document = before.get(place).and_then(Option::as_ref).filter(|document| is_sealed(&document.value));
        let boxes = document.and_then(|document| read(&document.value)).unwrap_or(Value::Null);
        if let Some(document) = document {
            witnesses.push(Witness::Document { path: change.path.clone(), revision: document.revision });
        }
        let (mut open, mut patience) = (boxes.clone(), Patience::default());
        for field in keys.reveal(&change.path, &mut open) {
            written.secrets.push(field.clone());
            let given = field.of(&written.value);
            let is_same = given.is_some_and(|it| *it == Value::String(MASK.to_owned()) || Some(it) == field.of(&open));
            if is_same && let Some(sealed) = field.of(&boxes) {
                replace(written, &field, sealed, &mut patience)?;
            }
        }
        if let Some(field) = masked(&written.value) {
            let message = format!(
                "{field} stands masked, and nothing is sealed there that could stay: write its value (`keeperctl config \
                 get --reveal` shows secrets where the node allows it)"
            );
            return Err(Problem::Invalid { field: format!("changes[{place}].put.text"), message });
        }
    }
    Ok((draft, witnesses))
}

/// Seals fields of one document; which ones are sealed then.
pub(super) fn seal(
    place: usize,
    key: &str,
    written: &mut Written,
    fields: BTreeSet<Field>,
    keys: &KeyRing,
    nonces: &Nonces,
) -> Result<BTreeSet<Field>, Problem> {
    let wrong = |field: String, message: String| Err(Problem::Invalid { field, message });
    let of_text = || format!("changes[{place}].put.text");
    let mut sealed = written.value.clone();
    let mut open = written.value.clone();
    keys.reveal(key, &mut open);
    if let Some(shut) = sealed_fields(&open).first() {
        return wrong(of_text(), format!("{shut} is sealed with a key that this node does not have, or for elsewhere"));
    }
    let fields: Vec<_> =
        fields.into_iter().filter(|field| field.of(&sealed).is_some_and(|it| *it != Value::Null)).collect();
    if fields.len() > SECRETS_MAX {
        let message = format!("{key} has {} secrets; the limit is {SECRETS_MAX}: split it into several", fields.len());
        return wrong(of_text(), message);
    }
    match keys.seal(key, &mut sealed, &fields, || nonces.next()) {
        Ok(()) => {}
        Err(error @ SecretError::NoKey { .. }) => {
            let message = format!("{error}: name a file of keys by its setting secrets.key_file");
            return Err(Problem::Declined { reason: "no-key", message });
        }
        Err(error) => return wrong(of_text(), chain(&error)),
    }
    let mut patience = Patience::default();
    for field in &fields {
        if let Some(now) = field.of(&sealed).filter(|now| Some(*now) != field.of(&written.value)) {
            replace(written, field, now, &mut patience)?;
        }
    }
    Ok(fields.into_iter().collect())
}

/// Another value at a field: where it is written, or in a text that is written anew.
fn replace(written: &mut Written, field: &Field, to: &Value, patience: &mut Patience) -> Result<(), Problem> {
    let Written { format, text, value, .. } = written;
    let changed = rewrite(*format, text, value, field, to, patience);
    if let Some(place) = field.of_mut(value) {
        *place = to.clone();
    }
    *text = match changed {
        Some(text) => text,
        None => convert(value, *format).map_err(|unsayable| Problem::Invalid {
            field: "changes".to_owned(),
            message: format!("a secret cannot be written where it stands: {unsayable}"),
        })?,
    };
    Ok(())
}

/// A field that stands masked.
fn masked(value: &Value) -> Option<Field> {
    fn look(value: &Value, steps: &Field) -> Option<Field> {
        match value {
            Value::Object(entries) => entries.iter().find_map(|(name, value)| look(value, &steps.name(name))),
            Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| look(item, &steps.place(at))),
            Value::String(text) if text == MASK => Some(steps.clone()),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => None,
        }
    }
    look(value, &Field::default())
}
