//! Sessions: where each user is connected.
//!
//! A session is a 32-byte row and its bytes in a page (`page`); pages are shared with snapshots (`rows`). Beside them
//! lie what a snapshot need not hold, since it can be rebuilt: the index by user (`index`), each owner's list of rows
//! in the order of their epochs (`links`), and counts by topic (`topic`). A typical session (16-byte user, 8-byte
//! connection, one topic) takes 28 bytes of heap, 32 of row, 8 of links and 10 to 20 of index.
//!
//! Invariants:
//! - A key has at most one row. Its owner is open, and it is live; or closed, and it is a leftover that answers
//!   nothing, counts nothing, and waits for the reaper or for the next register of its key.
//! - An owner's list is ordered by epoch, on a replica rebuilt from a snapshot too: the reaper takes its head.
//! - Row, owner and topic numbers and the order of the index differ between replicas, and never reach an outcome.
//!
//! Deliberately absent: a list of what was. Who needs the past of a session follows the notices.

mod bind;
mod freeze;
mod index;
mod kick;
mod links;
mod page;
mod query;
mod register;
mod row;
mod rows;
mod topic;
mod unregister;
mod view;
mod walk;
mod warm;

use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) use self::{
    freeze::FrozenSessions,
    links::List,
    row::{Content, Entry, OwnerId, RowId, TopicId},
    topic::TopicCounts,
};
use self::{index::Index, links::Links, rows::Rows, topic::Topics};
pub use self::{
    view::SessionView,
    walk::{ScanPosition, SessionFilter, SessionPage},
};
use crate::{
    digest::{Digest, Kind, Sum},
    instance::Instances,
};

/// All sessions, live ones and leftovers.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    rows: Rows,
    links: Links,
    index: Index,
    topics: Topics,
    /// Of the hash that orders users: the state id, so that the order differs between histories.
    seed: u64,
    stored: u64,
    sum: Sum,
}

impl Sessions {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seed, topics: Topics::seeded(seed), ..Self::default() }
    }

    /// Rows, leftovers of closed owners included.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum.value()
    }

    fn hash_of_user(&self, user: &[u8]) -> u64 {
        xxh3_64_with_seed(user, self.seed)
    }

    pub(crate) fn find(&self, user: &[u8], slot: &[u8]) -> Option<(RowId, Entry<'_>)> {
        self.of_user(user).find(|(_, entry)| entry.slot() == slot)
    }

    /// In no order.
    pub(crate) fn of_user<'a, 'u>(&'a self, user: &'u [u8]) -> impl Iterator<Item = (RowId, Entry<'a>)> + use<'a, 'u> {
        self.index
            .candidates(self.hash_of_user(user))
            .filter_map(|row| Some((row, self.rows.get(row)?)))
            .filter(move |(_, entry)| entry.user() == user)
    }

    /// The session, if its owner is open.
    pub(crate) fn view<'a>(&'a self, instances: &'a Instances, entry: Entry<'a>) -> Option<SessionView<'a>> {
        let owner = instances.open(entry.row.owner())?;
        Some(SessionView { entry, owner: &owner.instance, topics: &self.topics })
    }

    /// Puts a session into a new row, or over the one its key has. Its topics have been acquired.
    fn put(&mut self, instances: &mut Instances, old: Option<RowId>, content: &Content<'_>) {
        if let Some(row) = old {
            self.uncount(instances, row);
            self.unlink(instances, row);
        }
        let row = old.unwrap_or_else(|| self.links.take());
        self.rows.put(row, content);
        if old.is_none() {
            self.index.insert(self.hash_of_user(content.user), row);
            self.stored += 1;
        }
        self.count(instances, row);
        self.link(instances, row);
    }

    /// Writes a session again that keeps its owner and its epoch. Its topics have been acquired.
    fn rewrite(&mut self, instances: &mut Instances, row: RowId, content: &Content<'_>) {
        self.uncount(instances, row);
        self.rows.put(row, content);
        self.count(instances, row);
    }

    pub(crate) fn remove(&mut self, instances: &mut Instances, row: RowId) {
        self.uncount(instances, row);
        self.unlink(instances, row);
        if let Some(entry) = self.rows.get(row) {
            self.index.remove(self.hash_of_user(entry.user()), row);
        }
        self.rows.clear(row);
        self.links.give_back(row);
        self.stored -= 1;
    }

    /// Takes a row into the hash and its owner's topic counts.
    fn count(&mut self, instances: &mut Instances, row: RowId) {
        let Some(entry) = self.rows.get(row) else { return };
        let Some(owner) = instances.owner_mut(entry.row.owner()) else { return };
        self.sum.add(self.digest(entry, owner.instance.incarnation.0));
        if owner.is_open() {
            entry.topics().for_each(|topic| owner.topics.add(topic));
        }
    }

    /// Takes a row out of the hash and its owner's topic counts, and releases its topics.
    fn uncount(&mut self, instances: &mut Instances, row: RowId) {
        let Some(entry) = self.rows.get(row) else { return };
        let Some(owner) = instances.owner_mut(entry.row.owner()) else { return };
        self.sum.subtract(self.digest(entry, owner.instance.incarnation.0));
        if owner.is_open() {
            entry.topics().for_each(|topic| owner.topics.subtract(topic));
        }
        entry.topics().for_each(|topic| self.topics.release(topic));
    }

    /// Puts a row last in its owner's list.
    fn link(&mut self, instances: &mut Instances, row: RowId) {
        let Some(id) = self.rows.get(row).map(|entry| entry.row.owner()) else { return };
        let Some(owner) = instances.owner_mut(id) else { return };
        self.links.push(&mut owner.sessions, row);
        if owner.is_open() {
            instances.live += 1;
        }
    }

    /// Takes a row out of its owner's list. A closed owner that has no row left is forgotten.
    fn unlink(&mut self, instances: &mut Instances, row: RowId) {
        let Some(id) = self.rows.get(row).map(|entry| entry.row.owner()) else { return };
        let Some(owner) = instances.owner_mut(id) else { return };
        self.links.remove(&mut owner.sessions, row);
        if owner.is_open() {
            instances.live -= 1;
        } else if owner.sessions.len() == 0 {
            instances.forget(id);
        }
    }

    fn digest(&self, entry: Entry<'_>, incarnation: u64) -> u64 {
        let epoch = entry.row.epoch();
        let digest = Digest::of(Kind::Session)
            .number(incarnation)
            .epoch(epoch)
            .number(entry.registered_at().0)
            .number(entry.shape())
            .optional(entry.conn_seq())
            .bytes(entry.text());
        entry.topics().fold(digest, |digest, topic| digest.number(self.topics.digest(topic))).finish()
    }
}
