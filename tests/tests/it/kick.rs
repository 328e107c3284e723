//! Kicks as durable jobs, and what the gateways say of them.

use std::time::Duration;

use keeper_client_sdk::{Confirmation, GatewayEvent, KickEnd, KickMatching, Registration, SessionKey, SessionSelector};
use keeper_tests::{InProcess, until};

use crate::wire as raw;

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

fn kick(selector: SessionSelector) -> KickMatching {
    KickMatching { selector, reason: "maintenance".to_owned(), author: "ops".to_owned() }
}

/// emqx#13124: a kick that failed because the other node did not answer in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_kick_of_a_topic_is_done_in_slices_survives_the_leader_and_is_confirmed_by_the_gateways() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let (gateway, mut events) = keeper.instance("room", "a").gateway().start();
    let connecting = (0..1_500).map(|n| {
        let gateway = gateway.clone();
        async move { gateway.connect(Registration::new(user(n)).connection(n.to_string()).topic("old")).await.unwrap() }
    });
    let mut connections: Vec<_> = futures_util::future::join_all(connecting).await.into_iter().map(Some).collect();
    let stays = gateway.connect(Registration::new(user(9_000)).connection("9000").topic("new")).await.unwrap();

    assert_eq!(keeper.sessions().count_matching(SessionSelector::topic("old")).await.unwrap().sessions, 1_500);
    let started = keeper.sessions().kick_matching(kick(SessionSelector::topic("old"))).await.unwrap();
    let leader = cluster.leader().await;
    cluster.crash(leader);
    let finished = keeper.sessions().kick_reached(started.kick, KickEnd::Finished).await.unwrap();
    assert_eq!(finished.closed, 1_500);
    assert!(keeper.lookup().session(&user(7)).await.unwrap().found.is_none());
    // Nobody has closed a connection yet.
    assert_eq!(finished.gateways[0].confirmation, Confirmation::Waiting);

    let mut told = 0;
    while told < 1_500 {
        let event = events.next().await.expect("the gateway lives");
        let is_wrong = matches!(event, GatewayEvent::Displaced { .. } | GatewayEvent::Refused { .. });
        assert!(!is_wrong, "nobody else is concerned: {event:?}");
        if let GatewayEvent::Kicked { connection, reason, .. } = event {
            assert_eq!(reason, "maintenance");
            let n: usize = String::from_utf8_lossy(&connection).parse().unwrap();
            drop(connections[n].take().expect("each is told once"));
            told += 1;
        }
    }
    let confirmed = keeper.sessions().kick_reached(started.kick, KickEnd::Confirmed).await.unwrap();
    assert_eq!(confirmed.gateways[0].confirmation, Confirmation::Confirmed);
    assert!(keeper.lookup().session(&stays.key()).await.unwrap().found.is_some());
    assert_eq!(keeper.sessions().kicks().await.unwrap().len(), 1);
}

/// openim#3449: kicked right after the reconnect.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_registers_after_a_kick_stays() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let a = keeper.instance("room", "a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    let sessions = a.sessions();
    let registering = (0..3_000).map(|n| sessions.register(Registration::new(user(n)).topic("old")));
    futures_util::future::try_join_all(registering).await.unwrap();
    let started = keeper.sessions().kick_matching(kick(SessionSelector::instance("room/a"))).await.unwrap();
    // While the slices go on: some come back to the same gateway, some to another.
    let back = sessions.register(Registration::new(user(0)).topic("old")).await.unwrap();
    b.sessions().register(Registration::new(user(2_999)).topic("old")).await.unwrap();
    assert!(back.epoch.revision > started.revision);
    let finished = keeper.sessions().kick_reached(started.kick, KickEnd::Finished).await.unwrap();
    let left = keeper.sessions().count_matching(SessionSelector::all()).await.unwrap().sessions;
    assert_eq!(left, 2);
    assert!((2_998..=3_000).contains(&finished.closed), "{}", finished.closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_dies_with_its_connections_is_gone_and_nobody_waits_for_it() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let channel = raw::leader(&cluster).await;
    let silent = raw::open(&channel, "silent", 1_500).await;
    raw::frames(&channel, vec![raw::register(&silent, 1, "ada")]).await;
    let started = keeper.sessions().kick_matching(kick(SessionSelector::instance("room/silent"))).await.unwrap();
    let admin = keeper.sessions();
    let waiting = admin.kick_reached(started.kick, KickEnd::Confirmed);
    let status = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it ends").unwrap();
    assert_eq!((status.closed, status.gateways[0].confirmation), (1, Confirmation::Gone));
    until("the name is free", async || keeper.instances().get("room", "silent").await.unwrap().is_none()).await;
    let refused = keeper.sessions().kick_matching(kick(SessionSelector::all())).await.expect_err("everything");
    assert_eq!(refused.reason(), "invalid", "{refused}");
}
