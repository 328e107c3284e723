//! Walks over all live sessions, for broadcasts, through a real cluster.

use std::collections::BTreeMap;

use keeper_client_sdk::{Epoch, Part, Registration, ScanSessions, SessionKey, SessionSelector, Sessions};
use keeper_proto::v1 as wire;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::{InProcess, until};
use prost::Message;
use tokio::time::{Duration, Instant};

use crate::wire as raw;

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

async fn register(
    sessions: &Sessions,
    users: std::ops::Range<usize>,
    topic: &'static str,
) -> BTreeMap<SessionKey, Epoch> {
    let one = |n| async move {
        let key = user(n);
        let registered = sessions.register(Registration::new(key.clone()).topic(topic)).await.unwrap();
        (key, registered.epoch)
    };
    futures_util::future::join_all(users.map(one)).await.into_iter().collect()
}

/// Readers that open walks and go to sleep over them would keep everybody else out.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_loses_its_place_and_goes_on_when_there_is_room() {
    const SESSIONS: usize = 20_000;
    let cluster = InProcess::start_with(1, |settings| settings.limits.scans_max = 1).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    // More than connections take in without a reader.
    let sessions = room.sessions();
    let large = |n| Registration::new(user(n)).attribute("client", "x".repeat(480));
    let registering = (0..SESSIONS).map(|n| sessions.register(large(n)));
    futures_util::future::try_join_all(registering).await.unwrap();

    let mut idle = SessionsClient::new(raw::leader(&cluster).await);
    let mut idle = idle.scan(wire::ScanRequest::default()).await.unwrap().into_inner();
    let first = idle.message().await.unwrap().expect("a page");
    let mut asleep = keeper.sessions().scan(ScanSessions::default());
    let walk = ScanSessions { patience: Some(Duration::from_millis(100)), ..ScanSessions::default() };
    let refused = keeper.sessions().count_scanned(walk).await.expect_err("there is one place");
    assert_eq!(refused.reason(), "full");

    let counted = keeper.sessions().count_matching(SessionSelector::all()).await.unwrap();
    assert_eq!(counted.sessions, SESSIONS as u64);
    let mut met = first.sessions.len();
    let ended = loop {
        match idle.message().await {
            Ok(Some(page)) => met += page.sessions.len(),
            Ok(None) => panic!("it was not asleep: {met} sessions were on their way"),
            Err(status) => break status,
        }
    };
    let problem = wire::Problem::decode(ended.details()).expect("a problem");
    assert_eq!((problem.reason.as_str(), ended.code()), ("idle", tonic::Code::Aborted));
    assert!(met < SESSIONS, "{met}");

    // The library goes on by itself.
    let mut walked = asleep.page().await.expect("a page").unwrap().len();
    until("its place is taken", async || {
        let walk = ScanSessions { patience: Some(Duration::from_millis(100)), ..ScanSessions::default() };
        keeper.sessions().count_scanned(walk).await.is_ok()
    })
    .await;
    while let Some(page) = asleep.page().await {
        walked += page.unwrap().len();
    }
    assert_eq!(walked, SESSIONS);
}

/// goim and EMQX push from each node's own table, without a snapshot: who moves meanwhile is missed or pushed twice.
#[tokio::test(flavor = "multi_thread")]
async fn every_registration_that_lives_throughout_comes_exactly_once_and_the_rest_in_the_tail() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let a = keeper.instance("room", "a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    let steady = register(&a.sessions(), 0..3_000, "news").await;
    let moving = register(&a.sessions(), 3_000..4_000, "news").await;

    let mut met: BTreeMap<SessionKey, Vec<Epoch>> = BTreeMap::new();
    let mut walks = Vec::new();
    for part in Part::split(3).unwrap() {
        let walk = ScanSessions { part, rate: 4_000, ..ScanSessions::default() };
        walks.push(keeper.sessions().scan(walk));
    }
    // Some move, some come, a node dies, all while the walks are under way.
    let writing = async {
        let moved = register(&b.sessions(), 3_000..4_000, "news").await;
        let leader = cluster.leader().await;
        cluster.crash(leader);
        (moved, register(&b.sessions(), 4_000..4_500, "news").await)
    };
    let walking = futures_util::future::join_all(walks.into_iter().map(|mut walk| async move {
        let mut sessions = Vec::new();
        while let Some(session) = walk.next().await {
            sessions.push(session.unwrap());
        }
        (sessions, walk)
    }));
    let ((moved, late), walked) = tokio::join!(writing, walking);
    for (sessions, walk) in walked {
        let mut tail = walk.tail().unwrap();
        let mut all = sessions;
        while let Some(session) = tail.next().await {
            all.push(session.unwrap());
        }
        for session in all {
            met.entry(session.key.clone()).or_default().push(session.epoch);
        }
    }
    for (key, epoch) in steady.iter().chain(&moved).chain(&late) {
        let times = met.get(key).into_iter().flatten().filter(|it| *it == epoch).count();
        assert_eq!(times, 1, "{key:?} of {epoch:?}");
    }
    for (key, epochs) in &met {
        let mut once = epochs.clone();
        once.dedup();
        assert_eq!(&once, epochs, "a registration came twice: {key:?}");
        assert!(epochs.len() == 1 || moving.contains_key(key), "{key:?}: {epochs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_on_from_its_token_at_its_pace_and_only_over_what_was_asked_for() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let a = keeper.instance("room", "a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    register(&a.sessions(), 0..600, "news").await;
    register(&b.sessions(), 600..1_000, "chat").await;

    let count = async |selector: SessionSelector| keeper.sessions().count_matching(selector).await.unwrap().sessions;
    assert_eq!(count(SessionSelector::all()).await, 1_000);
    assert_eq!(count(SessionSelector::topic("news")).await, 600);
    assert_eq!(count(SessionSelector::instance("room/b")).await, 400);
    assert_eq!(count(SessionSelector::user_prefix("user-99")).await, 11);

    let began_at = Instant::now();
    let mut seen = Vec::new();
    let mut token = Default::default();
    for turn in 0.. {
        // Each piece through another node, as after a crash of the walker.
        let client = cluster.client(turn % 3).await;
        let walk = ScanSessions { token, rate: 2_000, ..ScanSessions::default() };
        let mut walk = client.sessions().scan(walk);
        if let Some(page) = walk.page().await {
            seen.extend(page.unwrap().into_iter().map(|session| session.key));
        }
        match walk.token() {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 1_000);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1_000);
    assert!(began_at.elapsed() < Duration::from_secs(20));

    // One walk at 2,000 a second takes its time.
    let began_at = Instant::now();
    let mut walk = keeper.sessions().scan(ScanSessions { rate: 2_000, ..ScanSessions::default() });
    while let Some(session) = walk.next().await {
        session.unwrap();
    }
    assert!(began_at.elapsed() > Duration::from_millis(350), "{:?}", began_at.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_walk_or_another_cluster_is_refused_with_what_would_be_right() {
    let cluster = InProcess::start(1).await;
    let other = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let a = keeper.instance("room", "a").open().await.unwrap();
    register(&a.sessions(), 0..50, "news").await;
    let first = wire::ListSessionsRequest { limit: 10, ..Default::default() };
    let mut client = SessionsClient::new(raw::leader(&cluster).await);
    let page = client.list(first).await.unwrap().into_inner();
    let again =
        |selector| wire::ListSessionsRequest { limit: 10, token: page.next.clone(), selector, ..Default::default() };

    let chat = wire::SessionSelector { topic: "chat".into(), ..Default::default() };
    let refused = client.list(again(Some(chat))).await.expect_err("another selector");
    assert!(refused.message().contains("token") && refused.message().contains("selector"), "{refused}");
    let refused = SessionsClient::new(raw::leader(&other).await).list(again(None)).await.expect_err("another cluster");
    assert!(refused.message().contains("token") && refused.message().contains("history"), "{refused}");
    let garbage = wire::ListSessionsRequest { token: vec![9; 40].into(), ..Default::default() };
    let refused = client.list(garbage).await.expect_err("not a token");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    assert_eq!(client.list(again(None)).await.unwrap().into_inner().sessions.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_topics_and_instances_are_told() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let a = keeper.instance("room", "a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    register(&a.sessions(), 0..30, "news").await;
    register(&b.sessions(), 30..50, "news").await;
    register(&b.sessions(), 50..55, "chat").await;
    let top = keeper.sessions().top(10).await.unwrap();
    let topics: Vec<_> = top.topics.iter().map(|it| (&it.topic[..], it.sessions, it.instances)).collect();
    assert_eq!(topics, [(&b"news"[..], 50, 2), (b"chat", 5, 1)]);
    let instances: Vec<_> = top.instances.iter().map(|it| (&it.instance[..], it.sessions)).collect();
    assert_eq!(instances, [("a", 30), ("b", 25)]);
    assert_eq!(top.total, 55);
    // A sender to (user, topic) finds only sessions bound to it.
    let chat = keeper.lookup().topic("chat").unwrap();
    assert!(chat.session(&user(0)).await.unwrap().found.is_none());
    assert!(chat.session(&user(51)).await.unwrap().found.is_some());
}
