//! What a watch has told, so that each frame becomes what changed since.
//!
//! Pure: frames in, changes out. A frame that is reset holds the full set and may come at any time (the cursor fell
//! below what the servers keep, or the state was rebuilt); it is compared with what is known, so that nothing is told
//! twice and nothing that happened in between is lost.

use std::collections::{BTreeMap, BTreeSet};

use keeper_client_sdk::{Document, DocumentsChanged, Error};
use serde::Serialize;
use serde_json::Value;

use crate::{
    config::changes::{self, Field, changes},
    render::{self, Report},
};

/// Documents as they were last told.
#[derive(Debug, Default)]
pub(super) struct Follower {
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    revision: u64,
    value: Value,
    text: String,
}

/// What a change made of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    Created,
    Changed,
    Deleted,
}

/// A change of one document.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Landed {
    path: String,
    change: Fate,
    revision: u64,
    author: String,
    message: String,
    /// None when the document was missing from a full set: who deleted it, and when, was not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<String>,
    fields: Vec<Field>,
    #[serde(skip)]
    published_at_ms: Option<u64>,
}

impl Follower {
    /// Everything there is when the watch begins, which is no change.
    pub(super) fn begin(frame: DocumentsChanged) -> Result<Self, Error> {
        let mut follower = Self::default();
        for document in frame.documents.into_iter().filter(|document| !document.deleted) {
            follower.remember(document)?;
        }
        Ok(follower)
    }

    pub(super) fn documents(&self) -> usize {
        self.known.len()
    }

    /// What a frame changes, in the order it happened.
    pub(super) fn take(&mut self, frame: DocumentsChanged) -> Result<Vec<Landed>, Error> {
        let mut landed = if frame.reset { self.vanished(&frame) } else { Vec::new() };
        for document in frame.documents {
            landed.extend(self.hear(document)?);
        }
        landed.sort_by(|a, b| (a.revision, &a.path).cmp(&(b.revision, &b.path)));
        Ok(landed)
    }

    /// What a full set does not hold any more.
    fn vanished(&mut self, frame: &DocumentsChanged) -> Vec<Landed> {
        let present: BTreeSet<&String> = frame.documents.iter().map(|document| &document.path).collect();
        let gone: Vec<String> = self.known.keys().filter(|path| !present.contains(path)).cloned().collect();
        let mut landed = Vec::new();
        for path in gone {
            let Some(known) = self.known.remove(&path) else { continue };
            landed.push(Landed {
                path,
                change: Fate::Deleted,
                revision: frame.revision,
                author: String::new(),
                message: String::new(),
                published_at: None,
                fields: changes(Some(&known.value), None),
                published_at_ms: None,
            });
        }
        landed
    }

    fn hear(&mut self, document: Document) -> Result<Option<Landed>, Error> {
        let known = self.known.get(&document.path);
        let is_told = match known {
            // A rebuilt state counts anew: another text is a change, whatever its revision.
            Some(known) => known.revision == document.revision && known.text == document.text && !document.deleted,
            None => document.deleted,
        };
        if is_told {
            return Ok(None);
        }
        let new = changes::value(&document)?;
        let change = match (known, &new) {
            (_, None) => Fate::Deleted,
            (None, Some(_)) => Fate::Created,
            (Some(_), Some(_)) => Fate::Changed,
        };
        let landed = Landed {
            path: document.path.clone(),
            change,
            revision: document.revision,
            author: document.author.clone(),
            message: document.message.clone(),
            published_at: Some(render::millisecond(document.published_at_ms)),
            fields: changes(known.map(|known| &known.value), new.as_ref()),
            published_at_ms: Some(document.published_at_ms),
        };
        match new {
            Some(_) => self.remember(document)?,
            None => drop(self.known.remove(&document.path)),
        }
        Ok(Some(landed))
    }

    fn remember(&mut self, document: Document) -> Result<(), Error> {
        let (revision, value) = (document.revision, document.value()?);
        self.known.insert(document.path, Known { revision, value, text: document.text });
        Ok(())
    }
}

impl Report for Landed {
    fn table(&self) -> String {
        let Self { path, change, revision, author, message, .. } = self;
        let change = match change {
            Fate::Created => "created",
            Fate::Changed => "changed",
            Fate::Deleted => "deleted",
        };
        let at = self.published_at_ms.map(|at| format!("{} ", render::second(at))).unwrap_or_default();
        let by = if author.is_empty() { String::new() } else { format!(" by {author}") };
        let why = if message.is_empty() { String::new() } else { format!(": {message}") };
        let head = render::printable(&format!("{at}{path} {change} at revision {revision}{by}{why}"));
        let fields = match self.fields.as_slice() {
            [] if self.change == Fate::Changed => "  only the text: comments or layout\n".to_owned(),
            fields => changes::lines(fields, "  "),
        };
        format!("{head}\n{fields}")
    }
}

#[cfg(test)]
mod tests;
