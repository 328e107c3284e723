//! What subscribers see.
//!
//! For each session there is a view of those who follow everything, and one for each topic. All that is known here is
//! what the facts say, when which policy was in force, and whether a session is live; from that every view is checked
//! after every step:
//!
//! - its facts alternate, and each names the registration that the view saw before;
//! - a live session is seen by all, and by the subscribers of exactly its topics, at its present epoch;
//! - a walk over what is seen meets just that;
//! - nobody is told offline before the grace has passed, and everybody once a sweep has nothing more to do.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use keeper_registry::{
    Command, Epoch, FormerState, Incarnation, LogTime, OfflineReason, PresenceCursor, PresenceFact, PresenceWhat,
    Reply, SessionFilter, SessionKey, SessionPolicy, SessionSelector, State, Walked,
};
use proptest::{collection::vec, prelude::*};

use crate::{Run, rebuilt, step::step};

/// A topic's view, or that of everybody else.
type View = Option<Bytes>;

/// The registration that a view sees.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    incarnation: Incarnation,
    epoch: Epoch,
    connection: Bytes,
}

/// A session that is not live, and that somebody may still see.
#[derive(Debug, Clone)]
struct Gone {
    since: LogTime,
    policy: SessionPolicy,
    /// Every view that saw it then.
    views: BTreeSet<View>,
}

#[derive(Debug, Default)]
struct Follower {
    seen: BTreeMap<(SessionKey, View), Seen>,
    gone: BTreeMap<SessionKey, Gone>,
    cursor: PresenceCursor,
}

impl Gone {
    fn grace(&self, view: &View) -> u32 {
        let of = |topic: &Bytes| self.policy.topics.get(&topic[..]).and_then(|topic| topic.grace_ms);
        let of = |topic: &Bytes| of(topic).unwrap_or(self.policy.grace_ms);
        match view {
            Some(topic) => of(topic),
            None => self.views.iter().flatten().map(of).max().unwrap_or(self.policy.grace_ms),
        }
    }

    fn until(&self, view: &View) -> LogTime {
        LogTime(self.since.0 + u64::from(self.grace(view)))
    }
}

impl Follower {
    fn views(&self, key: &SessionKey) -> BTreeSet<View> {
        self.seen.keys().filter(|(of, _)| of == key).map(|(_, view)| view.clone()).collect()
    }

    fn follow(&mut self, state: &State) {
        let slice = state.presence().read_after(self.cursor, usize::MAX).expect("the ring is large enough");
        for fact in slice.iter() {
            assert!(fact.cursor > self.cursor, "facts are out of order");
            self.cursor = fact.cursor;
            self.take(&fact, state);
        }
        assert_eq!(self.cursor, state.presence().latest());
        self.close(state);
    }

    fn take(&mut self, fact: &PresenceFact<'_>, state: &State) {
        let key = SessionKey { user: Bytes::copy_from_slice(fact.user), slot: Bytes::copy_from_slice(fact.slot) };
        if let PresenceWhat::Dropped(_) = fact.what {
            assert!(!fact.whole && fact.topics.is_empty(), "a drop is for nobody's view");
            if fact.user.is_empty() {
                return;
            }
            let policy = state.session_policy().as_ref().clone();
            self.gone.insert(key.clone(), Gone { since: fact.at, policy, views: self.views(&key) });
            return;
        }
        let topics = fact.topics.iter().map(|name| Some(Bytes::copy_from_slice(name)));
        let views: Vec<View> = fact.whole.then_some(None).into_iter().chain(topics).collect();
        assert!(!views.is_empty(), "a fact for nobody: {fact:?}");
        for view in views {
            self.see(&key, view, fact, state);
        }
        if !matches!(fact.what, PresenceWhat::Offline(_)) {
            self.gone.remove(&key);
        }
    }

    fn see(&mut self, key: &SessionKey, view: View, fact: &PresenceFact<'_>, state: &State) {
        let connection = Bytes::copy_from_slice(fact.connection);
        let here = Seen { incarnation: fact.place.incarnation, epoch: fact.epoch, connection };
        let place = (key.clone(), view.clone());
        match &fact.what {
            PresenceWhat::Online => assert_eq!(self.seen.insert(place, here), None, "online twice: {fact:?}"),
            PresenceWhat::Offline(reason) => {
                assert_eq!(self.seen.remove(&place), Some(here), "not seen so: {fact:?}");
                self.check_grace(key, &view, reason, fact, state);
            }
            PresenceWhat::Moved(former) | PresenceWhat::Reconnected(former) => {
                let (incarnation, connection) = (former.place.incarnation, Bytes::copy_from_slice(former.connection));
                let before = Seen { incarnation, epoch: former.epoch, connection };
                let is_move = matches!(fact.what, PresenceWhat::Moved(_));
                assert_eq!(is_move, incarnation != here.incarnation, "{fact:?}");
                assert_eq!(self.seen.insert(place, here), Some(before), "{fact:?}");
            }
            PresenceWhat::Dropped(_) => {}
        }
    }

    fn check_grace(
        &self,
        key: &SessionKey,
        view: &View,
        reason: &OfflineReason<'_>,
        fact: &PresenceFact<'_>,
        state: &State,
    ) {
        match reason {
            OfflineReason::Lost
            | OfflineReason::GatewayClosed
            | OfflineReason::GatewayExpired
            | OfflineReason::GatewayReplaced => {
                let now = || Gone {
                    since: fact.at,
                    policy: state.session_policy().as_ref().clone(),
                    views: self.views(key).into_iter().chain([view.clone()]).collect(),
                };
                let gone = self.gone.get(key).cloned().unwrap_or_else(now);
                assert!(fact.at >= gone.until(view), "told early: {fact:?}, {gone:?}");
            }
            OfflineReason::Unconfirmed => assert!(state.rebuild().is_none(), "told while it may be confirmed"),
            OfflineReason::Left | OfflineReason::Kicked { .. } | OfflineReason::Unbound => {}
        }
    }

    /// Sessions that are seen, and neither live nor known to be gone, went with their gateway.
    fn close(&mut self, state: &State) {
        let keys: BTreeSet<_> = self.seen.keys().map(|(key, _)| key.clone()).collect();
        for key in keys {
            let is_live = state.session(&key.user, &key.slot).is_some();
            if !is_live && !self.gone.contains_key(&key) {
                let policy = state.session_policy().as_ref().clone();
                let gone = Gone { since: state.time(), policy, views: self.views(&key) };
                self.gone.insert(key, gone);
            }
        }
    }

    /// Sessions from a backup wait for another thing than a grace.
    fn restored(&mut self, state: &State) {
        let is_unconfirmed = |key: &SessionKey| {
            state.formerly(&key.user, &key.slot).is_some_and(|former| former.state == FormerState::Unconfirmed)
        };
        for (_, gone) in self.gone.iter_mut().filter(|(key, _)| is_unconfirmed(key)) {
            gone.since = LogTime(u64::MAX / 2);
        }
    }

    /// Whoever starts from a walk sees what whoever was told everything sees.
    fn check_walks(&self, state: &State) {
        let topics: BTreeSet<_> = self.seen.keys().map(|(_, view)| view.clone()).chain([None]).collect();
        for view in topics {
            let selector = SessionSelector { topic: view.clone(), ..SessionSelector::default() };
            let filter = SessionFilter { selector, walked: Walked::Seen, ..SessionFilter::default() };
            let walked = state.sessions_page(None, usize::MAX, &filter).sessions;
            let walked: BTreeMap<_, _> = walked.iter().map(|seen| (seen.key(), seen.epoch())).collect();
            let seen = self.seen.iter().filter(|((_, of), _)| *of == view);
            let seen: BTreeMap<_, _> = seen.map(|((key, _), seen)| (key.clone(), seen.epoch)).collect();
            assert_eq!(walked, seen, "of {view:?}");
        }
    }

    fn check(&self, state: &State, nothing_due: bool) {
        let keys: BTreeSet<_> = self.seen.keys().map(|(key, _)| key.clone()).collect();
        assert_eq!(
            keys.iter().filter(|key| is_live(state, key)).count() as u64,
            state.sessions_live(),
            "some are unseen"
        );
        for key in keys {
            let formerly = state.formerly(&key.user, &key.slot).map(|former| former.state);
            if let Some(view) = state.session(&key.user, &key.slot) {
                assert_eq!(formerly, None);
                let topics = view.topics().map(|name| Some(Bytes::copy_from_slice(name)));
                assert_eq!(self.views(&key), topics.chain([None]).collect(), "of {key:?}");
                let seen = self.seen.iter().filter(|((of, _), _)| *of == key);
                assert!(seen.into_iter().all(|(_, seen)| seen.epoch == view.epoch()), "an old epoch of {key:?}");
                continue;
            }
            let gone = &self.gone[&key];
            let until = gone.until(&None);
            if until.0 < u64::MAX / 2 {
                let lingering = (until > state.time()).then_some(FormerState::Lingering { until });
                assert_eq!(formerly, lingering, "of {key:?}");
            }
            let is_late = |view: &View| nothing_due && gone.until(view) <= state.time();
            assert!(!self.views(&key).iter().any(is_late), "not told: {key:?}, {gone:?}");
        }
    }
}

fn is_live(state: &State, key: &SessionKey) -> bool {
    state.session(&key.user, &key.slot).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_view_is_told_in_turn_and_in_time(steps in vec(step(), 0..120), snapshots in vec(any::<bool>(), 120)) {
        let mut run = Run::new();
        let mut follower = Follower::default();
        for (place, (step, snapshot)) in steps.iter().zip(snapshots).enumerate() {
            let (command, outcome) = run.step(step);
            follower.follow(&run.state);
            if matches!((command, &outcome.reply), (Command::Restore(_), Ok(_))) {
                follower.restored(&run.state);
            }
            // Walks are slow, over however little.
            if (place + 1) % 40 == 0 {
                follower.check_walks(&run.state);
            }
            follower.check(&run.state, matches!(outcome.reply, Ok(Reply::Swept { more: false, .. })));
            if snapshot {
                run.state = rebuilt(&run.state);
            }
        }
    }
}
