//! What processes make of their documents, as the leader hears it.

use std::time::Duration;

use keeper_proto::v1 as wire;
use keeper_proto::v1::config_status_reply::Gone;
use keeper_proto::v1::instances_client::InstancesClient;
use keeper_tests::{InProcess, until_some};
use tokio::task::JoinSet;
use tonic::Status;

use crate::follow_raw::{Process, Raw, problem};

const A: &str = "push/a.toml";

const YES: wire::Applied = wire::Applied::Yes;
const REFUSED: wire::Applied = wire::Applied::Refused;
const NEEDS_RESTART: wire::Applied = wire::Applied::NeedsRestart;

fn ack(path: &str, revision: u64, applied: wire::Applied, reason: &str) -> wire::acknowledge_request::Acknowledgement {
    wire::acknowledge_request::Acknowledgement {
        path: path.to_owned(),
        revision,
        applied: applied.into(),
        reason: reason.to_owned(),
    }
}

async fn acknowledge(
    node: &Raw,
    process: &Process,
    documents: Vec<wire::acknowledge_request::Acknowledgement>,
) -> Result<u64, Status> {
    let Process { incarnation, state_id, .. } = *process;
    let request = wire::AcknowledgeRequest { incarnation, state_id, documents, ..Default::default() };
    Ok(node.follows().acknowledge(request).await?.into_inner().term)
}

async fn status(node: &Raw, path: &str) -> wire::ConfigStatusReply {
    let request = wire::ConfigStatusRequest { path: path.to_owned(), ..Default::default() };
    node.configs().status(request).await.unwrap().into_inner()
}

/// Applied, refused, in need of a restart, and silent.
fn counts(status: &wire::ConfigStatusReply) -> [u32; 4] {
    assert_eq!(status.readers, status.applied + status.refused + status.needs_restart + status.waiting);
    [status.applied, status.refused, status.needs_restart, status.waiting]
}

fn waiting(path: &str, revision: u64, share_bps: u32, timeout_ms: u32) -> wire::ConfigStatusRequest {
    wire::ConfigStatusRequest {
        path: path.to_owned(),
        limit: 0,
        wait_share_bps: share_bps,
        wait_revision: revision,
        wait_timeout_ms: timeout_ms,
    }
}

/// Processes that read a document in two zones.
async fn fleet(node: &Raw, size: usize) -> Vec<Process> {
    let mut fleet = Vec::new();
    for n in 0..size {
        let zone = if n % 2 == 0 { "eu" } else { "us" };
        let process = node.open(&n.to_string(), zone, &[]).await;
        node.announce(&process, &[(A, "")]).await;
        fleet.push(process);
    }
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_with_what_is_counted_and_laggards_are_named_first() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    let fleet = fleet(&leader, 5).await;
    // Whoever reads it and was never given anything has nothing to say.
    assert_eq!(counts(&status(&leader, A).await), [5, 0, 0, 0]);
    let first = leader.publish(&[(A, "x = 1\n")]).await;
    assert_eq!(counts(&status(&leader, A).await), [0, 0, 0, 5]);
    for process in &fleet {
        acknowledge(&leader, process, vec![ack(A, first, YES, "")]).await.unwrap();
    }
    assert_eq!(counts(&status(&leader, A).await), [5, 0, 0, 0]);

    let second = leader.publish(&[(A, "x = 2\n")]).await;
    acknowledge(&leader, &fleet[3], vec![ack(A, second, REFUSED, "x has to be odd")]).await.unwrap();
    acknowledge(&leader, &fleet[1], vec![ack(A, second, NEEDS_RESTART, "x")]).await.unwrap();
    acknowledge(&leader, &fleet[0], vec![ack(A, second, YES, "")]).await.unwrap();
    let told = status(&leader, A).await;
    assert_eq!(counts(&told), [1, 1, 1, 2]);
    let rows: Vec<_> =
        told.rows.iter().map(|row| (&row.id[..], row.revision, row.applied(), &row.reason[..])).collect();
    let expected = [
        ("3", second, REFUSED, "x has to be odd"),
        // What they said of something else is not what they say of this.
        ("2", first, wire::Applied::Unspecified, ""),
        ("4", first, wire::Applied::Unspecified, ""),
        ("1", second, NEEDS_RESTART, "x"),
        ("0", second, YES, ""),
    ];
    assert_eq!(rows, expected);
    let running: Vec<_> = told.rows.iter().map(|row| row.running_revision).collect();
    assert_eq!(running, [first, first, first, second, second], "as they are counted");
    assert!(told.rows.iter().all(|row| row.wanted_revision == second && row.version == "1.4.2"));
    let revisions: Vec<_> = told.revisions.iter().map(|at| (at.revision, at.instances)).collect();
    assert_eq!(revisions, [(second, 2), (first, 3)], "who refuses runs with what it had");

    // A layer is wanted by those it is for alone.
    let zone = leader.publish(&[("push/a.toml@zone=us", "x = 3\n")]).await;
    let told = status(&leader, A).await;
    assert_eq!(counts(&told), [1, 0, 0, 4]);
    let wanted = told.rows.iter().filter(|row| row.wanted_revision == zone).map(|row| &row.id[..]);
    assert_eq!(wanted.collect::<Vec<_>>(), ["1", "3"]);
    leader.close(&fleet[3]).await;
    assert_eq!(status(&leader, A).await.readers, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_the_same_needs_no_new_acknowledgement() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    let fleet = fleet(&node, 2).await;
    let first = node.publish(&[(A, "x = 1\n")]).await;
    for process in &fleet {
        acknowledge(&node, process, vec![ack(A, first, YES, "")]).await.unwrap();
    }
    let comment = node.publish(&[(A, "# the same\nx = 1\n")]).await;
    let layer = node.publish(&[("push/a.toml@zone=eu", "x = 1\n")]).await;
    let told = status(&node, A).await;
    assert_eq!(counts(&told), [2, 0, 0, 0]);
    let wanted: Vec<_> = told.rows.iter().map(|row| (&row.id[..], row.wanted_revision, row.revision)).collect();
    assert_eq!(wanted, [("1", comment, comment), ("0", layer, layer)]);
    let waited = node.configs().status(waiting(A, comment, 10_000, 60_000)).await.unwrap().into_inner();
    assert_eq!(waited.applied, 2);
    node.publish(&[("push/a.toml@zone=eu", "x = 2\n")]).await;
    assert_eq!(counts(&status(&node, A).await), [1, 0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_share_with_a_refusal_or_with_its_time() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    let fleet = fleet(&leader, 4).await;
    let first = leader.publish(&[(A, "x = 1\n")]).await;
    let (mut configs, mut others) = (leader.configs(), leader.configs());
    let speaking = async {
        for process in &fleet[..3] {
            acknowledge(&leader, process, vec![ack(A, first, YES, "")]).await.unwrap();
        }
    };
    let (waited, ()) = tokio::join!(configs.status(waiting(A, first, 7_500, 60_000)), speaking);
    assert_eq!(counts(waited.unwrap().get_ref()), [3, 0, 0, 1]);
    let wanted = others.status(waiting(A, 0, 10_000, 50)).await.unwrap().into_inner();
    assert_eq!((counts(&wanted), wanted.reached), ([3, 0, 0, 1], 3), "what each is to run with");
    let late = others.status(waiting(A, first, 10_000, 50)).await.unwrap().into_inner();
    assert_eq!(counts(&late), [3, 0, 0, 1]);
    assert_eq!(late.rows[0].id, "3", "the laggard is named");
    let refusing = acknowledge(&leader, &fleet[3], vec![ack(A, first, REFUSED, "no")]);
    let (refused, heard) = tokio::join!(configs.status(waiting(A, first, 10_000, 60_000)), refusing);
    heard.unwrap();
    assert_eq!(counts(refused.unwrap().get_ref()), [3, 1, 0, 0]);

    // A reader that closes is waited for no longer.
    let second = leader.publish(&[(A, "x = 2\n")]).await;
    for process in &fleet[..3] {
        acknowledge(&leader, process, vec![ack(A, second, YES, "")]).await.unwrap();
    }
    let closing = leader.close(&fleet[3]);
    let (waited, ()) = tokio::join!(configs.status(waiting(A, second, 10_000, 60_000)), closing);
    let waited = waited.unwrap().into_inner();
    assert_eq!((counts(&waited), waited.gone, waited.closed), ([3, 0, 0, 0], 0, 1));
    assert_eq!((&waited.rows[0].id[..], waited.rows[0].gone()), ("3", Gone::Closed));

    let wrong = [waiting(A, 1, 10_001, 0), waiting(A, 1, 1, 600_001), waiting("a@zone=eu", 1, 1, 1)];
    for (request, field) in wrong.into_iter().zip(["wait_share_bps", "wait_timeout_ms", "path"]) {
        assert_eq!(problem(&configs.status(request).await.unwrap_err()).1, field);
    }
}

/// `0 of 0 run with it` was the answer when all readers had died of the value.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_goes_on_for_readers_that_have_died() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    let lasting = node.open("lasting", "eu", &[]).await;
    let dying = node.open_for(1_500, "dying", "eu", &[]).await;
    for process in [&lasting, &dying] {
        node.announce(process, &[(A, "")]).await;
    }
    let first = node.publish(&[(A, "x = 1\n")]).await;
    acknowledge(&node, &lasting, vec![ack(A, first, YES, "")]).await.unwrap();
    let late = node.configs().status(waiting(A, first, 10_000, 6_000)).await.unwrap().into_inner();
    assert_eq!((counts(&late), late.gone, late.closed), ([1, 0, 0, 0], 1, 0));
    assert_eq!((&late.rows[0].id[..], late.rows[0].gone()), ("dying", Gone::Expired));
    let half = node.configs().status(waiting(A, first, 5_000, 60_000)).await.unwrap().into_inner();
    assert_eq!((half.readers, half.gone), (1, 0), "who had gone before is no reader");
    let nobody = node.configs().status(waiting("push/b.toml", first, 10_000, 60_000)).await.unwrap().into_inner();
    assert_eq!((nobody.readers, nobody.gone, nobody.closed), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_knows_nothing_until_it_is_told_and_says_that_it_is_new() {
    let mut cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    let fleet = fleet(&leader, 2).await;
    let first = leader.publish(&[(A, "x = 1\n")]).await;
    let mut before = 0;
    for process in &fleet {
        before = acknowledge(&leader, process, vec![ack(A, first, YES, "")]).await.unwrap();
    }
    assert_eq!(renewed(&leader, &fleet[0]).await, before, "both calls name the same office");
    let old = cluster.leader().await;
    let mut waited = JoinSet::new();
    let (mut configs, later) = (leader.configs(), first + 1_000);
    waited.spawn(async move { configs.status(waiting(A, later, 10_000, 60_000)).await });
    cluster.crash(old);
    drop(waited.join_next().await.unwrap().unwrap().expect_err("its leader is gone"));

    let leader = Raw::leader(&cluster).await;
    let told = status(&leader, A).await;
    assert_eq!(counts(&told), [0, 0, 0, 2]);
    assert!(told.listening_since_ms > 0);
    let after = renewed(&leader, &fleet[0]).await;
    assert_ne!(after, before);
    let Process { incarnation, state_id, .. } = fleet[0];
    let documents = vec![ack(A, first, YES, "")];
    let all = wire::AcknowledgeRequest { incarnation, state_id, all: true, documents, health: None };
    assert_eq!(leader.follows().acknowledge(all).await.unwrap().get_ref().term, after);
    assert_eq!(counts(&status(&leader, A).await), [1, 0, 0, 1]);
    let follower = Raw::node(&cluster, cluster.follower().await).await;
    let elsewhere = acknowledge(&follower, &fleet[1], vec![ack(A, first, YES, "")]).await.unwrap_err();
    assert_eq!(problem(&elsewhere).0, "not-leader");
    let asked = wire::ConfigStatusRequest { path: A.to_owned(), ..Default::default() };
    assert_eq!(problem(&follower.configs().status(asked).await.unwrap_err()).0, "not-leader");
}

/// The office that a renewal is answered by.
async fn renewed(node: &Raw, process: &Process) -> u64 {
    until_some("a renewal is acknowledged", async || {
        let request =
            wire::RenewRequest { sequence: 1, incarnations: vec![process.incarnation], state_id: process.state_id };
        let mut replies = InstancesClient::new(node.0.clone()).renew(tokio_stream::iter([request])).await.ok()?;
        let reply = tokio::time::timeout(Duration::from_secs(5), replies.get_mut().message()).await.ok()?.ok()??;
        assert_eq!(reply.renewed, [process.incarnation]);
        Some(reply.term)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_gone_with_the_incarnation_and_nonsense_is_refused_by_its_place() {
    let cluster = InProcess::start(1).await;
    let node = Raw::leader(&cluster).await;
    let fleet = fleet(&node, 1).await;
    let first = node.publish(&[(A, "x = 1\n")]).await;
    let wrong = [
        (vec![ack(A, first, wire::Applied::Unspecified, "")], "documents[0].applied"),
        (vec![ack(A, first, YES, ""), ack(A, first, YES, "")], "documents[1].path"),
        (vec![ack(A, first, REFUSED, &"x".repeat(257))], "documents[0].reason"),
        (vec![ack("a@zone=eu", first, YES, "")], "documents[0].path"),
        ((0..257).map(|n| ack(&n.to_string(), first, YES, "")).collect(), "documents"),
    ];
    for (documents, field) in wrong {
        let refused = acknowledge(&node, &fleet[0], documents).await.unwrap_err();
        assert_eq!(problem(&refused).1, field, "{refused}");
    }
    acknowledge(&node, &fleet[0], vec![ack(A, first, YES, "")]).await.unwrap();
    node.close(&fleet[0]).await;
    let closed = acknowledge(&node, &fleet[0], vec![ack(A, first, YES, "")]).await.unwrap_err();
    assert_eq!(problem(&closed).0, "incarnation-closed");
    // Its next life has said nothing.
    let again = node.open("0", "eu", &[]).await;
    node.announce(&again, &[(A, "")]).await;
    assert_eq!(counts(&status(&node, A).await), [0, 0, 0, 1]);
}
