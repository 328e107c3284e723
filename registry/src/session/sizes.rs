//! Which topics are the largest.
//!
//! There may be millions of topics, and nobody wants to hold a state still to sort them. They lie in classes by the
//! power of two of their rows, so that a topic moves only when it doubles or halves, in constant time, and most binds
//! move nothing. The largest are in the highest classes: a ranking reads from there down until it has enough, and looks
//! at `limits::TOP_TOPICS_LOOKED_AT_MAX` at most. Only when a class alone has more than that, topics of about the same
//! size (within a factor of two), some of them are left out.
//!
//! Rows are those of sessions that no longer answer too, until they are swept: what is live is counted by owner
//! ([`State::count_by_instance`]), for the few topics that made it into the ranking, and one at a time, so that a
//! reader may let go of the state in between.

use std::{cmp::Reverse, sync::Arc};

use super::row::TopicId;
use crate::{State, limits};

const CLASSES: usize = u32::BITS as usize;

/// A topic in a ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSize {
    /// Its name.
    pub name: Arc<[u8]>,
    /// Sessions bound to it, those included that no longer answer and are not swept yet.
    pub rows: u64,
}

/// Topics by the power of two of their rows.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    classes: [Vec<TopicId>; CLASSES],
}

impl Sizes {
    /// Returns the topic's place in the class of so many rows, which are not none.
    pub(super) fn insert(&mut self, rows: u32, topic: TopicId) -> u32 {
        let class = &mut self.classes[rows.ilog2() as usize];
        class.push(topic);
        class.len() as u32 - 1
    }

    /// Returns the topic that is in that place now, if there is one.
    pub(super) fn remove(&mut self, rows: u32, place: u32) -> Option<TopicId> {
        let class = &mut self.classes[rows.ilog2() as usize];
        class.swap_remove(place as usize);
        class.get(place as usize).copied()
    }

    /// Enough of the largest to find the `limit` largest among, unless that were too many.
    fn candidates(&self, limit: usize) -> Vec<TopicId> {
        let mut found = Vec::new();
        for class in self.classes.iter().rev() {
            if found.len() >= limit {
                break;
            }
            let room = limits::TOP_TOPICS_LOOKED_AT_MAX.saturating_sub(found.len());
            found.extend(class.iter().take(room));
        }
        found
    }
}

impl State {
    /// The topics with the most rows, the largest first. It looks at a bounded number of topics, however many there
    /// are.
    #[must_use]
    pub fn top_topics(&self, limit: usize) -> Vec<TopicSize> {
        let topics = &self.sessions.topics;
        let candidates = topics.sizes().candidates(limit);
        let mut sizes: Vec<_> = candidates.into_iter().filter_map(|topic| topics.size(topic)).collect();
        sizes.sort_unstable_by(|a, b| (Reverse(a.rows), &a.name).cmp(&(Reverse(b.rows), &b.name)));
        sizes.truncate(limit);
        sizes
    }
}
