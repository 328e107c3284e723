//! What a schema finds among the documents that are there when it is attached.
//!
//! It binds what is published from then on, and refuses nothing of what is there. But who attaches it should know which
//! documents it does not fit, for their next publish will be refused; and which fields it calls secrets lie in the
//! clear, for those can be read in the history ever after. Looked at are single documents, not what layers make of
//! them: that a layer by itself does not fit says nothing, so only bases are held against the schema.

use keeper_registry::{Document, Format, Layer};

use super::{Case, schema_of};
use crate::config::limits::{NOTED_BYTES_MAX, NOTES_MAX};
use crate::config::schema::{Attached, Compiled, Schema};
use crate::config::secret::KeyRing;
use crate::format::{self, Value};

/// Fields that are named in a note.
const FIELDS_NAMED: usize = 3;

impl Case {
    /// A sentence for each document that is worth one.
    pub(super) fn notes(&self, compiled: &Compiled, keys: &KeyRing) -> Vec<String> {
        let (mut notes, mut left, mut unseen) = (Vec::new(), NOTED_BYTES_MAX, 0_usize);
        for (key, value) in self.attached.iter().filter(|(key, _)| self.attached_now.contains(key)) {
            let attached = compiled.attached(value);
            let (Ok(attached), Some(schema)) = (attached.as_ref(), schema_of(&attached)) else { continue };
            for document in self.present.iter().filter(|document| is_for(attached, document)) {
                let room = left.checked_sub(document.value.len()).filter(|_| notes.len() < NOTES_MAX);
                let Some(room) = room else {
                    unseen += 1;
                    continue;
                };
                left = room;
                notes.extend(found(key, schema, document, keys));
            }
        }
        if unseen > 0 {
            notes.push(format!("{unseen} more documents that are published were not looked at"));
        }
        notes
    }
}

fn is_for(attached: &Attached, document: &Document) -> bool {
    Layer::of_key(&document.path).is_ok_and(|(path, _)| attached.is_for(path))
}

/// What a schema finds in one document.
fn found(key: &str, schema: &Schema, document: &Document, keys: &KeyRing) -> Vec<String> {
    let path = &document.path;
    let text = String::from_utf8_lossy(&document.value);
    let Ok(mut value) = format::parse(Format::Json, &text) else { return Vec::new() };
    let sealed = keys.reveal(path, &mut value);
    let marked = match schema.secrets(&value) {
        Ok(marked) => marked,
        Err(excess) => return vec![format!("{path}: {excess}")],
    };
    let mut notes = Vec::new();
    let is_clear =
        |field: &&_| !sealed.contains(field) && field.of(&value).is_some_and(|it: &Value| *it != Value::Null);
    let clear: Vec<_> = marked.iter().filter(is_clear).map(ToString::to_string).collect();
    if !clear.is_empty() {
        notes.push(format!(
            "{path} is published with {} in the clear, which {key} marks as secret, and its history keeps it: publish \
             it anew to have it sealed, and change the secret",
            some_of(&clear)
        ));
    }
    // What comes from a format without types is held against a schema otherwise, with all its layers.
    let is_judged = document.format != Format::Ini && matches!(Layer::of_key(path), Ok((_, Layer::Base)));
    let secrets: Vec<_> = marked.into_iter().chain(sealed).collect();
    match schema.violations(&value, &secrets) {
        Ok(found) if is_judged && !found.is_empty() => {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            notes.push(format!("{path}, which is published, does not fit {key}: {}", some_of(&found)));
        }
        Ok(_) | Err(_) => {}
    }
    notes
}

fn some_of(all: &[String]) -> String {
    let named = all.iter().take(FIELDS_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(FIELDS_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
