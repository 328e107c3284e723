//! Sessions: where each user is connected.
//!
//! A session is a 32-byte row and its bytes in a page (`page`); pages are shared with snapshots (`rows`). Beside them
//! lie what a snapshot need not hold, since it can be rebuilt: the index by user (`index`), each owner's list of rows
//! in the order of their epochs (`links`), and counts by topic (`topic`). A typical session (16-byte user, 8-byte
//! connection, one topic) takes 28 bytes of heap, 32 of row, 8 of links and 10 to 20 of index.
//!
//! Invariants:
//! - A key has at most one row. Its owner is open and its connection did not drop, and it is live; or it is absent:
//!   it answers nothing, counts nothing, and waits for a sweep or for the next register of its key.
//! - A live row lies in its owner's list, and stays there when the owner closes; one that dropped lies in the list of
//!   those that linger by the same graces.
//! - An owner's list is ordered by epoch, the others by when sessions dropped, on a replica rebuilt from a snapshot
//!   too: sweeps go on where they were.
//! - Row, owner and topic numbers and the order of the index differ between replicas, and never reach an outcome.
//!
//! Deliberately absent: a list of what was. Who needs the past of a session follows the notices, or presence.

mod absence;
mod bind;
mod flush;
mod freeze;
mod index;
mod kick;
mod kick_job;
mod kick_step;
mod linger;
mod links;
mod page;
mod part;
mod query;
mod quota;
mod register;
mod replace;
mod row;
mod rows;
mod selector;
mod sizes;
mod store;
mod sweep;
mod tell;
mod topic;
mod unindexed;
mod unregister;
mod view;
mod walk;
mod warm;

use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) use self::{
    freeze::FrozenSessions,
    kick_job::Kicks,
    links::List,
    row::{Content, Entry, OwnerId, RowId, TopicId},
    topic::{TopicCounts, Topics},
    unindexed::Unindexed,
};
use self::{index::Index, linger::Lingering, links::Links, rows::Rows};
pub use self::{
    kick_job::{KickConfirmation, KickGateway, KickJob},
    linger::{Dropped, Pass},
    part::Part,
    query::{FormerState, Formerly},
    sizes::TopicSize,
    view::SessionView,
    walk::{ScanPosition, SessionFilter, SessionPage, Walked},
};
use crate::{digest::Sum, instance::Instances};

/// All sessions, live ones and leftovers.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    rows: Rows,
    links: Links,
    index: Index,
    topics: Topics,
    lingering: Lingering,
    /// Of the hash that orders users: the id the state was founded with, so that the order differs between clusters. A
    /// restored state keeps it, because changing it would mean to index every session anew.
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

    pub(crate) fn seed(&self) -> u64 {
        self.seed
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

    pub(crate) fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Versions of graces by which sessions linger.
    pub(crate) fn graces_in_use(&self) -> usize {
        self.lingering.versions()
    }

    pub(crate) fn lingering_digest(&self) -> u64 {
        self.lingering.digest()
    }

    /// The session, if it is live.
    pub(crate) fn view<'a>(&'a self, instances: &'a Instances, entry: Entry<'a>) -> Option<SessionView<'a>> {
        instances.open(entry.row.owner()).filter(|_| !entry.row.is_dropped())?;
        self.view_of(instances, entry)
    }

    /// The session, live or absent.
    fn view_of<'a>(&'a self, instances: &'a Instances, entry: Entry<'a>) -> Option<SessionView<'a>> {
        let owner = instances.owner(entry.row.owner())?;
        Some(SessionView { entry, owner: &owner.instance, topics: &self.topics })
    }
}
