//! Whether a publish may be proposed: what each process would run with afterwards, and who could not read it.
//!
//! A publish changes effective documents, not files: a base changes as many as there are sets of layers above it. So
//! for each path of which something is published, these are judged: the document of every set of layers that some open
//! process has which reads the path, and, for processes that are yet to come, the base alone and with each layer alone;
//! of all of these the ones that change, each once. A document is held against every attached schema that is for its
//! path, and against the schema of every group of processes that has it. A group that announced no schema takes any
//! value; one that did is not left without a document.
//!
//! Two steps, because the state is held for the first alone: [`Case::of`] takes from it what the judgement is by, and
//! [`Case::judge`] reads, merges and compares. The [`Verdict`] carries the witnesses that the entry is to have: if any
//! of that has moved when the entry is applied, it is refused there, and judged anew here.
//!
//! What is objected can be overruled by a reason, which the history then keeps. What cannot be: a schema that cannot be
//! read, and what is larger than can be judged or served.
//!
//! Not judged: documents that are there when a schema for them is attached (see [`Attached`](super::schema::Attached)),
//! and documents of the cluster's own, which other rules hold for.

mod case;
mod objection;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{Layer, Witness};

pub use case::Case;
use case::{LayerSet, Subject};
pub use objection::{Objected, Objection, Objections, Objector};

use super::limits::{
    ATTACHED_MAX, EFFECTIVE_BYTES_MAX, EFFECTIVE_DOCUMENTS_MAX, JUDGED_BYTES_MAX, VIOLATIONS_FOUND_MAX,
};
use super::schema::{Compiled, Excess, Read, Schema, Violation};
use super::secret::KeyRing;
use super::{Field, effective};
use crate::format::{self, Format, Value, canonical};

/// A publish that may be proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it was judged by.
    pub witnesses: Vec<Witness>,
    /// What speaks against it and is overruled.
    pub overruled: Objections,
}

/// Why a publish is not proposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Schemas or consumers speak against it. It can be forced.
    #[error("{0}")]
    Objected(Objections),
    /// A schema that is published here cannot be read.
    #[error("{key}: {reason}")]
    Schema {
        /// Which document.
        key: Arc<str>,
        /// Why not.
        reason: String,
    },
    /// More schemas than are looked through at each publish.
    #[error("more than {ATTACHED_MAX} schemas would be attached")]
    TooManySchemas,
    /// Too many sets of layers.
    #[error(
        "{path}: the processes that read it have more than {EFFECTIVE_DOCUMENTS_MAX} different sets of its layers: \
         give it fewer layers"
    )]
    TooManyDocuments {
        /// Of which path.
        path: Arc<str>,
    },
    /// Too much to read and to merge.
    #[error("{path}: its effective documents have more than {JUDGED_BYTES_MAX} bytes of layers in all")]
    TooMuch {
        /// Up to which path.
        path: Arc<str>,
    },
    /// Layers make a document that is too large together.
    #[error("{path} with {layers}: the effective document has {bytes} bytes; the limit is {EFFECTIVE_BYTES_MAX}")]
    TooLarge {
        /// Of which path.
        path: Arc<str>,
        /// With which layers.
        layers: String,
        /// How large.
        bytes: usize,
    },
    /// A layer in the state is no value.
    #[error("{key} is published and cannot be read: publish it anew")]
    Unreadable {
        /// Which.
        key: String,
    },
}

impl Case {
    /// Judges it. Secrets are opened with these keys, where they can be, and none is told.
    ///
    /// # Errors
    /// It may not be proposed.
    pub fn judge(&self, compiled: &Compiled, keys: &KeyRing) -> Result<Verdict, Refusal> {
        for (key, value) in self.attached.iter().filter(|(key, _)| self.attached_now.contains(key)) {
            if let Err(reason) = compiled.attached(value).as_ref() {
                return Err(Refusal::Schema { key: Arc::clone(key), reason: reason.clone() });
            }
        }
        let mut session = Session { case: self, compiled, keys, bytes: 0, found: BTreeMap::new(), untold: 0 };
        for subject in &self.subjects {
            session.judge(subject)?;
        }
        let objections = session.objections();
        if objections.is_empty() || self.forced.is_some() {
            Ok(Verdict { witnesses: self.witnesses.clone(), overruled: objections })
        } else {
            Err(Refusal::Objected(objections))
        }
    }
}

/// Who says what of which path: each is told once, with the first layers it is about and the number of processes.
type Said<'a> = (&'a str, Source<'a>, Objected);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source<'a> {
    Schema(&'a Arc<str>),
    Group(&'a Arc<str>, &'a Arc<str>),
}

struct Session<'a> {
    case: &'a Case,
    compiled: &'a Compiled,
    keys: &'a KeyRing,
    bytes: usize,
    found: BTreeMap<Said<'a>, (String, usize, Arc<str>)>,
    untold: usize,
}

impl<'a> Session<'a> {
    fn judge(&mut self, subject: &'a Subject) -> Result<(), Refusal> {
        let mut layers = Vec::with_capacity(subject.layers.len());
        let mut secrets = Vec::new();
        for (layer, value) in &subject.layers {
            let key = layer.key(&subject.path);
            let text = std::str::from_utf8(value).ok();
            let value = text.and_then(|text| format::parse(Format::Json, text).ok());
            let mut value = value.ok_or_else(|| Refusal::Unreadable { key: key.clone() })?;
            secrets.extend(self.keys.reveal(&key, &mut value));
            layers.push((layer, value));
        }
        let attached: Vec<_> =
            self.case.attached.iter().map(|(key, value)| (key, self.compiled.attached(value))).collect();
        let announced: Vec<_> =
            subject.groups.iter().map(|group| Some(self.compiled.announced(group.schema.as_ref()?))).collect();
        for (set, counts) in &subject.sets {
            let Some(document) = self.document(subject, set, &layers)? else {
                self.note_deleted(subject, counts);
                continue;
            };
            let mut secrets = secrets.clone();
            for attached in attached.iter().filter_map(|(_, attached)| attached.as_ref().as_ref().ok()) {
                if attached.is_for(&subject.path) {
                    secrets.extend(attached.schema().secrets(&document.value).unwrap_or_default());
                }
            }
            let document = Document { secrets, ..document };
            for (key, attached) in &attached {
                match attached.as_ref() {
                    Ok(attached) if attached.is_for(&subject.path) => {
                        let found = attached.schema().violations(&document.value, &document.secrets);
                        self.note(subject, &document, Source::Schema(key), 0, found);
                    }
                    // One that cannot be read does not say what it is for, and can only be from before schemas were.
                    Ok(_) | Err(_) => {}
                }
            }
            for (place, count) in counts {
                let (Some(group), Some(Some(schema))) = (subject.groups.get(*place), announced.get(*place)) else {
                    continue;
                };
                self.hold(subject, &document, Source::Group(&group.service, &group.version), *count, schema);
            }
        }
        Ok(())
    }

    /// The effective document of a set of layers; none: the set is empty.
    fn document(
        &mut self,
        subject: &Subject,
        set: &LayerSet,
        layers: &[(&Layer, Value)],
    ) -> Result<Option<Document>, Refusal> {
        let path = || Arc::clone(&subject.path);
        let chosen: Vec<_> = set.iter().filter_map(|place| layers.get(usize::from(*place))).collect();
        let sizes = set.iter().filter_map(|place| subject.layers.values().nth(usize::from(*place)));
        self.bytes += sizes.map(|value| value.len()).sum::<usize>();
        if self.bytes > JUDGED_BYTES_MAX {
            return Err(Refusal::TooMuch { path: path() });
        }
        let beside: Vec<_> = chosen.iter().map(|(layer, _)| layer.to_string()).filter(|it| !it.is_empty()).collect();
        let layers = beside.join(" ");
        let Some(effective) = effective(chosen.into_iter().map(|(layer, value)| (*layer, value))) else {
            return Ok(None);
        };
        let bytes = canonical(&effective.value).len();
        if bytes > EFFECTIVE_BYTES_MAX && set.len() > 1 {
            return Err(Refusal::TooLarge { path: path(), layers, bytes });
        }
        Ok(Some(Document { value: effective.value, layers, secrets: Vec::new() }))
    }

    fn hold(&mut self, subject: &'a Subject, document: &Document, source: Source<'a>, count: usize, by: &Read<Schema>) {
        match by.as_ref() {
            Ok(schema) => {
                let found = schema.violations(&document.value, &document.secrets);
                self.note(subject, document, source, count, found);
            }
            Err(reason) => self.add(subject, &document.layers, source, count, Objected::Unusable(reason.clone())),
        }
    }

    fn note_deleted(&mut self, subject: &'a Subject, counts: &BTreeMap<usize, usize>) {
        for (place, count) in counts {
            if let Some(group) = subject.groups.get(*place).filter(|group| group.schema.is_some()) {
                self.add(subject, "", Source::Group(&group.service, &group.version), *count, Objected::Deleted);
            }
        }
    }

    fn note(
        &mut self,
        subject: &'a Subject,
        document: &Document,
        source: Source<'a>,
        count: usize,
        found: Result<Vec<Violation>, Excess>,
    ) {
        let said = match found {
            Ok(found) => {
                found.into_iter().map(|Violation { field, message }| Objected::Field { field, message }).collect()
            }
            Err(excess) => vec![Objected::Unusable(excess.to_string())],
        };
        for what in said {
            self.add(subject, &document.layers, source, count, what);
        }
    }

    fn add(&mut self, subject: &'a Subject, layers: &str, source: Source<'a>, count: usize, what: Objected) {
        let key = (&*subject.path, source, what);
        if let Some((_, counted, _)) = self.found.get_mut(&key) {
            *counted += count;
        } else if self.found.len() < VIOLATIONS_FOUND_MAX {
            self.found.insert(key, (layers.to_owned(), count, Arc::clone(&subject.path)));
        } else {
            self.untold += 1;
        }
    }

    fn objections(self) -> Objections {
        let told = self.found.into_iter().map(|((_, source, what), (layers, count, path))| {
            let by = match source {
                Source::Schema(key) => Objector::Schema(Arc::clone(key)),
                Source::Group(service, version) => {
                    let (service, version) = (Arc::clone(service), Arc::clone(version));
                    Objector::Consumers { count, service, version }
                }
            };
            Objection { path, layers, by, what }
        });
        Objections::of(told.collect(), self.untold)
    }
}

/// An effective document that is judged.
struct Document {
    value: Value,
    layers: String,
    secrets: Vec<Field>,
}
