//! Cached lookups through a real cluster: whatever a session goes through, a hit is never older than it says, and it
//! never says more than its bound.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use keeper_client_sdk::{CacheSettings, CachedLookup, Epoch, Instance, Keeper, Kick, Registration, SessionKey};
use keeper_tests::{InProcess, until};
use tokio::{task::JoinSet, time::Instant};

use crate::wire as raw;

const BOUND: Duration = Duration::from_secs(1);
const USERS: usize = 24;

fn user(name: &str) -> SessionKey {
    SessionKey::of_user(name.to_owned()).expect("a user")
}

fn cached(keeper: &Keeper) -> CachedLookup {
    let settings = CacheSettings { age_max: BOUND, ..CacheSettings::default() };
    keeper.lookup().cached(settings).expect("the bound is long enough")
}

/// Asks until the answer comes from memory, and tells at which instance the user is.
async fn remembered(cached: &CachedLookup, name: &'static str) -> Option<String> {
    let mut at = None;
    until("the answer comes from memory", async || {
        let hits = cached.stats().hits;
        let looked = cached.user(name).await.unwrap();
        at = looked.found.first().map(|it| it.owner.instance.clone());
        cached.stats().hits > hits
    })
    .await;
    at
}

/// Asks until what is told is so; the bound is what it may take.
async fn told(cached: &CachedLookup, name: &'static str, expected: Option<&str>) {
    let changed_at = Instant::now();
    until("the change is told", async || {
        let looked = cached.user(name).await.unwrap();
        assert!(looked.age <= BOUND);
        looked.found.first().map(|it| it.owner.instance.as_str()) == expected
    })
    .await;
    assert!(changed_at.elapsed() < BOUND * 2, "told after {:?}", changed_at.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_a_session_changes_ends_what_is_remembered() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let cached = cached(&cluster.client(cluster.follower().await).await);
    let a = keeper.instance("room", "a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    let ada = user("ada");
    assert_eq!(remembered(&cached, "ada").await, None);
    a.sessions().register(Registration::new(ada.clone())).await.unwrap();
    told(&cached, "ada", Some("a")).await;
    assert_eq!(remembered(&cached, "ada").await.as_deref(), Some("a"));
    let moved = b.sessions().register(Registration::new(ada.clone())).await.unwrap();
    told(&cached, "ada", Some("b")).await;

    remembered(&cached, "ada").await;
    b.sessions().bind(&ada, moved.epoch, vec!["news".into()]).await.unwrap();
    until("the topic is told", async || {
        cached.user("ada").await.unwrap().found.first().is_some_and(|it| it.topics == ["news"])
    })
    .await;

    remembered(&cached, "ada").await;
    b.sessions().dropped(&ada, moved.epoch).await.unwrap();
    // It lingers: presence is silent about it for as long as its grace, a lookup is not.
    told(&cached, "ada", None).await;

    b.sessions().register(Registration::new(ada.clone())).await.unwrap();
    told(&cached, "ada", Some("b")).await;
    remembered(&cached, "ada").await;
    keeper.sessions().kick(Kick { user: "ada".into(), ..Kick::default() }).await.unwrap();
    told(&cached, "ada", None).await;
    assert_eq!(cached.stats().resets, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_dies_is_forgotten_at_once() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let cached = cached(&keeper);
    let channel = raw::leader(&cluster).await;
    let silent = raw::open(&channel, "silent", 1_500).await;
    let replies = raw::frames(&channel, vec![raw::register(&silent, 1, "ada"), raw::register(&silent, 2, "bob")]).await;
    assert!(replies.iter().all(|reply| reply.problem.is_none()));
    assert_eq!(remembered(&cached, "ada").await.as_deref(), Some("silent"));
    // Nobody is told that these are offline before their grace has passed, and then only bit by bit.
    until("its lease runs out", async || keeper.lookup().user("ada").await.unwrap().found.is_empty()).await;
    told(&cached, "ada", None).await;
    told(&cached, "bob", None).await;
}

/// The registration of each user that was acknowledged last, and when.
#[derive(Debug, Default)]
struct Written(Mutex<HashMap<SessionKey, Vec<(Instant, Epoch)>>>);

impl Written {
    fn book(&self) -> MutexGuard<'_, HashMap<SessionKey, Vec<(Instant, Epoch)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest that was acknowledged before a moment.
    fn before(&self, key: &SessionKey, at: Instant) -> Option<Epoch> {
        self.book().get(key)?.iter().rev().find(|(acknowledged_at, _)| *acknowledged_at < at).map(|(_, epoch)| *epoch)
    }
}

async fn churn(rooms: [Instance; 2], written: Arc<Written>, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let key = user(&format!("u{}", rounds * 7 % USERS));
        let registered = rooms[rounds % 2].sessions().register(Registration::new(key.clone())).await.unwrap();
        written.book().entry(key).or_default().push((Instant::now(), registered.epoch));
        rounds += 1;
    }
    rounds
}

/// Reads what it can, and holds every answer against what it promises.
async fn read(cached: CachedLookup, written: Arc<Written>, until: Instant) {
    let mut round = 0;
    while Instant::now() < until {
        let key = user(&format!("u{}", round * 5 % USERS));
        let asked_at = Instant::now();
        let looked = cached.session(&key).await.unwrap();
        assert!(looked.age <= BOUND, "{:?}", looked.age);
        let expected = asked_at.checked_sub(looked.age).and_then(|at| written.before(&key, at));
        let found = looked.found.map(|it| it.epoch);
        assert!(found >= expected, "{key}: {found:?}, though {expected:?} was acknowledged {:?} before", looked.age);
        round += 1;
        tokio::task::yield_now().await;
    }
}

/// Through the death and the return of a leader.
#[tokio::test(flavor = "multi_thread")]
async fn no_hit_is_older_than_it_says() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let cached = cached(&keeper);
    // Who loses his lease because this machine is busy is offline, which is no answer that is too old.
    let room = |id: &str| keeper.instance("room", id).ttl(Duration::from_secs(600));
    let rooms = [room("a").open().await.unwrap(), room("b").open().await.unwrap()];
    let (written, end) = (Arc::new(Written::default()), Instant::now() + Duration::from_secs(6));
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        readers.spawn(read(cached.clone(), written.clone(), end));
    }
    let mut writer = JoinSet::new();
    writer.spawn(churn(rooms, written, end));
    until("answers come from memory", async || cached.stats().hits > 100).await;
    let leader = cluster.leader().await;
    cluster.crash(leader);
    until("there is another leader", async || cluster.leader().await != leader).await;
    cluster.restart(leader).await;
    readers.join_all().await;
    let written: usize = writer.join_all().await.into_iter().sum();
    let stats = cached.stats();
    assert!(written > 50 && stats.hits > 500 && stats.resets == 0, "{written} writes, {stats:?}");
}
