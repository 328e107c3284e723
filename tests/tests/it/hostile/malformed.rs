//! Requests that are none.

use keeper_client_sdk::{Edit, Rank};
use keeper_tests::InProcess;
use tonic::Code;

use super::floods::Raw;

/// What a call that sends these bytes as its message is answered with: the status, and what it says.
async fn answer(raw: &mut Raw, stream: u32, path: &str, message: &[u8]) -> (Code, String) {
    raw.open_call(stream, path).await;
    let length = u32::try_from(message.len()).expect("it is short").to_be_bytes();
    raw.data(stream, &[&[0][..], &length, message].concat()).await;
    raw.end(stream).await;
    raw.status(stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_a_mistake_of_its_sender() {
    let cluster = InProcess::start(1).await;
    let calls = [
        "/keeper.v1.Sessions/Lookup",
        "/keeper.v1.Sessions/Read",
        "/keeper.v1.Sessions/Write",
        "/keeper.v1.Sessions/Presence",
        "/keeper.v1.Configs/Publish",
        "/keeper.v1.Instances/Renew",
        "/keeper.v1.Cluster/Initialize",
    ];
    let mut raw = Raw::connect(&cluster).await;
    for (at, path) in calls.into_iter().enumerate() {
        let stream = 2 * u32::try_from(at).expect("few") + 1;
        let (code, said) = answer(&mut raw, stream, path, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").await;
        assert_eq!(code, Code::InvalidArgument, "{path}: {said}");
        assert!(said.contains("cannot be read"), "{path}: {said}");
    }
    // Another kind of frame, and none at all.
    raw.open_call(101, "/keeper.v1.Sessions/Lookup").await;
    raw.data(101, &[7, 0, 0, 0, 0]).await;
    raw.end(101).await;
    assert_eq!(raw.status(101).await.0, Code::InvalidArgument);
    raw.open_call(103, "/keeper.v1.Sessions/Lookup").await;
    raw.end(103).await;
    assert_eq!(raw.status(103).await.0, Code::InvalidArgument);
    let (code, _) = answer(&mut raw, 105, "/keeper.v1.Sessions/Nothing", b"").await;
    assert_eq!(code, Code::Unimplemented);
    let (code, _) = answer(&mut raw, 107, "/keeper.v1.Cluster/Status", b"").await;
    assert_eq!(code, Code::Ok, "the connection is as good as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_by_the_limit_before_it_has_come() {
    let cluster = InProcess::start(1).await;
    let mut raw = Raw::connect(&cluster).await;
    for (stream, path, limit) in
        [(1, "/keeper.v1.Configs/Publish", 4 << 20), (3, "/keeper.v1.Sessions/Read", 256 << 10)]
    {
        raw.open_call(stream, path).await;
        raw.data(stream, &[0, 0xff, 0xff, 0xff, 0xff]).await;
        let (code, said) = raw.status(stream).await;
        assert_eq!(code, Code::OutOfRange, "{said}");
        assert!(said.contains(&format!("the limit is: {limit} bytes")), "{said}");
    }
}

/// It was said back whole, in a header that no client takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_back_only_so_much() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let long = "a".repeat(200_000);
    let excerpt = format!("{}.. (200000 bytes)", "a".repeat(300));
    let added = keeper.cluster().add(long.clone(), Rank::Learner).done().await;
    let founded = keeper.cluster().initialize(&keeper.endpoints()[0], long.clone(), Vec::new()).await;
    let published = keeper.configs().publish(Edit::put(long, "x")).await;
    let refused = [added.map(drop), founded, published.map(drop)].map(|it| it.expect_err("it is no name").to_string());
    assert!(refused[0].contains(&excerpt) && refused[1].contains(&excerpt), "{refused:?}");
    assert!(refused.iter().all(|it| it.len() < 1_000), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_nothing_back_that_moves_a_cursor_or_begins_a_line() {
    let cluster = InProcess::start(1).await;
    let mut raw = Raw::connect(&cluster).await;
    let name = b"a\x1b[31m\nFORGED";
    let field = |number: u8| [&[number << 3 | 2, name.len() as u8][..], name].concat();
    let calls = [
        ("/keeper.v1.Sessions/Presence", field(3)),
        ("/keeper.v1.Configs/Lint", field(1)),
        ("/keeper.v1.Cluster/Initialize", field(1)),
    ];
    for (at, (path, message)) in calls.into_iter().enumerate() {
        let (_, said) = answer(&mut raw, 2 * u32::try_from(at).expect("few") + 1, path, &message).await;
        assert!(said.contains(r"a\u{1b}[31m\nFORGED"), "{path}: {said:?}");
    }
}
