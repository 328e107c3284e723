//! Whether a publish may be proposed: what each process would run with afterwards, and who could not read it.
//!
//! A publish changes effective documents, not files: a base changes as many as there are sets of layers above it. So
//! for each path of which something is published, these are judged: the document of every set of layers that some open
//! process has which reads the path, and, for processes that are yet to come, the base alone and with each layer alone;
//! of all of these the ones that change, each once. A document is held against every attached schema that is for its
//! path, and against the schema of every group of processes that has it. A group that announced no schema takes any
//! value; one that did is not left without a document, unless its schema says that it takes that for an empty one.
//!
//! Two steps, because the state is held for the first alone: [`Case::of`] takes from it what the judgement is by, and
//! [`Case::judge`] reads, merges and compares. The [`Verdict`] carries the witnesses that the entry is to have: if any
//! of that has moved when the entry is applied, it is refused there, and judged anew here.
//!
//! What is objected can be overruled by a reason, which the history then keeps. What cannot be: a schema that cannot be
//! read, and what is larger than can be judged or served.
//!
//! Not judged: documents that are there when a schema for them is attached (see [`Attached`](super::schema::Attached)),
//! of which it is only noted what the schema finds (`note.rs`); and documents of the cluster's own, which other rules
//! hold for.

mod case;
mod note;
mod objection;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use keeper_registry::{Layer, Witness};

pub use case::Case;
use case::{LayerSet, Subject};
pub use objection::{Objected, Objection, Objections, Objector};

use super::limits::{
    ATTACHED_MAX, EFFECTIVE_BYTES_MAX, EFFECTIVE_DOCUMENTS_MAX, JUDGED_BYTES_MAX, VIOLATIONS_FOUND_MAX,
};
use super::schema::{Attached, Compiled, Excess, Read, Schema, Violation};
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
    /// What schemas that are published find among the documents that are there.
    pub notes: Vec<String>,
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
        let verdict = self.weigh(compiled, keys)?;
        if verdict.overruled.is_empty() || self.forced.is_some() {
            Ok(verdict)
        } else {
            Err(Refusal::Objected(verdict.overruled))
        }
    }

    /// The same for who only asks: what would be objected is told, and refuses nothing.
    ///
    /// # Errors
    /// It may not be proposed, whatever the reason.
    pub fn weigh(&self, compiled: &Compiled, keys: &KeyRing) -> Result<Verdict, Refusal> {
        for (key, value) in self.attached.iter().filter(|(key, _)| self.attached_now.contains(key)) {
            if let Err(reason) = compiled.attached(value).as_ref() {
                return Err(Refusal::Schema { key: Arc::clone(key), reason: reason.clone() });
            }
        }
        let mut session = Session { case: self, compiled, keys, bytes: 0, found: BTreeMap::new(), untold: 0 };
        for subject in &self.subjects {
            session.judge(subject)?;
        }
        let notes = self.notes(compiled, keys);
        Ok(Verdict { witnesses: self.witnesses.clone(), overruled: session.objections(), notes })
    }
}

impl Case {
    /// The fields of a value that attached schemas mark as secrets, for a path. They are sealed before the publish is
    /// judged.
    ///
    /// # Errors
    /// To find out would take too long.
    pub fn secrets(&self, compiled: &Compiled, path: &str, value: &Value) -> Result<Vec<Field>, Excess> {
        let attached = self.attached_for(path, compiled);
        let fields =
            attached.iter().filter_map(|(_, attached)| schema_of(attached)).map(|schema| schema.secrets(value));
        Ok(fields.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn attached_for(&self, path: &str, compiled: &Compiled) -> Vec<(&Arc<str>, Read<Attached>)> {
        let read = self.attached.iter().map(|(key, value)| (key, compiled.attached(value)));
        read.filter(|(_, read)| read.as_ref().as_ref().is_ok_and(|attached| attached.is_for(path))).collect()
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
        let layers = self.layers(subject)?;
        let attached = self.case.attached_for(&subject.path, self.compiled);
        let announced: Vec<_> =
            subject.groups.iter().map(|group| Some(self.compiled.announced(group.schema.as_ref()?))).collect();
        for (set, counts) in &subject.sets {
            let Some(mut document) = self.document(subject, set, &layers)? else {
                self.note_deleted(subject, counts, &announced);
                continue;
            };
            for schema in attached.iter().filter_map(|(_, attached)| schema_of(attached)) {
                // What cannot be looked through is a secret as a whole.
                let whole = |_| vec![Field::default()];
                document.secrets.extend(schema.secrets(&document.value).unwrap_or_else(whole));
            }
            for (key, attached) in &attached {
                if let Some(schema) = schema_of(attached) {
                    self.note(subject, &document, Source::Schema(key), 0, document.held_against(schema));
                }
            }
            for (place, count) in counts {
                let (Some(group), Some(Some(read))) = (subject.groups.get(*place), announced.get(*place)) else {
                    continue;
                };
                let source = Source::Group(&group.service, &group.version);
                match read.as_ref() {
                    Ok(schema) => self.note(subject, &document, source, *count, document.held_against(schema)),
                    Err(why) => self.add(subject, &document.layers, source, *count, Objected::Unusable(why.clone())),
                }
            }
        }
        Ok(())
    }

    /// The layers of a path, read, with their secrets open.
    fn layers(&self, subject: &'a Subject) -> Result<Vec<Layered<'a>>, Refusal> {
        let layered = |(layer, (format, canonical)): (&'a Layer, &'a (Format, Bytes))| {
            let key = layer.key(&subject.path);
            let value = std::str::from_utf8(canonical).ok().and_then(|text| format::parse(Format::Json, text).ok());
            let mut value = value.ok_or_else(|| Refusal::Unreadable { key: key.clone() })?;
            let secrets = self.keys.reveal(&key, &mut value);
            Ok(Layered { layer, format: *format, bytes: canonical.len(), value, secrets })
        };
        subject.layers.iter().map(layered).collect()
    }

    /// The effective document of a set of layers; none: the set is empty.
    fn document(
        &mut self,
        subject: &Subject,
        set: &LayerSet,
        layers: &[Layered<'_>],
    ) -> Result<Option<Document>, Refusal> {
        let path = || Arc::clone(&subject.path);
        let chosen: Vec<_> = set.iter().filter_map(|place| layers.get(usize::from(*place))).collect();
        self.bytes += chosen.iter().map(|layered| layered.bytes).sum::<usize>();
        if self.bytes > JUDGED_BYTES_MAX {
            return Err(Refusal::TooMuch { path: path() });
        }
        let Some(effective) = effective(chosen.iter().map(|layered| (layered.layer, &layered.value))) else {
            return Ok(None);
        };
        let beside = chosen.iter().filter(|layered| *layered.layer != Layer::Base);
        let layers = beside.map(|layered| layered.layer.to_string()).collect::<Vec<_>>().join(" ");
        let bytes = canonical(&effective.value).len();
        if bytes > EFFECTIVE_BYTES_MAX && set.len() > 1 {
            return Err(Refusal::TooLarge { path: path(), layers, bytes });
        }
        let is_untyped = |layer: &Layer| chosen.iter().any(|it| it.layer == layer && it.format == Format::Ini);
        let untyped = effective.provenance.iter().filter(|(_, layer)| is_untyped(layer));
        let untyped = untyped.map(|(field, _)| field.clone()).collect();
        let secrets = chosen.iter().flat_map(|layered| &layered.secrets).cloned().collect();
        Ok(Some(Document { value: effective.value, layers, secrets, untyped }))
    }

    fn note_deleted(
        &mut self,
        subject: &'a Subject,
        counts: &BTreeMap<usize, usize>,
        announced: &[Option<Read<Schema>>],
    ) {
        for (place, count) in counts {
            let (Some(group), Some(Some(read))) = (subject.groups.get(*place), announced.get(*place)) else { continue };
            let source = Source::Group(&group.service, &group.version);
            match read.as_ref() {
                Ok(schema) if schema.is_for_none() => {
                    let document = Document::empty();
                    self.note(subject, &document, source, *count, document.held_against(schema));
                }
                Ok(_) | Err(_) => self.add(subject, "", source, *count, Objected::Deleted),
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

/// A layer that was read.
struct Layered<'a> {
    layer: &'a Layer,
    format: Format,
    /// Of its canonical value.
    bytes: usize,
    value: Value,
    secrets: Vec<Field>,
}

/// An effective document that is judged.
struct Document {
    value: Value,
    layers: String,
    secrets: Vec<Field>,
    /// What comes from a format without types.
    untyped: Vec<Field>,
}

impl Document {
    /// What some take the lack of a document for.
    fn empty() -> Self {
        let (value, layers) = (Value::Object(BTreeMap::new()), String::new());
        Self { value, layers, secrets: Vec::new(), untyped: Vec::new() }
    }

    fn held_against(&self, schema: &Schema) -> Result<Vec<Violation>, Excess> {
        if self.untyped.is_empty() {
            return schema.violations(&self.value, &self.secrets);
        }
        schema.violations(&schema.typed(&self.value, &self.untyped), &self.secrets)
    }
}

/// One that cannot be read does not say what it is for, and can only be from before schemas were.
fn schema_of(attached: &Read<Attached>) -> Option<&Schema> {
    attached.as_ref().as_ref().ok().map(Attached::schema)
}
