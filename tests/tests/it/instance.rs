//! Instances and their leases through a real cluster.

use std::time::Duration;

use keeper_client_sdk::{Answer, Consistency, Lost, Registration, SendControl, SessionKey};
use keeper_tests::{InProcess, until};
use tokio::time::Instant;

use crate::wire as raw;

const TTL: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_nobody_renews_expires_and_its_sessions_with_it() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let channel = raw::leader(&cluster).await;
    let gateway = raw::open(&channel, "silent", 1_500).await;
    let opened_at = Instant::now();
    let registered = raw::frames(&channel, vec![raw::register(&gateway, 1, "ada")]).await;
    assert!(registered[0].problem.is_none());
    let key = SessionKey::of_user("ada").unwrap();
    until("the session is gone", async || keeper.lookup().session(&key).await.unwrap().found.is_none()).await;
    assert!(opened_at.elapsed() >= TTL - Duration::from_millis(50), "expired after {:?}", opened_at.elapsed());
    assert!(keeper.instances().get("room", "silent").await.unwrap().is_none());
    // On every replica, and the rows are reaped.
    cluster.converge().await;
    for at in 0..cluster.size() {
        let local = cluster.client(at).await.lookup().consistency(Consistency::Local);
        assert!(local.session(&key).await.unwrap().found.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_lease_outlives_many_ttls_and_the_death_of_the_leader() {
    // Longer than a change of leaders takes.
    const TTL: Duration = Duration::from_secs(4);
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "alive").ttl(TTL).open().await.unwrap();
    let key = SessionKey::of_user("ada").unwrap();
    room.sessions().register(Registration::new(key.clone())).await.unwrap();
    let opened_at = Instant::now();
    let leader = cluster.leader().await;
    cluster.crash(leader);
    until("two TTLs have passed", async || opened_at.elapsed() > TTL * 2).await;
    assert!(room.is_held());
    assert!(keeper.lookup().session(&key).await.unwrap().found.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_instance_is_told_to_watchers_and_lost_to_its_holder() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let mut watch = keeper.instances().watch("room");
    assert!(watch.next().await.unwrap().unwrap().reset);
    let first = keeper.instance("room", "a").zone("z1").label("disk", "ssd").ttl(TTL).open().await.unwrap();
    let opened = watch.next().await.unwrap().unwrap();
    assert_eq!(opened.opened[0].labels.get("disk").map(|it| &it[..]), Some("ssd"));
    // A second life of the same name ends the first.
    let second = keeper.instance("room", "a").ttl(TTL).open().await.unwrap();
    assert!(second.incarnation() > first.incarnation());
    let replaced = watch.next().await.unwrap().unwrap();
    assert_eq!(replaced.closed.iter().map(|it| &it.reason[..]).collect::<Vec<_>>(), ["replaced"]);
    assert_eq!(first.lost().await, Lost::Ended);
    drop(second);
    until("the dropped instance is closed", async || keeper.instances().list("room").await.unwrap().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_reaches_its_instances_and_their_answers_are_seen() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let mut controls = room.controls();
    let drain = SendControl { service: "room".to_owned(), action: "drain".to_owned(), ..SendControl::default() };
    let sent = keeper.controls().send(drain).await.unwrap();
    assert_eq!(sent.instances, 1);
    let addressed = controls.next().await.unwrap().unwrap();
    assert_eq!((addressed.control, &addressed.action[..]), (sent.control, "drain"));
    addressed.acknowledge(Answer::Done).await.unwrap();
    let status = keeper.controls().get(sent.control).await.unwrap();
    assert_eq!(status.answers.iter().map(|it| &it.state[..]).collect::<Vec<_>>(), ["done"]);
}
