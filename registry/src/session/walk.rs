//! A walk over sessions, in the fixed order of (hash of the user, user, slot).
//!
//! The order is one for all replicas and does not move when sessions come and go, so a walk that goes on from a
//! position meets every session that was there throughout exactly once, whatever is written between its pages and
//! whichever node serves them. A position is a key: it says nothing about where rows lie, and whether the session it
//! names still exists does not matter.
//!
//! What is met once is a *registration*: a device that comes back between two pages has a new one, which must neither
//! be met a second time nor be missed. So a walk is bounded above: it leaves out what was registered after `until`, the
//! revision it began at, and another walk with that revision as its `since` meets just those. Nothing is pinned for it:
//! an epoch says which of the two a row belongs to. Parts divide the order into equal ranges of the hash; together they
//! are the whole walk.
//!
//! Whoever begins to follow presence, or has lost the thread, starts from a walk too, and must then be told what its
//! facts go on from: not who is live, but who was told to be online and not to be offline ([`Walked::Seen`]). A session
//! that lingers is among them; were it left out, its return to the same gateway would change nothing that anybody is
//! told.

use bytes::Bytes;

use super::{Entry, RowId, Sessions, absence::Known, index::Index, part::Part, view::SessionView};
use crate::{Incarnation, Revision, SessionKey, SessionSelector, State, instance::Instances, limits};

/// Where a walk stands: everything up to and including this key has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPosition(pub SessionKey);

/// Which of the sessions that match a walk answers with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Walked {
    /// Those that are live.
    #[default]
    Live,
    /// Those that subscribers of presence see: of the selector's topic, or those of everything when it has none.
    Seen,
}

/// Which sessions a walk answers with. It stays the same for all pages of a walk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// What they are like.
    pub selector: SessionSelector,
    /// Only registrations after this revision; `Revision(0)`: all.
    pub since: Revision,
    /// Only registrations up to this revision: the one the walk's first page was read at. None: whatever is there.
    pub until: Option<Revision>,
    /// Which share of the keys.
    pub part: Part,
    /// Whether only those that are live.
    pub walked: Walked,
}

/// One page of a walk.
#[derive(Debug, Clone)]
pub struct SessionPage<'a> {
    /// Sessions that match, in the order of the walk. May be empty although the walk is not at its end.
    pub sessions: Vec<SessionView<'a>>,
    /// Where to go on; absent at the end.
    pub next: Option<ScanPosition>,
}

/// The order of a walk.
pub(super) type Place<'a> = (u64, &'a [u8], &'a [u8]);

impl State {
    /// At most `limit` sessions after a position, or fewer when `limits::WALK_ROWS_MAX` rows were looked at.
    #[must_use]
    pub fn sessions_page(&self, after: Option<&ScanPosition>, limit: usize, filter: &SessionFilter) -> SessionPage<'_> {
        let mut page = SessionPage { sessions: Vec::new(), next: None };
        let Some(matcher) = self.matcher(&filter.selector, filter.walked) else { return page };
        let start = after.map(|position| self.sessions.place_of(position));
        let hashes = filter.part.hashes();
        let (mut looked_at, mut last) = (0, None);
        let first = start.map_or(0, |(hash, ..)| hash).max(*hashes.start());
        for shard in Index::shards_between(first, *hashes.end()) {
            for (place, _, entry) in self.sessions.ordered(shard, start) {
                if !hashes.contains(&place.0) {
                    continue;
                }
                if page.sessions.len() >= limit.max(1) || looked_at >= limits::WALK_ROWS_MAX {
                    page.next = last.map(position);
                    return page;
                }
                looked_at += 1;
                last = Some(place);
                if filter.is_of_time(entry) && matcher.matches(entry) {
                    page.sessions.extend(match filter.walked {
                        Walked::Live => self.sessions.view(&self.instances, entry),
                        Walked::Seen => self.seen(entry, &filter.selector),
                    });
                }
            }
        }
        page
    }

    /// A session that was told to be online, and not to be offline.
    fn seen<'a>(&'a self, entry: Entry<'a>, selector: &SessionSelector) -> Option<SessionView<'a>> {
        let (view, now) = (self.sessions.view_of(&self.instances, entry)?, self.clock.time);
        let is_meant = |(service, id): &(String, String)| *view.owner.service == **service && *view.owner.id == **id;
        let known = self.absence(entry).map(|absence| match &selector.topic {
            Some(topic) => absence.topic(topic, now),
            None => absence.whole(view.topics(), now),
        });
        (known != Some(Known::Told) && selector.instance.as_ref().is_none_or(is_meant)).then_some(view)
    }

    /// Live sessions.
    #[must_use]
    pub fn sessions_live(&self) -> u64 {
        self.instances.live
    }

    /// How many sessions are not live, and are kept until they come back or a sweep settles them.
    #[must_use]
    pub fn sessions_absent(&self) -> u64 {
        self.sessions.stored().saturating_sub(self.sessions_live())
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
    pub(super) fn ordered<'a>(&'a self, shard: usize, after: Option<Place<'_>>) -> Vec<(Place<'a>, RowId, Entry<'a>)> {
        let rows: Vec<_> = self.index.rows(shard).collect();
        self.warm_rows(&rows);
        let mut placed: Vec<_> = rows
            .into_iter()
            .filter_map(|row| Some((row, self.rows.get(row)?)))
            .map(|(row, entry)| ((self.hash_of_user(entry.user()), entry.user(), entry.slot()), row, entry))
            .filter(|(place, ..)| after.is_none_or(|after| *place > after))
            .collect();
        placed.sort_unstable_by_key(|(place, ..)| *place);
        placed
    }

    pub(super) fn place_of<'p>(&self, ScanPosition(key): &'p ScanPosition) -> Place<'p> {
        (self.hash_of_user(&key.user), &key.user, &key.slot)
    }
}

impl SessionFilter {
    fn is_of_time(&self, entry: Entry<'_>) -> bool {
        let registered = entry.row.epoch().revision;
        registered > self.since && self.until.is_none_or(|until| registered <= until)
    }
}

pub(super) fn position((_, user, slot): Place<'_>) -> ScanPosition {
    ScanPosition(SessionKey { user: Bytes::copy_from_slice(user), slot: Bytes::copy_from_slice(slot) })
}
