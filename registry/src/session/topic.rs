//! Topic names, each stored once.
//!
//! Rows hold numbers. A name lives as long as a row is bound to it; its number is used again afterwards. Names lie in
//! pages behind `Arc` for snapshots; the counts, which change with every register, lie outside of them.

use std::sync::Arc;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    row::TopicId,
    sizes::{Sizes, TopicSize},
};
use crate::{
    SessionPolicy,
    digest::{Digest, Kind},
};

const PAGE_NAMES: usize = 64;

type Page = Vec<Option<Arc<[u8]>>>;

/// The names alone: what a snapshot holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pages: Vec<Arc<Page>>,
}

impl Names {
    fn set(&mut self, topic: TopicId, name: Option<Arc<[u8]>>) {
        let place = topic.0 as usize;
        if place / PAGE_NAMES == self.pages.len() {
            self.pages.push(Arc::new(vec![None; PAGE_NAMES]));
        }
        Arc::make_mut(&mut self.pages[place / PAGE_NAMES])[place % PAGE_NAMES] = name;
    }

    fn get(&self, topic: TopicId) -> Option<&Arc<[u8]>> {
        let place = topic.0 as usize;
        self.pages.get(place / PAGE_NAMES)?.get(place % PAGE_NAMES)?.as_ref()
    }

    pub(super) fn into_pages(self) -> impl Iterator<Item = (u32, Arc<Page>)> {
        self.pages.into_iter().enumerate().map(|(page, names)| ((page * PAGE_NAMES) as u32, names))
    }
}

/// The name's weight in the hash of the state, and how many rows use it.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    digest: u64,
    rows: u32,
    /// Where it lies among topics of its size.
    place: u32,
    /// 0: the policy does not bound it. Otherwise one above its place among the bounds.
    bound: u32,
}

/// A topic that the policy bounds. It uses the name like a row, so that the number stays.
#[derive(Debug, Clone, Copy)]
struct Bound {
    topic: TopicId,
    max: u64,
    /// Live sessions of all owners that are bound to it.
    live: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Topics {
    names: Names,
    uses: Vec<Use>,
    vacant: Vec<TopicId>,
    by_name: HashTable<TopicId>,
    sizes: Sizes,
    bounds: Vec<Bound>,
    seed: u64,
}

impl Topics {
    pub(super) fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The name's number, if any row is bound to it.
    pub(crate) fn find(&self, name: &[u8]) -> Option<TopicId> {
        let found = self.by_name.find(self.hash(name), |topic| self.name(*topic) == name);
        found.copied()
    }

    pub(crate) fn name(&self, topic: TopicId) -> &[u8] {
        self.names.get(topic).map_or(&[], |name| name)
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn digest(&self, topic: TopicId) -> u64 {
        self.uses.get(topic.0 as usize).map_or(0, |one| one.digest)
    }

    /// One more row uses this name.
    pub(super) fn acquire(&mut self, name: &[u8]) -> TopicId {
        let topic = self.find(name).unwrap_or_else(|| self.insert(name));
        self.acquire_again(topic);
        topic
    }

    /// One more row uses this name, which has a number.
    pub(super) fn acquire_again(&mut self, topic: TopicId) {
        let one = &mut self.uses[topic.0 as usize];
        one.rows += 1;
        let rows = one.rows;
        if rows.is_power_of_two() {
            self.resize(topic, rows - 1, rows);
        }
    }

    /// One row fewer uses this name.
    pub(super) fn release(&mut self, topic: TopicId) {
        let one = &mut self.uses[topic.0 as usize];
        let rows = one.rows;
        one.rows -= 1;
        if rows.is_power_of_two() {
            self.resize(topic, rows, rows - 1);
        }
        if rows > 1 {
            return;
        }
        let hash = self.hash(self.name(topic));
        if let Ok(entry) = self.by_name.find_entry(hash, |other| *other == topic) {
            entry.remove();
        }
        self.names.set(topic, None);
        self.vacant.push(topic);
    }

    /// Moves a topic to others of its size.
    fn resize(&mut self, topic: TopicId, before: u32, rows: u32) {
        let place = self.uses[topic.0 as usize].place;
        if before > 0
            && let Some(moved) = self.sizes.remove(before, place)
        {
            self.uses[moved.0 as usize].place = place;
        }
        if rows > 0 {
            self.uses[topic.0 as usize].place = self.sizes.insert(rows, topic);
        }
    }

    pub(super) fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    pub(super) fn size(&self, topic: TopicId) -> Option<TopicSize> {
        let rows = self.uses.get(topic.0 as usize)?.rows;
        Some(TopicSize { name: Arc::clone(self.names.get(topic)?), rows: rows.into() })
    }

    pub(super) fn are_bounded(&self) -> bool {
        !self.bounds.is_empty()
    }

    /// How many live sessions are bound to it, and how many may be.
    pub(super) fn bound(&self, topic: TopicId) -> Option<(u64, u64)> {
        let place = self.uses.get(topic.0 as usize)?.bound.checked_sub(1)?;
        self.bounds.get(place as usize).map(|bound| (bound.live, bound.max))
    }

    /// Bounds the topics that the policy bounds. Those that were bounded before are counted already.
    pub(super) fn bound_to(&mut self, policy: &SessionPolicy, count: impl Fn(TopicId) -> u64) {
        let former = std::mem::take(&mut self.bounds);
        for bound in &former {
            self.uses[bound.topic.0 as usize].bound = 0;
        }
        for (name, topic) in &policy.topics {
            let Some(max) = topic.sessions_max else { continue };
            let topic = self.acquire(name);
            let known = former.iter().find(|bound| bound.topic == topic).map(|bound| bound.live);
            self.bounds.push(Bound { topic, max, live: known.unwrap_or_else(|| count(topic)) });
            self.uses[topic.0 as usize].bound = self.bounds.len() as u32;
        }
        former.iter().for_each(|bound| self.release(bound.topic));
    }

    /// A live session is bound to it.
    pub(super) fn enter(&mut self, topic: TopicId) {
        if self.are_bounded()
            && let Some(bound) = self.bound_mut(topic)
        {
            bound.live += 1;
        }
    }

    /// A live session is bound to it no longer.
    pub(super) fn leave(&mut self, topic: TopicId) {
        if self.are_bounded()
            && let Some(bound) = self.bound_mut(topic)
        {
            bound.live -= 1;
        }
    }

    /// All sessions of an owner are live no longer.
    pub(super) fn forget(&mut self, counts: &TopicCounts) {
        for bound in &mut self.bounds {
            bound.live -= counts.get(bound.topic);
        }
    }

    fn bound_mut(&mut self, topic: TopicId) -> Option<&mut Bound> {
        let place = self.uses.get(topic.0 as usize)?.bound.checked_sub(1)?;
        self.bounds.get_mut(place as usize)
    }

    fn insert(&mut self, name: &[u8]) -> TopicId {
        let one = Use { digest: Digest::of(Kind::Topic).bytes(name).finish(), ..Use::default() };
        let topic = match self.vacant.pop() {
            Some(topic) => topic,
            None => {
                self.uses.push(Use::default());
                TopicId(self.uses.len() as u32 - 1)
            }
        };
        self.uses[topic.0 as usize] = one;
        self.names.set(topic, Some(name.into()));
        let (names, seed) = (&self.names, self.seed);
        let hash_of = |topic: &TopicId| names.get(*topic).map_or(0, |name| xxh3_64_with_seed(name, seed));
        self.by_name.insert_unique(hash_of(&topic), topic, hash_of);
        topic
    }

    fn hash(&self, name: &[u8]) -> u64 {
        xxh3_64_with_seed(name, self.seed)
    }
}

/// How many of one owner's sessions are bound to each topic.
#[derive(Debug, Default)]
pub(crate) struct TopicCounts {
    counts: HashTable<(TopicId, u32)>,
}

impl TopicCounts {
    pub(crate) fn get(&self, topic: TopicId) -> u64 {
        let found = self.counts.find(spread(topic), |(other, _)| *other == topic);
        found.map_or(0, |(_, count)| u64::from(*count))
    }

    pub(super) fn add(&mut self, topic: TopicId) {
        let entry = self.counts.entry(spread(topic), |(other, _)| *other == topic, |(other, _)| spread(*other));
        entry.or_insert((topic, 0)).into_mut().1 += 1;
    }

    pub(super) fn subtract(&mut self, topic: TopicId) {
        let Ok(mut entry) = self.counts.find_entry(spread(topic), |(other, _)| *other == topic) else { return };
        entry.get_mut().1 -= 1;
        if entry.get().1 == 0 {
            entry.remove();
        }
    }
}

/// Topic numbers are small: spread them over the bits the table looks at.
fn spread(topic: TopicId) -> u64 {
    let product = u64::from(topic.0 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 32)
}
