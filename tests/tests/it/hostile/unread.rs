//! What a node holds for clients that do not read.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use keeper_client_sdk::Edit;
use keeper_proto::v1 as wire;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::{InProcess, until};
use tonic::Code;
use tonic::transport::Channel;

use super::metric;
use super::silent::{self, call, calls, problem, question};
use crate::wire as raw;

const SHARE: usize = 8 << 20;

/// What may be there beyond the limit: one message for each thread.
const OVER: usize = 2 * (4 << 20);

async fn cluster(client_bytes_max: usize) -> InProcess {
    let cluster = InProcess::start_with(1, |settings| {
        settings.limits.client_bytes_max = client_bytes_max;
        settings.limits.connection_bytes_max = SHARE;
    })
    .await;
    silent::populate(&cluster).await;
    cluster
}

async fn held(cluster: &InProcess) -> usize {
    usize::try_from(metric(cluster, "keeper_client_bytes").await).expect("it fits")
}

async fn find(channel: &Channel) -> Result<wire::LookupReply, tonic::Status> {
    let found = SessionsClient::new(channel.clone()).lookup(question(1)).await?;
    Ok(found.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_whose_answers_are_not_read_are_refused_beyond_a_connections_share() {
    let cluster = cluster(64 << 20).await;
    let (silent, other) = (silent::connect(&cluster).await, raw::leader(&cluster).await);
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..100 {
        match call::<_, wire::LookupReply>(&silent, "/keeper.v1.Sessions/Lookup", question(300)).await {
            Ok(answer) => kept.push(answer),
            Err(status) => refused.push(status),
        }
        let now = held(&cluster).await;
        assert!(now <= SHARE + OVER, "{now} bytes are held");
    }
    assert!(!kept.is_empty() && refused.len() > 50, "{} and {}", kept.len(), refused.len());
    for status in &refused {
        assert_eq!(status.code(), Code::ResourceExhausted);
        let problem = problem(status);
        assert!(problem.message.contains("limits.connection_bytes_max"), "{}", problem.message);
        assert!(problem.retry_after_ms > 0, "{problem:?}");
    }
    // Whoever reads notices nothing; and whoever begins to read is served again.
    assert_eq!(find(&other).await.expect("it is served").users[0].sessions.len(), 16);
    // Side by side: they share one small window.
    let read = kept.into_iter().map(async |mut answer| answer.message().await);
    for answer in futures_util::future::join_all(read).await {
        assert!(answer.expect("it is whole").is_some());
    }
    find(&silent).await.expect("there is room again");
    drop(silent);
    until("everything is let go", async || held(&cluster).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_not_read_wait_instead_of_growing() {
    let cluster = cluster(64 << 20).await;
    let (silent, other) = (silent::connect(&cluster).await, raw::leader(&cluster).await);
    let text = format!("{{\"x\": \"{}\"}}", "y".repeat(900_000));
    let keeper = cluster.keeper().await;
    keeper.configs().publish(Edit::put("big.json", text)).await.expect("it is published");
    let mut reads = Vec::new();
    let mut others = Vec::new();
    for at in 0..60 {
        let questions = tokio_stream::iter((0..40).map(|_| question(300)));
        reads.extend(calls::<_, wire::LookupReply>(&silent, "/keeper.v1.Sessions/Read", questions).await);
        let scan = wire::ScanRequest::default();
        others.push(call::<_, wire::ScanReply>(&silent, "/keeper.v1.Sessions/Scan", scan).await.is_ok());
        let watch = wire::WatchConfigsRequest { selectors: vec![String::new()], ..Default::default() };
        let watch = call::<_, wire::ConfigsChanged>(&silent, "/keeper.v1.Configs/Watch", watch).await;
        reads_nothing(watch.map(drop));
        let list = wire::ListSessionsRequest { limit: 1_000, ..Default::default() };
        reads_nothing(call::<_, wire::ListSessionsReply>(&silent, "/keeper.v1.Sessions/List", list).await.map(drop));
        let follow = wire::PresenceRequest::default();
        let presence = call::<_, wire::PresenceReply>(&silent, "/keeper.v1.Sessions/Presence", follow).await;
        reads_nothing(presence.map(drop));
        let now = held(&cluster).await;
        assert!(now <= SHARE + OVER, "{now} bytes are held after {at}");
    }
    until("the share is full", async || held(&cluster).await + (4 << 20) >= SHARE).await;
    assert_eq!(find(&other).await.expect("it is served").users[0].sessions.len(), 16);
    drop((reads, silent));
    until("everything is let go", async || held(&cluster).await == 0).await;
}

/// Refused, if at all, for what it is.
fn reads_nothing<T>(called: Result<T, tonic::Status>) {
    if let Err(status) = called {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_full_of_unread_answers_renews_leases_and_gets_rid_of_who_does_not_read() {
    let cluster = cluster(16 << 20).await;
    let other = raw::leader(&cluster).await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        let silent = silent::connect(&cluster).await;
        for _ in 0..3 {
            let answer = call::<_, wire::LookupReply>(&silent, "/keeper.v1.Sessions/Lookup", question(300)).await;
            kept.extend(answer.map(|answer| (silent.clone(), answer)));
        }
    }
    let refused = SessionsClient::new(other.clone()).lookup(question(300)).await.expect_err("the node is full");
    assert!(problem(&refused).message.contains("limits.client_bytes_max"), "{refused:?}");
    raw::open(&other, "in-time", 10_000).await;
    cluster.status(0).await;
    assert!(held(&cluster).await <= (16 << 20) + OVER);
    until("those who do not read are cut off", async || {
        SessionsClient::new(other.clone()).lookup(question(300)).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_in_part_count_as_well() {
    let cluster = cluster(64 << 20).await;
    let mut flood = super::floods::Raw::connect(&cluster).await;
    // Each says that four megabytes are to come, and sends three.
    for call in 0..20 {
        flood.open_call(2 * call + 1, "/keeper.v1.Configs/Publish").await;
        flood.data(2 * call + 1, &[&[0][..], &(4_u32 << 20).to_be_bytes()].concat()).await;
        for _ in 0..200 {
            if flood.data(2 * call + 1, &[0; 16 << 10]).await.is_none() {
                break;
            }
        }
        let now = held(&cluster).await;
        assert!(now <= SHARE + OVER, "{now} bytes are held");
    }
    drop(flood);
    until("everything is let go", async || held(&cluster).await == 0).await;
}

/// Questions about the future: one fills the lane of those that wait, and eight would fill that of all others.
const QUESTIONS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn lookups_that_wait_for_the_future_are_in_nobodys_way() {
    let cluster = InProcess::start_with(1, |settings| settings.limits.lookup_keys_max = 8 * 1_024).await;
    let client = SessionsClient::new(raw::leader(&cluster).await);
    // A machine that stands still until nobody waits any more has shown nothing.
    for _ in 0..3 {
        let Some(mut waiting) = waits(&client).await else { continue };
        let now = wire::LookupRequest { users: vec!["u".into(); 1_024], ..Default::default() };
        let mut asking = client.clone();
        tokio::select! {
            biased;
            found = asking.lookup(now) => {
                found.expect("the lane of lookups is empty");
                return;
            }
            _ = waiting.next() => {}
        }
    }
    panic!("a lookup is answered only after those that wait for the future");
}

/// One question that waits, once the others have found no room beside it.
async fn waits(
    client: &SessionsClient<Channel>,
) -> Option<impl futures_util::Stream<Item = Result<tonic::Response<wire::LookupReply>, tonic::Status>> + use<>> {
    let future = || wire::LookupRequest {
        consistency: wire::Consistency::AtLeast.into(),
        at_least: u64::MAX,
        users: vec!["u".into(); 1_024],
        ..Default::default()
    };
    let ask = |mut client: SessionsClient<Channel>| async move { client.lookup(future()).await };
    let mut asked: FuturesUnordered<_> = (0..QUESTIONS).map(|_| ask(client.clone())).collect();
    for _ in 1..QUESTIONS {
        let refused = asked.next().await?.expect_err("the future does not come");
        if refused.code() != Code::ResourceExhausted {
            return None;
        }
    }
    Some(asked)
}
