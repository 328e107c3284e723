//! Rows put in and taken out, with everything that hangs on them.
//!
//! A row is counted (the hash of the state, its owner's topics, the topics that the policy bounds) and linked (its
//! owner's list, or the list of those that linger). Both are undone before it changes and done again afterwards, so
//! that no other code ever adds to them.

use super::{Content, Dropped, Entry, RowId, Sessions, topic::Topics};
use crate::{
    digest::{Digest, Kind},
    instance::{Instances, Owner},
    planted,
};

impl Sessions {
    /// Puts a session into a new row, or over the one its key has. Its topics have been acquired.
    pub(super) fn put(&mut self, instances: &mut Instances, old: Option<RowId>, content: &Content<'_>) {
        if let Some(row) = old {
            self.take_out(instances, row);
            self.rows.put(row, content);
            self.take_in(instances, row);
        } else {
            let row = self.put_new(instances, content);
            self.index.insert(self.hash_of_user(content.user), row);
        }
    }

    /// Puts a session into a new row that the index does not know yet.
    pub(super) fn put_new(&mut self, instances: &mut Instances, content: &Content<'_>) -> RowId {
        let row = self.links.take();
        self.rows.put(row, content);
        self.stored += 1;
        self.take_in(instances, row);
        row
    }

    /// Writes a session again that keeps its owner and its epoch. Its topics have been acquired.
    pub(super) fn rewrite(&mut self, instances: &mut Instances, row: RowId, content: &Content<'_>) {
        if let Some((entry, owner)) = self.rows.get(row).and_then(|entry| Some((entry, owner_of(instances, entry)?))) {
            self.sum.subtract(digest(&self.topics, entry, owner));
            uncount(&mut self.topics, entry, owner);
        }
        self.rows.put(row, content);
        if let Some((entry, owner)) = self.rows.get(row).and_then(|entry| Some((entry, owner_of(instances, entry)?))) {
            self.sum.add(digest(&self.topics, entry, owner));
            count(&mut self.topics, entry, owner);
        }
    }

    pub(crate) fn remove(&mut self, instances: &mut Instances, row: RowId) {
        self.take_out(instances, row);
        if let Some(entry) = self.rows.get(row) {
            self.index.remove(self.hash_of_user(entry.user()), row);
        }
        self.rows.clear(row);
        self.links.give_back(row);
        self.stored -= 1;
    }

    /// Counts a row, and puts it last in its list.
    fn take_in(&mut self, instances: &mut Instances, row: RowId) {
        let Some(entry) = self.rows.get(row) else { return };
        let Some(owner) = owner_of(instances, entry) else { return };
        self.sum.add(digest(&self.topics, entry, owner));
        count(&mut self.topics, entry, owner);
        if let Some(dropped) = entry.dropped() {
            self.lingering.push(&mut self.links, dropped.graces, row);
            owner.lingering += 1;
            return;
        }
        self.links.push(&mut owner.sessions, row);
        if owner.is_open() {
            instances.live += 1;
        }
    }

    /// The opposite. Its topics are released, and a closed owner that has no row left is forgotten.
    fn take_out(&mut self, instances: &mut Instances, row: RowId) {
        let Some(entry) = self.rows.get(row) else { return };
        let Some(owner) = owner_of(instances, entry) else { return };
        self.sum.subtract(digest(&self.topics, entry, owner));
        uncount(&mut self.topics, entry, owner);
        if let Some(dropped) = entry.dropped() {
            self.lingering.remove(&mut self.links, dropped.graces, row);
            owner.lingering -= 1;
        } else {
            if let Some(closed) = owner.closed.as_mut().filter(|closed| closed.next == row && !planted!("reap-newer")) {
                closed.next = self.links.around(row).1;
            }
            self.links.remove(&mut owner.sessions, row);
        }
        if !owner.is_open() {
            instances.forget_settled(entry.row.owner());
        } else if !entry.row.is_dropped() {
            instances.live -= 1;
        }
    }
}

fn owner_of<'a>(instances: &'a mut Instances, entry: Entry<'_>) -> Option<&'a mut Owner> {
    instances.owner_mut(entry.row.owner())
}

/// Only live sessions count.
fn count(topics: &mut Topics, entry: Entry<'_>, owner: &mut Owner) {
    if owner.is_open() && !entry.row.is_dropped() {
        for topic in entry.topics() {
            owner.topics.add(topic);
            topics.enter(topic);
        }
    }
}

fn uncount(topics: &mut Topics, entry: Entry<'_>, owner: &mut Owner) {
    if owner.is_open() && !entry.row.is_dropped() {
        for topic in entry.topics() {
            owner.topics.subtract(topic);
            topics.leave(topic);
        }
    }
    entry.topics().for_each(|topic| topics.release(topic));
}

fn digest(topics: &Topics, entry: Entry<'_>, owner: &Owner) -> u64 {
    let digest = Digest::of(Kind::Session)
        .number(owner.instance.incarnation.0)
        .epoch(entry.row.epoch())
        .number(entry.registered_at().0)
        .number(entry.shape())
        .optional(entry.conn_seq())
        .bytes(entry.text());
    let digest = entry.flushed().map_or(digest, |flushed| digest.epoch(flushed));
    let digest = entry.dropped().map_or(digest, |dropped| {
        let Dropped { cursor, at, graces } = dropped;
        digest.number(cursor.revision.0).number(cursor.position.into()).number(at.0).number(graces.into())
    });
    entry.topics().fold(digest, |digest, topic| digest.number(topics.digest(topic))).finish()
}
