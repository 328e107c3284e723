//! Consumers: which open incarnations read which documents, and by which schema.
//!
//! A process announces what it reads; that is what a publish is judged against. What it said is gone with its
//! incarnation.
//!
//! Processes of one service and version say the same, as a rule. So what was said is kept once for each *kind*
//! (service, version, and all that is read), and an incarnation only points at it: a fleet costs a pointer an
//! instance, and closing one costs nothing here unless it was the last of its kind, whose paths,
//! `limits::CONSUMED_MAX` at most, are then looked at.
//!
//! Invariants:
//! - A path's revision moves when a group of its readers (service, version, schema) appears or disappears, and not when
//!   a group gains or loses a process: a rolling restart moves nothing that a publish was judged by.
//! - A path that nobody reads is not remembered. Its revision is 0 then, whatever it was before: to a publish nobody is
//!   nobody.
//! - A schema is kept while a kind names it, and is found by the hash of its bytes, which the state computes itself.

mod announce;
mod freeze;
mod kind;
mod schema;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(crate) use self::freeze::FrozenConsumers;
pub use self::{
    announce::{Announce, Consumed},
    freeze::AnnouncementRecord,
    kind::ConsumerGroup,
    schema::{Schema, SchemaHash},
    view::ConsumersOfGroup,
};
use self::{kind::Kind, schema::HeldSchemas};
use crate::{
    Incarnation, Revision,
    digest::{Digest, Kind as DigestKind, Sum},
};

/// Who reads what.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    kinds: BTreeMap<Arc<Kind>, Arc<BTreeSet<Incarnation>>>,
    by_incarnation: BTreeMap<Incarnation, Arc<Kind>>,
    readers: BTreeMap<Arc<str>, Readers>,
    schemas: HeldSchemas,
    /// Of all kinds.
    documents: usize,
    sum: Sum,
}

/// Who reads a path.
#[derive(Debug)]
struct Readers {
    /// When a group appeared or disappeared last.
    changed: Revision,
    groups: BTreeMap<ConsumerGroup, BTreeSet<Arc<Kind>>>,
}

/// When a change is taken to have happened.
#[derive(Debug, Clone, Copy)]
enum When {
    Now(Revision),
    /// It comes from a snapshot, which says so itself.
    Before,
}

impl Consumers {
    /// Nothing while nobody ever said anything: the state hashes as it did before there was such a thing.
    pub(crate) fn digest(&self) -> Option<u64> {
        let is_empty = self.by_incarnation.is_empty() && self.readers.is_empty() && self.schemas.is_empty();
        let digest = Digest::of(DigestKind::Consumers).number(self.sum.value()).number(self.schemas.sum());
        (!is_empty).then(|| digest.finish())
    }

    /// An incarnation is of a kind from now on.
    fn join(&mut self, incarnation: Incarnation, kind: Kind, when: When) {
        let (kind, members) = match self.kinds.remove_entry(&kind) {
            Some(known) => known,
            None => (self.introduce(kind, when), Arc::default()),
        };
        self.sum.add(kind.member_digest(incarnation));
        self.by_incarnation.insert(incarnation, Arc::clone(&kind));
        let members = self.kinds.entry(kind).or_insert(members);
        Arc::make_mut(members).insert(incarnation);
    }

    fn introduce(&mut self, kind: Kind, when: When) -> Arc<Kind> {
        let kind = Arc::new(kind);
        self.documents += kind.documents().len();
        for consumed in kind.documents() {
            if let Some(schema) = consumed.schema {
                self.schemas.acquire(schema);
            }
            let new = || Readers { changed: Revision::default(), groups: BTreeMap::new() };
            if !self.readers.contains_key(&consumed.path) {
                self.sum.add(readers_digest(&consumed.path, Revision::default()));
            }
            let readers = self.readers.entry(Arc::clone(&consumed.path)).or_insert_with(new);
            let kinds = readers.groups.entry(kind.group(consumed)).or_default();
            let appeared = kinds.is_empty();
            kinds.insert(Arc::clone(&kind));
            if let (true, When::Now(revision)) = (appeared, when) {
                self.moved(&consumed.path, revision);
            }
        }
        kind
    }

    /// An incarnation reads nothing any more.
    pub(crate) fn leave(&mut self, incarnation: Incarnation, revision: Revision) {
        if let Some(kind) = self.by_incarnation.remove(&incarnation) {
            self.leave_kind(incarnation, &kind, revision);
        }
    }

    fn leave_kind(&mut self, incarnation: Incarnation, kind: &Arc<Kind>, revision: Revision) {
        self.sum.subtract(kind.member_digest(incarnation));
        let Some(members) = self.kinds.get_mut(kind) else { return };
        Arc::make_mut(members).remove(&incarnation);
        if members.is_empty() {
            self.kinds.remove(kind);
            self.retire(kind, revision);
        }
    }

    fn retire(&mut self, kind: &Arc<Kind>, revision: Revision) {
        self.documents -= kind.documents().len();
        for consumed in kind.documents() {
            if let Some(schema) = consumed.schema {
                self.schemas.release(schema);
            }
            let Some(readers) = self.readers.get_mut(&consumed.path) else { continue };
            let group = kind.group(consumed);
            let Some(kinds) = readers.groups.get_mut(&group) else { continue };
            kinds.remove(kind);
            if !kinds.is_empty() {
                continue;
            }
            readers.groups.remove(&group);
            if readers.groups.is_empty() {
                let changed = readers.changed;
                self.readers.remove(&consumed.path);
                self.sum.subtract(readers_digest(&consumed.path, changed));
            } else {
                self.moved(&consumed.path, revision);
            }
        }
    }

    fn moved(&mut self, path: &str, revision: Revision) {
        let Some(readers) = self.readers.get_mut(path) else { return };
        self.sum.subtract(readers_digest(path, readers.changed));
        readers.changed = revision;
        self.sum.add(readers_digest(path, revision));
    }
}

fn readers_digest(path: &str, changed: Revision) -> u64 {
    Digest::of(DigestKind::Consumers).text(path).number(changed.0).finish()
}
