use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    CacheSettings,
    store::{Asked, Store},
};
use crate::{
    Epoch, FormerState, Formerly, Looked, OfflineReason, Owner, Place, PresenceChange, PresenceFact, PresenceFrame,
    PresenceScope, Rebuilding, Session, SessionKey,
};

const BOUND: Duration = Duration::from_secs(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn session(user: &'static str, incarnation: u64) -> Session {
    Session {
        key: SessionKey::trusted(user.into(), "pad".into()),
        owner: Arc::new(Owner {
            service: "room".into(),
            instance: "a".into(),
            incarnation,
            endpoints: Vec::new(),
            zone: String::new(),
        }),
        connection: "c".into(),
        epoch: Epoch { revision: 1, position: 0 },
        conn_seq: Some(3),
        topics: vec!["red".into(), "blue".into()],
        attributes: Default::default(),
        registered_at_ms: 7,
    }
}

fn looked(revision: u64, found: Vec<Session>) -> Looked<Vec<Session>> {
    Looked { found, revision, age: Duration::ZERO, state_id: 7, formerly: Vec::new(), rebuilding: None }
}

fn fact(user: &'static str, incarnation: u64, revision: u64) -> PresenceFact {
    PresenceFact {
        key: SessionKey::trusted(user.into(), Bytes::new()),
        epoch: Epoch { revision, position: 0 },
        revision,
        at_ms: 0,
        place: Arc::new(Place { incarnation, ..Place::default() }),
        connection: Bytes::new(),
        topics: Vec::new(),
        scope: PresenceScope::Session,
        change: PresenceChange::Dropped(OfflineReason::Lost),
    }
}

fn told(facts: Vec<PresenceFact>) -> PresenceFrame {
    PresenceFrame { facts, ..PresenceFrame::default() }
}

/// A store that hears facts from revision 100 on.
fn store(start: Instant) -> Store {
    let store = Store::new(CacheSettings { age_max: BOUND, ..CacheSettings::default() });
    store.heal(Asked { at: start, revision: 100 });
    store
}

fn hits(store: &Store, user: &'static str, now: Instant) -> bool {
    store.find(&user.into(), now).is_some()
}

#[tokio::test]
async fn an_answer_grows_old_unless_it_is_shown_to_hold() {
    let start = Instant::now();
    let store = store(start);
    store.insert("ann".into(), &looked(100, vec![session("ann", 1)]), start);
    let hit = store.find(&"ann".into(), start + ms(1_500)).expect("young enough").looked();
    assert_eq!((&*hit.found, hit.age, hit.revision), (&[session("ann", 1)][..], ms(1_500), 100));
    assert!(!hits(&store, "ann", start + ms(2_001)));
    store.show(Asked { at: start + ms(1_000), revision: 130 });
    let hit = store.find(&"ann".into(), start + ms(3_000)).expect("shown to hold").looked();
    assert_eq!((hit.age, hit.revision), (BOUND, 130));
    assert!(!hits(&store, "ann", start + ms(3_001)));
}

#[tokio::test]
async fn a_fact_takes_the_answer_out_and_keeps_older_ones_out() {
    let start = Instant::now();
    let store = store(start);
    store.insert("ann".into(), &looked(100, vec![session("ann", 1)]), start);
    store.insert("bob".into(), &looked(100, Vec::new()), start);
    store.hear(&told(vec![fact("ann", 1, 105)]), start);
    assert!(!hits(&store, "ann", start) && hits(&store, "bob", start));
    store.insert("ann".into(), &looked(104, vec![session("ann", 1)]), start);
    assert!(!hits(&store, "ann", start), "the answer was from before the fact");
    store.insert("ann".into(), &looked(105, Vec::new()), start);
    assert!(hits(&store, "ann", start));
}

#[tokio::test]
async fn an_incarnation_that_closed_takes_its_answers_along() {
    let start = Instant::now();
    let store = store(start);
    store.insert("ann".into(), &looked(100, vec![session("ann", 1), session("ann", 2)]), start);
    store.insert("bob".into(), &looked(100, vec![session("bob", 2)]), start);
    store.hear(&told(vec![fact("", 1, 110)]), start);
    assert!(!hits(&store, "ann", start) && hits(&store, "bob", start));
    store.insert("cid".into(), &looked(109, vec![session("cid", 1)]), start);
    assert!(!hits(&store, "cid", start), "the answer was from before the end of its gateway");
}

#[tokio::test]
async fn nothing_is_kept_over_a_gap() {
    let start = Instant::now();
    let store = store(start);
    store.insert("ann".into(), &looked(100, Vec::new()), start);
    store.hear(&PresenceFrame { reset: true, ..PresenceFrame::default() }, start + ms(10));
    assert!(!hits(&store, "ann", start + ms(10)));
    store.heal(Asked { at: start + ms(9), revision: 200 });
    store.insert("ann".into(), &looked(300, Vec::new()), start + ms(11));
    assert!(!hits(&store, "ann", start + ms(11)), "asked before the gap, so it does not say where it ends");
    store.heal(Asked { at: start + ms(12), revision: 250 });
    store.insert("ann".into(), &looked(249, Vec::new()), start + ms(13));
    assert!(!hits(&store, "ann", start + ms(13)), "an answer that may be from within the gap");
    store.insert("ann".into(), &looked(250, Vec::new()), start + ms(13));
    assert!(hits(&store, "ann", start + ms(13)));
    assert_eq!(store.stats(start).resets, 1);
}

#[tokio::test]
async fn answers_that_change_without_a_fact_are_not_kept() {
    let start = Instant::now();
    let store = store(start);
    let lingers = Formerly { session: session("ann", 1), state: FormerState::Lingering { until_ms: 1 } };
    store.insert("ann".into(), &Looked { formerly: vec![lingers], ..looked(100, Vec::new()) }, start);
    let rebuilding = Some(Rebuilding { done_permille: 10, not_before_ms: 20_000 });
    store.insert("bob".into(), &Looked { rebuilding, ..looked(100, Vec::new()) }, start);
    assert!(!hits(&store, "ann", start) && !hits(&store, "bob", start));
}

#[tokio::test]
async fn memory_is_bounded() {
    let start = Instant::now();
    let store = Store::new(CacheSettings { capacity_bytes: 100_000, age_max: BOUND });
    store.heal(Asked { at: start, revision: 1 });
    for number in 0..10_000 {
        store.insert(format!("user-{number}").into(), &looked(1, vec![session("user", 1)]), start);
    }
    let stats = store.stats(start);
    assert!(stats.bytes <= 100_000 && stats.users > 50, "{stats:?}");
}

/// Facts and answers race; at the end no answer from before the newest fact is left.
#[test]
fn a_race_leaves_nothing_stale() {
    let start = Instant::now();
    let store = store(start);
    std::thread::scope(|scope| {
        scope.spawn(|| (101..5_000).for_each(|revision| store.hear(&told(vec![fact("ann", 1, revision)]), start)));
        for _ in 0..2 {
            scope.spawn(|| {
                (101..5_000).for_each(|revision| store.insert("ann".into(), &looked(revision, Vec::new()), start));
            });
        }
    });
    let revision = store.find(&"ann".into(), start).map(|it| it.revision);
    assert!(revision.is_none_or(|it| it >= 4_999), "an answer of revision {revision:?} outlived the fact of 4999");
}
