//! Secrets of a draft, before it is proposed.
//!
//! Sealed are the fields that the caller names, those that an attached schema marks, and those that were sealed in any
//! version that is kept, be it deleted since: a secret does not become readable because somebody forgot to say so
//! again.
//!
//! Where the caller has the mask, or the very value that is published, the box that is published stays: who edits what
//! he was shown changes no secret, and publishing the same again changes nothing. In lists a secret goes with its
//! entry, or the mask is refused ([`masks()`]). So the version before is one of the things that such a publish is
//! judged by.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use keeper_registry::{Document, Revision, Witness};

use super::told::{Before, read};
use super::{Draft, DraftAction, Written};
use crate::config::limits::SECRETS_MAX;
use crate::config::secret::{KeyRing, MASK, NONCE_BYTES, SecretError, is_sealed, key_of, sealed_fields};
use crate::config::{Field, Lasting, Patience, Stays, Unplaced, convert, masks, rewrite};
use crate::format::{Format, Value, canonical};
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
pub(super) fn has_secrets(draft: &Draft, before: &[Before]) -> bool {
    draft.written().any(|(place, _, written)| {
        let was_sealed = before.get(place).is_some_and(|before| sealed_versions(before).next().is_some());
        was_sealed || !written.secrets.is_empty() || written.text.contains(MASK) || is_sealed(written.text.as_bytes())
    })
}

/// Those of all that is kept that have secrets.
fn sealed_versions(before: &Before) -> impl Iterator<Item = &Arc<Document>> {
    before.versions.iter().filter(|version| is_sealed(&version.value))
}

/// The draft with published boxes where they are to stay, and what it is judged by for that.
pub(super) fn keep(draft: &Draft, before: &[Before], keys: &KeyRing) -> Result<(Draft, Vec<Witness>), Problem> {
    let (mut draft, mut witnesses) = (draft.clone(), Vec::new());
    for (place, change) in draft.changes.iter_mut().enumerate() {
        let DraftAction::Put(written) = &mut change.action else { continue };
        let mut lasting = Lasting::default();
        let mut was_sealed = false;
        let versions = before.get(place).into_iter().flat_map(sealed_versions);
        for version in versions.filter_map(|version| read(&version.value)) {
            lasting.add(&version);
            was_sealed = true;
        }
        let document = before.get(place).and_then(|before| before.document.as_ref());
        if was_sealed {
            let revision = document.map_or_else(Revision::default, |document| document.revision);
            witnesses.push(Witness::Document { path: change.path.clone(), revision });
        }
        let boxes = document.and_then(|document| read(&document.value)).unwrap_or(Value::Null);
        let stay = masks(&boxes, &written.value).map_err(|unplaced| unmasked(place, &unplaced))?;
        let mut open = boxes.clone();
        let sealed = keys.reveal(&change.path, &mut open);
        let values = sealed.iter().filter_map(|field| field.of(&open)).map(canonical).collect();
        let mut secrets = lasting.fields(&boxes, &values, &written.value);
        let mut patience = Patience::default();
        for field in &sealed {
            if field.of(&written.value) == field.of(&open)
                && let Some(sealed) = field.of(&boxes)
            {
                replace(written, field, sealed, &mut patience)?;
            }
        }
        for Stays { at, from } in stay {
            // A box opens nowhere but where it was sealed: one that moves is sealed anew.
            if let Some(secret) = from.of(if at == from { &boxes } else { &open }) {
                replace(written, &at, secret, &mut patience)?;
            }
            secrets.push(at);
        }
        // A place of a list is no name: what is sealed there is said by the list.
        let by_name = sealed.into_iter().filter(|field| !field.is_in_list());
        written.secrets.extend(by_name.chain(secrets));
    }
    Ok((draft, witnesses))
}

fn unmasked(place: usize, unplaced: &Unplaced) -> Problem {
    let message = format!(
        "{unplaced}: write the secret itself (`keeperctl config get --reveal` shows secrets where the node allows it)"
    );
    Problem::Invalid { field: format!("changes[{place}].put.text"), message }
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
        let id = key_of(&open, shut).unwrap_or_default();
        return wrong(
            of_text(),
            format!("{shut} is sealed with key {id}, which this node does not have, or for elsewhere"),
        );
    }
    if let Some(message) = repeated(written, &open, &fields) {
        return wrong(of_text(), message);
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
            let message = format!("{error}: give it some, by its setting secrets.key_file or by KEEPER_SECRET_KEYS");
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

/// What repeats a secret in the clear through an alias of YAML: whoever wrote it said it once, and meant it to be
/// sealed. A text does not tell its aliases when it is read, so that an equal value in a text that has some counts as
/// one.
fn repeated(written: &Written, open: &Value, secrets: &BTreeSet<Field>) -> Option<String> {
    fn look(value: &Value, at: &Field, visit: &mut impl FnMut(&Field, &Value)) {
        match value {
            Value::Object(entries) => entries.iter().for_each(|(name, value)| look(value, &at.name(name), visit)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(place, item)| look(item, &at.place(place), visit))
            }
            Value::Null | Value::Bool(_) => {}
            Value::Integer(_) | Value::Float(_) | Value::String(_) => visit(at, value),
        }
    }
    let has_aliases = written.format == Format::Yaml && written.text.contains('&') && written.text.contains('*');
    if !has_aliases || secrets.is_empty() {
        return None;
    }
    let sealed: Vec<_> = secrets.iter().filter_map(|field| Some((field, field.of(open)?))).collect();
    let mut found = None;
    look(open, &Field::default(), &mut |field, value| {
        let secret = sealed.iter().find(|(_, secret)| *secret == value).filter(|_| !secrets.contains(field));
        if let (Some((secret, _)), None) = (secret, &found) {
            found = Some(format!(
                "{field} is the same as the secret {secret}, in a text with aliases, and would stay readable: seal it, \
                 too, or write it without an alias"
            ));
        }
    });
    found
}
