//! Effective documents reach the processes that they change for, whole, in order and once.

use keeper_client_sdk::Rank;
use keeper_proto::v1 as wire;
use keeper_tests::{InProcess, until};
use serde_json::json;

use crate::follow_raw::{Raw, problem, told};

const A: &str = "push/a.toml";
const B: &str = "push/b.json";

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_one_publish_arrive_together_with_their_layers_merged() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    let first = leader.publish(&[(A, "x = 1\ny = 1\n"), (B, r#"{"n":1}"#)]).await;
    let process = leader.open("1", "eu", &[("ring", "canary")]).await;
    let node = Raw::node(&cluster, cluster.follower().await).await;
    let mut follower = node.follow(&process, &[B, A, "absent.json"]).await;
    let full = follower.full().await;
    assert_eq!(full, [told(A, first, json!({"x": 1, "y": 1})), told(B, first, json!({"n": 1}))]);

    let second = leader.publish(&[("push/a.toml@zone=eu", "y = 2\n"), (B, r#"{"n":2}"#)]).await;
    let changed = follower.changed().await;
    assert_eq!(changed, [told(A, second, json!({"x": 1, "y": 2})), told(B, second, json!({"n": 2}))]);
    let third = leader.publish(&[("push/b.json@label.ring=canary", r#"{"n":null,"m":3}"#)]).await;
    assert_eq!(follower.changed().await, [told(B, third, json!({"m": 3}))]);
    let fourth = leader.publish(&[("push/a.toml@zone=eu", ""), ("push/b.json@label.ring=canary", "")]).await;
    let changed = follower.changed().await;
    assert_eq!(changed, [told(A, fourth, json!({"x": 1, "y": 1})), told(B, fourth, json!({"n": 2}))]);

    let came = leader.publish(&[("absent.json", "7")]).await;
    assert_eq!(follower.changed().await, [told("absent.json", came, json!(7))]);
    let went = leader.publish(&[("absent.json", "")]).await;
    assert_eq!(follower.changed().await, [told("absent.json", went, json!(null))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_are_told_for_whom_something_changed() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n"), ("push/a.toml@zone=eu", "x = 2\n")]).await;
    let (eu, us) = (leader.open("1", "eu", &[]).await, leader.open("2", "us", &[]).await);
    let (mut eu, mut us) = (leader.follow(&eu, &[A]).await, leader.follow(&us, &[A]).await);
    assert_eq!((eu.full().await[0].2.clone(), us.full().await[0].2.clone()), (json!({"x": 2}), json!({"x": 1})));
    // A comment, another zone, what a layer covers, a document that nobody reads: nothing to the one, or to both.
    leader.publish(&[(A, "# said anew\nx = 1\n")]).await;
    leader.publish(&[("push/a.toml@zone=asia", "x = 9\n")]).await;
    let base = leader.publish(&[(A, "x = 3\n")]).await;
    leader.publish(&[(B, "1")]).await;
    assert_eq!(us.changed().await, [told(A, base, json!({"x": 3}))]);
    let zone = leader.publish(&[("push/a.toml@zone=eu", "x = 4\n")]).await;
    assert_eq!(eu.changed().await, [told(A, zone, json!({"x": 4}))]);
    // Its layer goes, and says what lies below it.
    leader.publish(&[(A, "x = 4\n")]).await;
    leader.publish(&[("push/a.toml@zone=eu", "")]).await;
    let last = leader.publish(&[(A, "x = 5\n")]).await;
    assert_eq!(eu.changed().await, [told(A, last, json!({"x": 5}))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_from_its_cursor_on_another_node_without_gap_or_duplicate() {
    let mut cluster = InProcess::start(3).await;
    let process = Raw::leader(&cluster).await.open("1", "eu", &[]).await;
    let mut follower = Raw::leader(&cluster).await.follow(&process, &["n.json"]).await;
    assert_eq!(follower.full().await, []);
    let mut seen = Vec::new();
    for round in 1..=30u64 {
        if round % 10 == 0 {
            let cursor = follower.cursor;
            let leader = cluster.leader().await;
            cluster.crash(leader);
            let node = Raw::leader(&cluster).await;
            // Published anew while the follower was away, saying the same.
            node.publish(&[("n.json", &format!("{}\n", round - 1))]).await;
            follower = node.follow_from(&process, &["n.json"], cursor).await;
            cluster.restart(leader).await;
        }
        let leader = Raw::leader(&cluster).await;
        let published = leader.publish(&[("n.json", &round.to_string())]).await;
        let changed = follower.changed().await;
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].1, published);
        seen.push(changed[0].2.clone());
    }
    assert_eq!(seen, (1..=30).map(|n| json!(n)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_incarnation_ends_its_stream_and_begins_none() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    let process = leader.open("1", "eu", &[]).await;
    let node = Raw::node(&cluster, cluster.follower().await).await;
    let mut follower = node.follow(&process, &[A]).await;
    follower.full().await;
    leader.close(&process).await;
    let ended = follower.end().await;
    let (reason, _, message) = problem(&ended);
    assert_eq!(reason, "incarnation-closed");
    assert!(message.contains("open the instance again"), "{message}");
    let mut late = node.follows();
    let request = wire::FollowRequest {
        paths: vec![A.to_owned()],
        incarnation: process.incarnation,
        state_id: process.state_id,
        ..Default::default()
    };
    let refused = late.follow(request.clone()).await.expect_err("it is closed");
    assert_eq!(problem(&refused).0, "incarnation-closed");
    let foreign = wire::FollowRequest { state_id: process.state_id + 1, ..request };
    assert_eq!(problem(&late.follow(foreign).await.expect_err("another history")).0, "foreign-state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_set_larger_than_any_message_arrives_whole() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    let text = format!(r#"{{"text":"{}"}}"#, "x".repeat(900_000));
    let paths: Vec<_> = (0..12).map(|n| format!("big/{n:02}.json")).collect();
    for path in &paths {
        node.publish(&[(path, &text)]).await;
    }
    let process = node.open("1", "eu", &[]).await;
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let mut follower = node.follow(&process, &paths).await;
    let mut arrived = Vec::new();
    loop {
        let frame = follower.frame().await.unwrap();
        assert!(frame.reset);
        assert!(frame.documents.iter().all(|document| document.value == text.as_bytes()));
        arrived.extend(frame.documents.into_iter().map(|document| document.path));
        if !frame.more {
            break;
        }
    }
    assert_eq!(arrived, paths);
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_retained_floor_a_follower_gets_the_full_set() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    let process = node.open("1", "eu", &[]).await;
    node.publish(&[(A, "x = 1\n"), (B, "1")]).await;
    let mut follower = node.follow(&process, &[A, B]).await;
    follower.full().await;
    let cursor = follower.cursor;
    drop(follower);
    node.publish(&[(B, "")]).await;
    // More deletions than are remembered.
    for batch in 0..=64 {
        let paths: Vec<_> = (0..64).map(|n| format!("gone/{batch}-{n}.json")).collect();
        for text in ["1", ""] {
            node.publish(&paths.iter().map(|path| (path.as_str(), text)).collect::<Vec<_>>()).await;
        }
    }
    let mut follower = node.follow_from(&process, &[A, B], cursor).await;
    let full: Vec<_> = follower.full().await.into_iter().map(|(path, _, value)| (path, value)).collect();
    assert_eq!(full, [(A.to_owned(), json!({"x": 1}))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn strings_of_ini_are_what_the_process_reads_them_by() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    let schema = r#"{"properties":{"room":{"properties":{"max":{"type":"integer"}},"type":"object"}},"type":"object"}"#;
    node.publish(&[("room.ini", "[room]\nmax = 7\nname = 8\n")]).await;
    let (typed, plain) = (node.open("1", "eu", &[]).await, node.open("2", "eu", &[]).await);
    node.announce(&typed, &[("room.ini", schema)]).await;
    let typed = node.follow(&typed, &["room.ini"]).await.full().await;
    assert_eq!(typed[0].2, json!({"room": {"max": 7, "name": "8"}}));
    let plain = node.follow(&plain, &["room.ini"]).await.full().await;
    assert_eq!(plain[0].2, json!({"room": {"max": "7", "name": "8"}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_might_be_is_followed_by_its_zone_and_labels() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    node.publish(&[(A, "x = 1\n"), ("push/a.toml@label.ring=canary", "x = 2\n")]).await;
    let reader = |id: &str| wire::Reader {
        service: "room".to_owned(),
        id: id.to_owned(),
        zone: "eu".to_owned(),
        labels: [("ring".to_owned(), "canary".to_owned())].into(),
    };
    let request =
        |id| wire::FollowRequest { paths: vec![A.to_owned()], reader: Some(reader(id)), ..Default::default() };
    let mut stream = node.follows().follow(request("")).await.unwrap().into_inner();
    let full = stream.message().await.unwrap().unwrap();
    assert_eq!(&full.documents[0].value[..], br#"{"x":2}"#);
    let absent = node.follows().follow(request("7")).await.expect_err("nobody has that name");
    assert_eq!(problem(&absent).1, "reader.id");
    // An open one is what it opened with, whatever is said of it.
    node.open("7", "us", &[]).await;
    let mut stream = node.follows().follow(request("7")).await.unwrap().into_inner();
    assert_eq!(&stream.message().await.unwrap().unwrap().documents[0].value[..], br#"{"x":1}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_begins_tells_no_follower_again_what_was_told_elsewhere() {
    let mut cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    node.publish(&[(A, "x = 1\n")]).await;
    let process = node.open("1", "eu", &[]).await;
    let mut follower = node.follow(&process, &[A]).await;
    follower.full().await;
    let spare = cluster.spare().await;
    cluster.add(spare, Rank::Learner).await;
    let learner = Raw::node(&cluster, spare).await;
    let mut elsewhere = learner.follow_from(&process, &[A], follower.cursor).await;
    let published = node.publish(&[(A, "x = 2\n")]).await;
    assert_eq!(elsewhere.changed().await, [told(A, published, json!({"x": 2}))]);
    let watching = || cluster.node(spare).replica().applied().0 >= published;
    until("the learner has it", async || watching()).await;
}
