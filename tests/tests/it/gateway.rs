//! A gateway's whole life through a real cluster.

use std::time::Duration;

use keeper_client_sdk::{Edit, Format, GatewayEvent, Registration, SendControl, SessionKey, SessionSelector};
use keeper_proto::v1 as wire;
use keeper_proto::v1::instances_client::InstancesClient;
use keeper_tests::{InProcess, Processes, until};
use prost::Message as _;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::wire as raw;

const PATIENCE: Duration = Duration::from_secs(20);

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

/// emqx#17424: a row of a dead node kept a client from connecting, indefinitely.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_dead_owner() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let channel = raw::leader(&cluster).await;
    // Dead, and nobody will know for ten minutes.
    let dead = raw::open(&channel, "dead", 600_000).await;
    raw::frames(&channel, vec![raw::register(&dead, 1, "user-1")]).await;
    let (alive, _events) = keeper.instance("room", "alive").gateway().start();
    let connection = alive.connect(Registration::new(user(1))).await.unwrap();
    let found = keeper.lookup().session(&user(1)).await.unwrap().found.expect("connected");
    assert_eq!((found.owner.instance.as_str(), Some(found.epoch)), ("alive", connection.epoch()));
}

/// goim's bug of one line: a late disconnect from the old node deletes the new mapping.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_moves_is_told_to_the_old_gateway_whose_good_bye_changes_nothing() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let (a, mut events) = keeper.instance("room", "a").gateway().start();
    let (b, _events) = keeper.instance("room", "b").gateway().start();
    let old = a.connect(Registration::new(user(1)).connection("old")).await.unwrap();
    let new = b.connect(Registration::new(user(1)).connection("new")).await.unwrap();
    let told = async {
        loop {
            if let GatewayEvent::Displaced { connection, by, .. } = events.next().await.expect("it lives") {
                return (connection, by.instance);
            }
        }
    };
    let (connection, by) = timeout(PATIENCE, told).await.expect("it is told");
    assert_eq!((&connection[..], by.as_str()), (&b"old"[..], "b"));
    old.close().await;
    let found = keeper.lookup().session(&user(1)).await.unwrap().found.expect("it is connected");
    assert_eq!((found.owner.instance.as_str(), Some(found.epoch)), ("b", new.epoch()));
    new.close().await;
    assert!(keeper.lookup().session(&user(1)).await.unwrap().found.is_none());
}

/// A process that starts again under its name, within its TTL, keeps nothing by accident; leftovers never harm it.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_restarts_in_place_begins_empty() {
    let cluster = InProcess::start(3).await;
    let channel = raw::leader(&cluster).await;
    let keeper = cluster.keeper().await;
    let first = raw::open(&channel, "a", 60_000).await;
    let frames = (1..=50).map(|n| raw::register(&first, n, &format!("user-{n}"))).collect();
    raw::frames(&channel, frames).await;
    let (again, _events) = keeper.instance("room", "a").gateway().start();
    assert!(again.opened().await.unwrap() > first.incarnation);
    for n in 1..=50 {
        assert!(keeper.lookup().session(&user(n)).await.unwrap().found.is_none(), "user {n}");
    }
    let connection = again.connect(Registration::new(user(7))).await.unwrap();
    until("the leftovers are gone", async || {
        let all = keeper.sessions().count_matching(SessionSelector::all()).await.unwrap();
        all.sessions == 1
    })
    .await;
    cluster.converge().await;
    let found = keeper.lookup().session(&user(7)).await.unwrap().found.expect("connected");
    assert_eq!(Some(found.epoch), connection.epoch());
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_refused_with_their_name_and_the_present_count() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let text = "instance_sessions_max = 5\n[topics.vip]\nsessions_max = 3\n";
    keeper.configs().publish(Edit::put("keeper/sessions", text).format(Format::Toml)).await.unwrap();
    let (a, _events) = keeper.instance("room", "a").gateway().start();
    let mut held = Vec::new();
    for n in 0..3 {
        held.push(a.connect(Registration::new(user(n)).topic("vip")).await.unwrap());
    }
    let refused = a.connect(Registration::new(user(3)).topic("vip")).await.expect_err("the topic is full");
    assert_eq!(refused.reason(), "quota");
    assert!(refused.to_string().contains("vip") && refused.to_string().contains('3'), "{refused}");
    for n in 3..5 {
        held.push(a.connect(Registration::new(user(n))).await.unwrap());
    }
    let refused = a.connect(Registration::new(user(5))).await.expect_err("the instance is full");
    assert!(refused.to_string().contains("instance_sessions_max") && refused.to_string().contains('5'), "{refused}");
    // Whoever comes again takes no second place.
    held.push(a.connect(Registration::new(user(0)).topic("vip").connection("again")).await.unwrap());
    held.swap_remove(1).close().await;
    held.push(a.connect(Registration::new(user(3)).topic("vip")).await.unwrap());
}

/// orleans#7058: cleanly cordon, drain, evict.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_reaches_the_gateway_and_its_answer_the_admin() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let (a, mut events) = keeper.instance("room", "a").gateway().start();
    a.opened().await.unwrap();
    let drain = SendControl {
        service: "room".to_owned(),
        id: "a".to_owned(),
        action: "drain".to_owned(),
        ..SendControl::default()
    };
    let sent = keeper.controls().send(drain).await.unwrap();
    let told = async {
        loop {
            if let GatewayEvent::Drain(addressed) = events.next().await.expect("it lives") {
                return addressed;
            }
        }
    };
    let addressed = timeout(PATIENCE, told).await.expect("it is told");
    assert_eq!(addressed.control, sent.control);
}

/// vernemq#1332: one node exits, and all others refuse clients. Here: leader, follower and gateway are killed.
#[tokio::test(flavor = "multi_thread")]
async fn connections_come_and_go_while_nodes_are_killed() {
    let mut cluster = Processes::start(3).await;
    let keeper = cluster.keeper().await;
    let (gateway, _events) = keeper.instance("room", "a").ttl(Duration::from_secs(20)).gateway().start();
    let mut held = Vec::new();
    for round in 0..3 {
        let leader = cluster.leader().await;
        let victim = if round == 1 { (leader + 1) % 3 } else { leader };
        cluster.kill(victim);
        let connecting = (0..100).map(|n| gateway.connect(Registration::new(user(round * 100 + n))));
        held.extend(timeout(PATIENCE, futures_util::future::try_join_all(connecting)).await.expect("soon").unwrap());
        cluster.launch(victim);
    }
    let left = held.split_off(150);
    drop(left);
    until("who left is gone, who stayed is found", async || {
        keeper.sessions().count(None).await.is_ok_and(|it| it.total == 150)
    })
    .await;
    assert_eq!(gateway.status().registered, 150);
}

/// A gateway that was cut off comes back with connections whose devices have long gone elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_lost_its_lease_takes_nobody_back_who_went_elsewhere() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let (a, mut events) = keeper.instance("room", "a").ttl(Duration::from_secs(3)).gateway().start();
    let (b, _events) = keeper.instance("room", "b").gateway().start();
    let connecting = (0..200).map(|n| a.connect(Registration::new(user(n)).topic("news")));
    let held = futures_util::future::try_join_all(connecting).await.unwrap();
    held[1].bind(vec!["chat".into()]).await.unwrap();
    let first = a.status().incarnation;
    // Its lease ends, and a device is at another gateway before this one has come to that connection again.
    let state_id = keeper.sessions().rebuild_status().await.unwrap().state_id;
    raw::close(&raw::leader(&cluster).await, first.expect("a life"), state_id).await;
    let roaming = b.connect(Registration::new(user(0))).await.unwrap();
    let told = async {
        let (mut displaced, mut is_done) = (Vec::new(), false);
        while displaced.is_empty() || !is_done {
            let event = events.next().await.expect("it lives");
            assert!(!matches!(event, GatewayEvent::Kicked { .. } | GatewayEvent::Refused { .. }), "{event:?}");
            is_done |= matches!(event, GatewayEvent::Reregistered { .. });
            if let GatewayEvent::Displaced { key, by, .. } = event {
                displaced.push((key, by.instance));
            }
        }
        displaced
    };
    let displaced = timeout(PATIENCE, told).await.expect("it is told");
    assert_eq!(displaced, [(user(0), "b".to_owned())]);
    assert!(a.status().incarnation > first && a.status().registered == 199);
    let found = keeper.lookup().session(&user(0)).await.unwrap().found.expect("connected");
    assert_eq!(Some(found.epoch), roaming.epoch());
    let mut found = keeper.lookup().session(&user(1)).await.unwrap().found.expect("connected");
    found.topics.sort();
    assert_eq!((found.topics, Some(found.epoch)), (vec!["chat".into(), "news".into()], held[1].epoch()));
}

/// Two processes of one name would close each other's leases for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_belongs_to_the_newest_process() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let (old, mut events) = keeper.instance("room", "a").ttl(Duration::from_secs(3)).gateway().start();
    let _held = old.connect(Registration::new(user(1))).await.unwrap();
    let (new, _events) = keeper.instance("room", "a").gateway().start();
    let present = new.opened().await.unwrap();
    let replaced = async {
        while let Some(event) = events.next().await {
            if let GatewayEvent::Replaced { by } = event {
                return Some(by);
            }
        }
        None
    };
    assert_eq!(timeout(PATIENCE, replaced).await.expect("it is told"), Some(present));
    assert_eq!(old.connect(Registration::new(user(2))).await.expect_err("it has ended").reason(), "ended");
    assert_eq!(new.status().incarnation, Some(present));
    assert!(keeper.lookup().session(&user(1)).await.unwrap().found.is_none());
}

/// A new disk knows no history, and cannot say that one is over: whoever hears that gives up every lease it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_state_ends_no_lease() {
    let mut cluster = InProcess::start(1).await;
    let opened = raw::open(&raw::leader(&cluster).await, "a", 600_000).await;
    let spare = cluster.spare().await;
    let channel = Endpoint::from_shared(cluster.endpoint(spare)).unwrap().connect().await.unwrap();
    let mut instances = InstancesClient::new(channel);
    let wire::OpenInstanceReply { incarnation, state_id, .. } = opened;
    let renewal = wire::RenewRequest { sequence: 1, incarnations: vec![incarnation], state_id };
    let mut renewed = instances.renew(tokio_stream::iter([renewal])).await.expect("a stream").into_inner();
    let close = wire::CloseInstanceRequest { incarnation, state_id, ..Default::default() };
    let refused = [renewed.message().await.expect_err("a renewal"), instances.close(close).await.expect_err("an end")];
    for status in refused {
        let problem = wire::Problem::decode(status.details()).expect("a problem");
        assert_eq!(problem.reason, "uninitialized", "{}", problem.message);
    }
}
