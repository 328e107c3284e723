//! What the silence of a watch means.

use std::time::Duration;

use keeper_proto::v1 as wire;
use keeper_proto::v1::configs_client::ConfigsClient;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::InProcess;
use tokio::time::timeout;

use crate::wire as raw;

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_has_nothing_to_say_says_so_with_its_cursor() {
    let cluster = InProcess::start(1).await;
    let channel = raw::leader(&cluster).await;
    let request = wire::WatchConfigsRequest { selectors: vec!["app/".to_owned()], ..Default::default() };
    let mut changes = ConfigsClient::new(channel).watch(request).await.expect("a watch opens").into_inner();
    let first = changes.message().await.expect("an answer").expect("the full set");
    assert!(first.reset && first.documents.is_empty());
    let word = changes.message().await.expect("an answer").expect("a word after a silence");
    assert!(!word.reset && word.documents.is_empty() && word.cursor >= first.cursor, "{word:?}");
    assert_eq!(word.state_id, first.state_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_says_nothing() {
    let mut cluster = InProcess::start(3).await;
    let channel = raw::leader(&cluster).await;
    let kept = cluster.leader().await;
    let request = wire::PresenceRequest { silence_ms: 200, ..Default::default() };
    let mut replies = SessionsClient::new(channel).presence(request).await.expect("a stream opens").into_inner();
    for _ in 0..3 {
        let word = replies.message().await.expect("an answer").expect("a word");
        assert!(word.facts.is_empty() && !word.token.is_empty() && word.revision > 0, "{word:?}");
    }
    for other in (0..3).filter(|other| *other != kept) {
        cluster.crash(other);
    }
    // What was on its way still arrives; then it is silent for five times as long as it was asked to be.
    while timeout(Duration::from_secs(1), replies.message())
        .await
        .is_ok_and(|word| word.is_ok_and(|word| word.is_some()))
    {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_out_of_bounds_is_refused() {
    let cluster = InProcess::start(1).await;
    let mut client = SessionsClient::new(raw::leader(&cluster).await);
    let refused = client.presence(wire::PresenceRequest { silence_ms: 10, ..Default::default() }).await;
    let refused = refused.expect_err("it is too short");
    assert_eq!(refused.message(), "`silence_ms` is 10; it lies between 200 and 5000, or is 0");
}
