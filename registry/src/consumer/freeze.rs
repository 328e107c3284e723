//! Consumers in a snapshot: schemas, then the revisions of paths, then what each kind reads and who is of it.

use std::{collections::BTreeSet, sync::Arc};

use super::{Consumed, Consumers, Kind, Readers, Schema, When, readers_digest};
use crate::{Incarnation, Record, Revision, ThawError, Thawing, check, limits};

/// What some open incarnations of one service and version read.
#[derive(Debug, Clone, Copy)]
pub struct AnnouncementRecord<'a> {
    /// Sorted by path, paths unique.
    pub documents: &'a [Consumed],
    /// All of one service and version.
    pub incarnations: &'a [Incarnation],
}

/// Pointers, one a schema, a path and a kind.
#[derive(Debug)]
pub(crate) struct FrozenConsumers {
    schemas: Vec<Schema>,
    readers: Vec<(Arc<str>, Revision)>,
    kinds: Vec<(Arc<Kind>, Arc<BTreeSet<Incarnation>>)>,
}

impl FrozenConsumers {
    pub(crate) fn visit<E>(self, visit: &mut impl FnMut(Record<'_>) -> Result<(), E>) -> Result<(), E> {
        for schema in &self.schemas {
            visit(Record::Schema(schema))?;
        }
        for (path, changed) in &self.readers {
            visit(Record::Readers(path, *changed))?;
        }
        for (kind, members) in self.kinds {
            let incarnations: Vec<_> = members.iter().copied().collect();
            let record = AnnouncementRecord { documents: kind.documents(), incarnations: &incarnations };
            visit(Record::Announcement(record))?;
        }
        Ok(())
    }
}

impl Consumers {
    pub(crate) fn freeze(&self) -> FrozenConsumers {
        FrozenConsumers {
            schemas: self.schemas.iter().collect(),
            readers: self.readers.iter().map(|(path, readers)| (Arc::clone(path), readers.changed)).collect(),
            kinds: self.kinds.iter().map(|(kind, members)| (Arc::clone(kind), Arc::clone(members))).collect(),
        }
    }
}

impl Thawing {
    pub(crate) fn schema(&mut self, schema: &Schema) -> Result<(), ThawError> {
        check::bytes("schema", &schema.bytes, limits::SCHEMA_BYTES_MAX).map_err(|_| ThawError::TooLarge("a schema"))?;
        let is_new = self.state.consumers.schemas.insert(&schema.bytes);
        if is_new { Ok(()) } else { Err(ThawError::Repeated("schema")) }
    }

    pub(crate) fn readers(&mut self, path: &str, changed: Revision) -> Result<(), ThawError> {
        let consumers = &mut self.state.consumers;
        let readers = Readers { changed, groups: Default::default() };
        if consumers.readers.insert(path.into(), readers).is_some() {
            return Err(ThawError::Repeated("path that is read"));
        }
        consumers.sum.add(readers_digest(path, changed));
        Ok(())
    }

    pub(crate) fn announcement(&mut self, record: &AnnouncementRecord<'_>) -> Result<(), ThawError> {
        let AnnouncementRecord { documents, incarnations } = record;
        if documents.is_empty() || documents.len() > limits::CONSUMED_MAX {
            return Err(ThawError::TooLarge("an announcement"));
        }
        if !documents.is_sorted_by(|a, b| a.path < b.path) {
            return Err(ThawError::Repeated("path in an announcement"));
        }
        let consumers = &mut self.state.consumers;
        for Consumed { path, schema } in *documents {
            if !consumers.readers.contains_key(path) {
                return Err(ThawError::Unknown("a path that is read"));
            }
            if schema.is_some_and(|schema| consumers.schemas.get(schema).is_none()) {
                return Err(ThawError::Unknown("a schema"));
            }
        }
        let documents: Arc<[Consumed]> = documents.iter().map(|one| consumers.shared(one)).collect();
        for incarnation in *incarnations {
            let owner = self.state.instances.id(*incarnation).and_then(|id| self.state.instances.open(id));
            let instance = &owner.ok_or(ThawError::Unknown("an incarnation"))?.instance;
            let consumers = &mut self.state.consumers;
            if consumers.by_incarnation.contains_key(incarnation) {
                return Err(ThawError::Repeated("incarnation that reads"));
            }
            consumers.join(*incarnation, Kind::of(instance, Arc::clone(&documents)), When::Before);
        }
        Ok(())
    }
}

impl Consumers {
    /// The same with the path that the readers have already.
    fn shared(&self, consumed: &Consumed) -> Consumed {
        let path = self.readers.get_key_value(&consumed.path).map_or(&consumed.path, |(path, _)| path);
        Consumed { path: Arc::clone(path), schema: consumed.schema }
    }
}
