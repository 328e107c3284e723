//! Saying what an incarnation reads.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{Consumers, Kind, SchemaHash, When};
use crate::{Incarnation, Rejection, Reply, State, check, limits};

/// What an incarnation reads, all of it: it takes the place of what was said before.
///
/// A schema is only sent along when the state does not hold it; one that it neither holds nor is sent is not found, and
/// the announcement is made again with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// Who reads.
    pub incarnation: Incarnation,
    /// At most `limits::CONSUMED_MAX`, each path once.
    pub documents: Vec<Consumed>,
    /// Schemas that documents name, each at most `limits::SCHEMA_BYTES_MAX`; others are not kept.
    pub schemas: Vec<Bytes>,
}

/// A document that a process reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consumed {
    /// Without a layer: which of them apply to it is the instance's matter.
    pub path: Arc<str>,
    /// By which schema; none: it takes any value.
    pub schema: Option<SchemaHash>,
}

impl State {
    pub(crate) fn announce(&mut self, announce: &Announce) -> Result<Reply, Rejection> {
        let Announce { incarnation, documents, schemas } = announce;
        check_schemas(schemas)?;
        let owner = self.open_id(*incarnation)?;
        let documents = checked(documents)?;
        let instance = self.instances.open(owner).map(|owner| Arc::clone(&owner.instance));
        let instance = instance.ok_or(Rejection::IncarnationClosed(*incarnation))?;
        let kind = Kind::of(&instance, documents);
        self.consumers.take(*incarnation, kind, schemas, self.clock.revision)?;
        Ok(Reply::Announced)
    }
}

impl Consumers {
    fn take(
        &mut self,
        incarnation: Incarnation,
        kind: Kind,
        schemas: &[Bytes],
        revision: crate::Revision,
    ) -> Result<(), Rejection> {
        if self.by_incarnation.get(&incarnation).is_some_and(|present| **present == kind) {
            return Ok(());
        }
        let given: BTreeMap<_, _> = schemas.iter().map(|schema| (SchemaHash::of(schema), schema)).collect();
        let mut wanted = BTreeMap::new();
        for hash in kind.documents().iter().filter_map(|consumed| consumed.schema) {
            if self.schemas.get(hash).is_none() {
                wanted.insert(hash, *given.get(&hash).ok_or(Rejection::NotFound { what: "schema" })?);
            }
        }
        self.check_room(&kind, &wanted)?;
        for schema in wanted.values() {
            self.schemas.insert(schema);
        }
        // What it said before goes when the new is there, so that a group that is in both never disappears.
        let former = self.by_incarnation.remove(&incarnation);
        if !kind.documents().is_empty() {
            self.join(incarnation, kind, When::Now(revision));
        }
        if let Some(former) = former {
            self.leave_kind(incarnation, &former, revision);
        }
        Ok(())
    }

    fn check_room(&self, kind: &Kind, wanted: &BTreeMap<SchemaHash, &Bytes>) -> Result<(), Rejection> {
        let full = |what, limit: usize| Err(Rejection::Full { what, limit: limit as u64 });
        if self.schemas.len() + wanted.len() > limits::SCHEMAS_MAX {
            return full("schemas", limits::SCHEMAS_MAX);
        }
        let bytes: usize = wanted.values().map(|schema| schema.len()).sum();
        if self.schemas.bytes() + bytes > limits::SCHEMA_BYTES_TOTAL_MAX {
            return full("bytes of schemas", limits::SCHEMA_BYTES_TOTAL_MAX);
        }
        let is_new = !self.kinds.contains_key(kind);
        if is_new && self.documents + kind.documents().len() > limits::CONSUMED_TOTAL_MAX {
            return full("announced documents", limits::CONSUMED_TOTAL_MAX);
        }
        Ok(())
    }
}

fn check_schemas(schemas: &[Bytes]) -> Result<(), Rejection> {
    check::size("schemas", schemas.len(), limits::CONSUMED_MAX)?;
    for schema in schemas {
        check::bytes("schema", schema, limits::SCHEMA_BYTES_MAX)?;
    }
    check::size("schema", schemas.iter().map(Bytes::len).sum(), limits::ANNOUNCE_BYTES_MAX)
}

/// Sorted: the order they were given in means nothing.
fn checked(documents: &[Consumed]) -> Result<Arc<[Consumed]>, Rejection> {
    check::size("documents", documents.len(), limits::CONSUMED_MAX)?;
    documents.iter().try_for_each(|consumed| check::path(&consumed.path))?;
    let mut documents = documents.to_vec();
    documents.sort_unstable();
    if documents.windows(2).any(|pair| pair[0].path == pair[1].path) {
        return Err(Rejection::Repeated { field: "documents" });
    }
    Ok(documents.into())
}
