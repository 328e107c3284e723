//! What a judge is told of consumers.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;

use super::{Consumed, ConsumerGroup, Consumers, Kind, SchemaHash};
use crate::{Incarnation, Revision, State};

/// The readers of a path that are of one group.
#[derive(Debug, Clone, Copy)]
pub struct ConsumersOfGroup<'a> {
    group: &'a ConsumerGroup,
    kinds: &'a BTreeSet<Arc<Kind>>,
    consumers: &'a Consumers,
}

impl<'a> ConsumersOfGroup<'a> {
    /// What they have in common.
    #[must_use]
    pub const fn group(&self) -> &'a ConsumerGroup {
        self.group
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.members().map(BTreeSet::len).sum()
    }

    /// Which; in no order that means anything.
    pub fn incarnations(&self) -> impl Iterator<Item = Incarnation> + use<'a> {
        self.members().flatten().copied()
    }

    fn members(&self) -> impl Iterator<Item = &'a BTreeSet<Incarnation>> + use<'a> {
        let consumers = self.consumers;
        self.kinds.iter().filter_map(|kind| consumers.kinds.get(kind)).map(AsRef::as_ref)
    }
}

impl State {
    /// Who reads a path, sorted by group.
    pub fn consumers<'a>(&'a self, path: &str) -> impl Iterator<Item = ConsumersOfGroup<'a>> + use<'a> {
        let consumers = &self.consumers;
        let groups = consumers.readers.get(path).into_iter().flat_map(|readers| &readers.groups);
        groups.map(move |(group, kinds)| ConsumersOfGroup { group, kinds, consumers })
    }

    /// When a group of readers of a path appeared or disappeared last; 0 while nobody reads it.
    #[must_use]
    pub fn consumers_revision(&self, path: &str) -> Revision {
        self.consumers.readers.get(path).map_or_else(Revision::default, |readers| readers.changed)
    }

    /// What an open incarnation reads, sorted by path; nothing, if it has not said so.
    #[must_use]
    pub fn consumed_by(&self, incarnation: Incarnation) -> &[Consumed] {
        self.consumers.by_incarnation.get(&incarnation).map_or(&[], |kind| kind.documents())
    }

    /// A schema that a process announced, while one of its kind is open.
    #[must_use]
    pub fn schema(&self, hash: SchemaHash) -> Option<&Bytes> {
        self.consumers.schemas.get(hash)
    }
}
