//! Sessions through a real cluster.

use keeper_client_sdk::{Consistency, Kick, ListSessions, Notice, NoticeCause, Registration, Route, SessionKey};
use keeper_proto::v1 as wire;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::{InProcess, until};

use crate::wire as raw;

fn user(name: &str) -> SessionKey {
    SessionKey::of_user(name.to_owned()).expect("a user")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_user_is_found_on_every_node_at_once() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").endpoint("ws://a").open().await.unwrap();
    for round in 0..20 {
        let key = user(&format!("u{round}"));
        let registered = room.sessions().register(Registration::new(key.clone()).connection("c1")).await.unwrap();
        for at in 0..cluster.size() {
            // Pinned to one node: a follower answers from its own state, after one round of ReadIndex.
            let lookup = cluster.client(at).await.lookup().route(Route::AnyNode);
            let found = lookup.session(&key).await.unwrap().found.expect("registered before the lookup began");
            assert_eq!(found.epoch, registered.epoch);
            assert_eq!(found.owner.endpoints, ["ws://a"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_registration_wins_and_a_stale_epoch_changes_nothing() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let first = keeper.instance("room", "a").open().await.unwrap();
    let second = keeper.instance("room", "b").open().await.unwrap();
    let mut notices = first.sessions().notices();
    let key = user("ada");
    let old = first.sessions().register(Registration::new(key.clone()).connection("old")).await.unwrap();
    let new = second.sessions().register(Registration::new(key.clone()).connection("new")).await.unwrap();
    assert!(new.epoch > old.epoch);
    assert_eq!(new.displaced.map(|it| it.epoch), Some(old.epoch));

    let late = first.sessions().unregister(&key, old.epoch).await.expect_err("the epoch is stale");
    assert_eq!(late.reason(), "stale-epoch");
    let found = keeper.lookup().session(&key).await.unwrap().found.expect("still held by the second");
    assert_eq!(found.epoch, new.epoch);

    let Some(Ok(Notice::Ended { key: ended, epoch, connection, cause })) = notices.next().await else {
        panic!("the first gateway is told");
    };
    assert_eq!((ended, epoch, &connection[..]), (key, old.epoch, &b"old"[..]));
    assert!(matches!(cause, NoticeCause::Displaced(by) if by.instance == "b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_conn_seq_never_displaces_a_higher() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let slow = keeper.instance("room", "slow").open().await.unwrap();
    let fast = keeper.instance("room", "fast").open().await.unwrap();
    let key = user("bob");
    fast.sessions().register(Registration::new(key.clone()).conn_seq(8)).await.unwrap();
    let refused = slow.sessions().register(Registration::new(key.clone()).conn_seq(7)).await.expect_err("older");
    assert_eq!(refused.reason(), "stale-conn-seq");
    let found = keeper.lookup().session(&key).await.unwrap().found.unwrap();
    assert_eq!(found.owner.instance, "fast");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_bound_counted_and_filtered() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let key = user("eve");
    let registered = room.sessions().register(Registration::new(key.clone()).topic("news")).await.unwrap();
    room.sessions().bind(&key, registered.epoch, vec!["chat".into()]).await.unwrap();
    let total = async |topic: &'static str| keeper.sessions().count(Some(topic.into())).await.unwrap().total;
    assert_eq!((total("news").await, total("chat").await), (1, 1));
    room.sessions().unbind(&key, registered.epoch, vec!["news".into()]).await.unwrap();
    assert_eq!((total("news").await, total("chat").await), (0, 1));
    let refused = room.sessions().unbind(&key, registered.epoch, vec!["news".into()]).await.expect_err("not bound");
    assert_eq!(refused.reason(), "not-bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_sent_again_gets_its_first_answer_even_after_a_change_of_leader() {
    let mut cluster = InProcess::start(3).await;
    let before = raw::leader(&cluster).await;
    let gateway = raw::open(&before, "a", 60_000).await;
    let first = raw::frames(&before, vec![raw::register(&gateway, 1, "ada"), raw::register(&gateway, 2, "bob")]).await;
    assert!(first.iter().all(|reply| reply.problem.is_none()), "{first:?}");

    let leader = cluster.leader().await;
    cluster.crash(leader);
    let after = raw::leader(&cluster).await;
    let again = raw::frames(&after, vec![raw::register(&gateway, 2, "bob"), raw::register(&gateway, 1, "ada")]).await;
    assert_eq!(again[0], first[1]);
    assert_eq!(again[1], first[0]);
    let next = raw::frames(&after, vec![raw::register(&gateway, 3, "eve")]).await;
    assert!(next[0].problem.is_none());
    let gap = raw::frames(&after, vec![raw::register(&gateway, 5, "joe")]).await;
    assert_eq!(gap[0].problem.as_ref().map(|it| &it.reason[..]), Some("sequence-gap"));
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_another_history_and_of_closed_incarnations_are_refused() {
    let cluster = InProcess::start(1).await;
    let channel = raw::leader(&cluster).await;
    let gateway = raw::open(&channel, "a", 60_000).await;
    let foreign = wire::OpenInstanceReply { state_id: gateway.state_id ^ 1, ..gateway };
    let refused = raw::frames(&channel, vec![raw::register(&foreign, 1, "ada")]).await;
    assert_eq!(refused[0].problem.as_ref().map(|it| &it.reason[..]), Some("foreign-state"));
    // The same name again is a new life; the old one is closed by it.
    let reborn = raw::open(&channel, "a", 60_000).await;
    assert!(reborn.incarnation > gateway.incarnation);
    let refused = raw::frames(&channel, vec![raw::register(&gateway, 1, "ada")]).await;
    assert_eq!(refused[0].problem.as_ref().map(|it| &it.reason[..]), Some("incarnation-closed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_ends_the_session_and_tells_the_gateway() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let mut notices = room.sessions().notices();
    let key = user("ada");
    room.sessions().register(Registration::new(key.clone()).connection("c")).await.unwrap();
    let kick = Kick { user: "ada".into(), reason: "spam".to_owned(), author: "ops".to_owned(), ..Kick::default() };
    let kicked = keeper.sessions().kick(kick).await.unwrap();
    assert_eq!(kicked.sessions.len(), 1);
    assert!(keeper.lookup().session(&key).await.unwrap().found.is_none());
    let Some(Ok(Notice::Ended { cause: NoticeCause::Kicked { reason, .. }, .. })) = notices.next().await else {
        panic!("the gateway is told");
    };
    assert_eq!(reason, "spam");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_shows_every_session_once_across_pages_and_nodes() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let sessions = room.sessions();
    let all: Vec<_> = (0..250).map(|n| format!("user-{n:03}")).collect();
    let registering = all.iter().map(|name| sessions.register(Registration::new(user(name))));
    futures_util::future::try_join_all(registering).await.unwrap();
    let mut listed = Vec::new();
    let mut token = Default::default();
    for page in 0.. {
        // Every page from another node.
        let client = cluster.client(page % cluster.size()).await;
        let asked = ListSessions { limit: 60, token, ..ListSessions::default() };
        let page = client.sessions().list(asked).await.unwrap();
        listed.extend(page.sessions.iter().map(|it| String::from_utf8_lossy(it.key.user()).into_owned()));
        let Some(next) = page.next else { break };
        token = next;
    }
    listed.sort();
    assert_eq!(listed, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_read_says_how_old_it_is_and_at_least_reads_your_writes() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let follower = cluster.client(cluster.follower().await).await;
    for round in 0..20 {
        let key = user(&format!("u{round}"));
        let registered = room.sessions().register(Registration::new(key.clone())).await.unwrap();
        let written = Consistency::AtLeast(registered.epoch.revision);
        let lookup = follower.lookup().consistency(written).route(Route::AnyNode);
        let looked = lookup.session(&key).await.unwrap();
        assert!(looked.found.is_some() && looked.revision >= registered.epoch.revision);
    }
    let local = follower.lookup().consistency(Consistency::Local);
    until("a local read on a healthy cluster is at most a second old", async || {
        local.session(&user("u0")).await.is_ok_and(|looked| looked.age.as_millis() < 1_000)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_on_another_request_is_refused_and_on_the_same_one_answered_again() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    for name in ["ada", "bob"] {
        room.sessions().register(Registration::new(user(name))).await.unwrap();
    }
    let mut client = SessionsClient::new(raw::leader(&cluster).await);
    let kick = |name: &'static str| wire::KickRequest {
        user: name.into(),
        request_id: vec![7; 16].into(),
        ..wire::KickRequest::default()
    };
    let first = client.kick(kick("ada")).await.unwrap().into_inner();
    assert_eq!(client.kick(kick("ada")).await.unwrap().into_inner().kicked, first.kicked);
    let reused = client.kick(kick("bob")).await.expect_err("another request");
    assert!(reused.message().contains("used before"), "{reused}");
    assert!(keeper.lookup().session(&user("bob")).await.unwrap().found.is_some());
}
