//! The registry filled again after its state was lost, through a real cluster.

use std::time::Duration;

use keeper_client_sdk::{
    Connection, Gateway, GatewayEvent, GatewayEvents, GiveUp, Keeper, RebuildProgress, Registration, SessionKey,
};
use keeper_tests::{InProcess, until};
use tokio::{
    sync::watch::{Receiver, Sender},
    task::JoinSet,
};

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

async fn connect(gateway: &Gateway, users: std::ops::Range<usize>) -> Vec<Connection> {
    let connecting = users.map(|n| gateway.connect(Registration::new(user(n)).connection(n.to_string())));
    futures_util::future::try_join_all(connecting).await.unwrap()
}

/// Every disk of the cluster is lost, and the cluster founded anew.
async fn lose_everything(cluster: &mut InProcess) {
    for at in 0..cluster.size() {
        cluster.crash(at);
    }
    for at in 0..cluster.size() {
        cluster.wipe(at).await;
        cluster.restart(at).await;
    }
    cluster.found().await;
}

/// No event takes a connection away.
#[expect(clippy::disallowed_methods, reason = "the test that has the handle owns the task")]
fn watch(mut events: GatewayEvents) -> tokio::task::JoinHandle<Result<(), String>> {
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if matches!(
                event,
                GatewayEvent::Displaced { .. } | GatewayEvent::Kicked { .. } | GatewayEvent::Refused { .. }
            ) {
                return Err(format!("{event:?}"));
            }
        }
        Ok(())
    })
}

async fn is_found(keeper: &Keeper, n: usize) -> bool {
    keeper.lookup().session(&user(n)).await.unwrap().found.is_some()
}

/// turms#1022: the store lost the rows, and every session was closed. emqx#17269: a part of the clients was missing
/// afterwards, and nobody knew how many.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_register_everything_again_and_no_connection_is_harmed() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let (a, events_of_a) = keeper.instance("room", "a").ttl(Duration::from_secs(5)).gateway().start();
    let (b, events_of_b) = keeper.instance("room", "b").ttl(Duration::from_secs(5)).gateway().start();
    let held = [connect(&a, 0..800).await, connect(&b, 800..1_200).await];
    let watched = [watch(events_of_a), watch(events_of_b)];
    let before = keeper.sessions().rebuild_status().await.unwrap();
    assert!(before.rebuild.is_none());

    lose_everything(&mut cluster).await;
    until("every connection is registered again", async || {
        keeper.sessions().count(None).await.is_ok_and(|counted| counted.total == 1_200)
    })
    .await;
    let after = keeper.sessions().rebuild_status().await.unwrap();
    assert_ne!(after.state_id, before.state_id);
    until("both gateways say that they are done", async || {
        let status = keeper.sessions().rebuild_status().await.unwrap();
        let rebuild = status.rebuild.expect("twice the longest TTL has not passed");
        rebuild.gateways.len() == 2 && rebuild.gateways.iter().all(|it| it.progress == RebuildProgress::Finished)
    })
    .await;
    for n in 0..1_200 {
        assert!(is_found(&keeper, n).await, "user {n}");
    }
    // Until it is over a miss is not taken for an answer.
    let looked = keeper.lookup().session(&user(5_000)).await.unwrap();
    let rebuilding = looked.rebuilding.expect("twice the longest TTL has not passed");
    assert!(rebuilding.done_permille < 1_000, "it waits for whoever else may come: {rebuilding:?}");
    let status = keeper.sessions().rebuild_status().await.unwrap();
    assert_eq!(status.rebuild.map(|it| it.not_before_ms), Some(rebuilding.not_before_ms));
    let whom = GiveUp::Instances(vec!["room/a".to_owned(), "room/z".to_owned()]);
    let refused = keeper.sessions().give_up(whom, "ops").await.expect_err("nobody waits for one of them");
    assert_eq!(refused.reason(), "not-found");
    let expected = "nobody waits for `room/z`, and none of those named was given up";
    assert_eq!(refused.to_string(), expected);
    keeper.sessions().give_up(GiveUp::Everybody, "ops").await.unwrap();
    let looked = keeper.lookup().session(&user(5_000)).await.unwrap();
    assert!(looked.rebuilding.is_none());
    assert_eq!((a.status().registered, b.status().registered), (800, 400));
    cluster.converge().await;
    for watching in watched {
        assert!(!watching.is_finished(), "{:?}", watching.await);
    }
    drop(held);
}

/// Asks where somebody is who is connected all the time, until it is told to end. Nobody may say that he is nowhere.
async fn ask(keeper: Keeper, is_over: Receiver<bool>) -> Result<(), String> {
    while !*is_over.borrow() {
        if let Ok(looked) = keeper.lookup().session(&user(0)).await
            && looked.found.is_none()
            && looked.rebuilding.is_none()
        {
            return Err(format!("{looked:?}"));
        }
    }
    Ok(())
}

/// Found by the `reflush` workload: a leader answered lookups from a state that had not taken its founding yet, and so
/// did not know that it was rebuilding.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_being_founded_does_not_say_that_nobody_is_there() {
    let mut cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let (gateway, _events) = keeper.instance("room", "a").gateway().start();
    let held = connect(&gateway, 0..1).await;
    for _ in 0..10 {
        let is_over = Sender::new(false);
        let mut asking = JoinSet::new();
        for _ in 0..4 {
            asking.spawn(ask(cluster.keeper().await, is_over.subscribe()));
        }
        lose_everything(&mut cluster).await;
        until("he is found again", async || is_found(&keeper, 0).await).await;
        is_over.send_replace(true);
        while let Some(asked) = asking.join_next().await {
            assert_eq!(asked.unwrap(), Ok(()));
        }
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_connects_during_the_rebuild_wins_over_an_older_connection() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    // So slow that the device is back before its old gateway has come to it.
    let slow = keeper.instance("room", "slow").gateway().reregister_rate(100);
    let (slow, mut events) = slow.start();
    let (fast, _events) = keeper.instance("room", "fast").gateway().start();
    let held = connect(&slow, 0..600).await;
    lose_everything(&mut cluster).await;
    let roaming = fast.connect(Registration::new(user(599)).connection("new")).await.unwrap();
    // The old gateway hears of it, whether it had come to that connection or not.
    let displaced = async {
        loop {
            let event = events.next().await.expect("the gateway lives");
            let is_wrong = matches!(event, GatewayEvent::Kicked { .. } | GatewayEvent::Refused { .. });
            assert!(!is_wrong, "nobody was kicked or refused: {event:?}");
            if let GatewayEvent::Displaced { key, by, .. } = event {
                return (key, by.instance);
            }
        }
    };
    let (key, by) = tokio::time::timeout(Duration::from_secs(30), displaced).await.expect("it is told");
    assert_eq!((key, by.as_str()), (user(599), "fast"));
    let found = keeper.lookup().session(&user(599)).await.unwrap().found.expect("held by the fast one");
    assert_eq!(found.owner.instance, "fast");
    drop((held, roaming));
}

/// alibaba/nacos#15857: after a full restart a snapshot raced with clients that registered again, and deleted what they
/// had just registered, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn nacos_15857_a_snapshot_and_the_end_of_a_rebuild_delete_nothing_that_was_registered_again() {
    let mut cluster = InProcess::start_with(3, |settings| {
        // So small that snapshots are built and installed while connections come back.
        settings.raft.snapshot_log_bytes_min = 64 << 10;
    })
    .await;
    let keeper = cluster.keeper().await;
    let (a, events) = keeper.instance("room", "a").gateway().start();
    let held = connect(&a, 0..2_000).await;
    let watched = watch(events);
    lose_everything(&mut cluster).await;
    let follower = cluster.follower().await;
    until("some are back", async || keeper.sessions().count(None).await.is_ok_and(|it| it.total > 100)).await;
    // One node misses the rest and comes back through a snapshot; the rebuild ends amid it all.
    cluster.crash(follower);
    keeper.sessions().give_up(GiveUp::Everybody, "ops").await.unwrap();
    until("all are back", async || keeper.sessions().count(None).await.is_ok_and(|it| it.total == 2_000)).await;
    cluster.restart(follower).await;
    cluster.converge().await;
    for n in 0..2_000 {
        assert!(is_found(&keeper, n).await, "user {n}");
    }
    assert_eq!(a.status().registered, 2_000);
    assert!(!watched.is_finished(), "{:?}", watched.await);
    drop(held);
}
