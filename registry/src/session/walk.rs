//! A walk over all live sessions, in the fixed order of (hash of the user, user, slot).
//!
//! The order is one for all replicas and does not move when sessions come and go, so a walk that goes on from a
//! position meets every session that was there throughout exactly once, whatever is written between its pages and
//! whichever node serves them. A position is a key: it says nothing about where rows lie, and whether the session it
//! names still exists does not matter.

use bytes::Bytes;

use super::{Entry, Sessions, index::Index, view::SessionView};
use crate::{Incarnation, SessionKey, State, instance::Instances, limits};

/// Where a walk stands: everything up to and including this key has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPosition(pub SessionKey);

/// Which sessions a walk answers with.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionFilter<'a> {
    /// Only those of this incarnation.
    pub incarnation: Option<Incarnation>,
    /// Only users that begin with these bytes.
    pub user_prefix: &'a [u8],
    /// Only those bound to this topic.
    pub topic: Option<&'a [u8]>,
}

/// One page of a walk.
#[derive(Debug, Clone)]
pub struct SessionPage<'a> {
    /// Live sessions that match, in the order of the walk. May be empty although the walk is not at its end.
    pub sessions: Vec<SessionView<'a>>,
    /// Where to go on; absent at the end.
    pub next: Option<ScanPosition>,
}

/// The order of a walk.
type Place<'a> = (u64, &'a [u8], &'a [u8]);

impl State {
    /// At most `limit` live sessions after a position, or fewer when `limits::WALK_ROWS_MAX` rows were looked at.
    #[must_use]
    pub fn sessions_page(
        &self,
        after: Option<&ScanPosition>,
        limit: usize,
        filter: &SessionFilter<'_>,
    ) -> SessionPage<'_> {
        let start = after
            .map(|ScanPosition(key)| (self.sessions.hash_of_user(&key.user), key.user.as_ref(), key.slot.as_ref()));
        let mut page = SessionPage { sessions: Vec::new(), next: None };
        let (mut looked_at, mut last) = (0, None);
        for shard in Index::shards_from(start.map_or(0, |(hash, ..)| hash)) {
            for (place, entry) in self.sessions.ordered(shard, start) {
                if page.sessions.len() >= limit.max(1) || looked_at >= limits::WALK_ROWS_MAX {
                    page.next = last.map(position);
                    return page;
                }
                looked_at += 1;
                last = Some(place);
                let view = self.sessions.view(&self.instances, entry);
                page.sessions.extend(view.filter(|view| filter.matches(view)));
            }
        }
        page
    }

    /// Live sessions.
    #[must_use]
    pub fn sessions_live(&self) -> u64 {
        self.instances.live
    }

    /// How many live sessions each open incarnation has, or has bound to a topic. Sorted by incarnation, none with 0.
    #[must_use]
    pub fn count_by_instance(&self, topic: Option<&[u8]>) -> Vec<(Incarnation, u64)> {
        let topic = topic.map(|name| self.sessions.topics.find(name));
        let count = |owner: &crate::instance::Owner| match topic {
            None => owner.sessions.len(),
            Some(None) => 0,
            Some(Some(topic)) => owner.topics.get(topic),
        };
        let owners = Instances::open_owners(&self.instances);
        owners.map(|owner| (owner.instance.incarnation, count(owner))).filter(|(_, count)| *count > 0).collect()
    }
}

impl Sessions {
    /// The rows of one shard after a place, sorted.
    fn ordered<'a>(&'a self, shard: usize, after: Option<Place<'_>>) -> Vec<(Place<'a>, Entry<'a>)> {
        let rows: Vec<_> = self.index.rows(shard).collect();
        self.warm_rows(&rows);
        let mut placed: Vec<_> = rows
            .into_iter()
            .filter_map(|row| self.rows.get(row))
            .map(|entry| ((self.hash_of_user(entry.user()), entry.user(), entry.slot()), entry))
            .filter(|(place, _)| after.is_none_or(|after| *place > after))
            .collect();
        placed.sort_unstable_by_key(|(place, _)| *place);
        placed
    }
}

impl SessionFilter<'_> {
    fn matches(&self, view: &SessionView<'_>) -> bool {
        self.incarnation.is_none_or(|incarnation| view.incarnation() == incarnation)
            && view.user().starts_with(self.user_prefix)
            && self.topic.is_none_or(|topic| view.topics().any(|name| name == topic))
    }
}

fn position((_, user, slot): Place<'_>) -> ScanPosition {
    ScanPosition(SessionKey { user: Bytes::copy_from_slice(user), slot: Bytes::copy_from_slice(slot) })
}
