//! What happens to the nodes themselves: loss of the leader, restarts, snapshots.

use std::time::{Duration, Instant};

use keeper_client_sdk::{Edit, Registration, SessionKey};
use keeper_tests::{InProcess, until, until_some};

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_survives_the_loss_of_each_leader_and_the_dead_catch_up() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let sessions = room.sessions();
    for round in 0..3 {
        let leader = cluster.leader().await;
        sessions.register(Registration::new(user(round * 2))).await.unwrap();
        cluster.crash(leader);
        sessions.register(Registration::new(user(round * 2 + 1))).await.unwrap();
        cluster.restart(leader).await;
        cluster.leader().await;
    }
    cluster.converge().await;
    for n in 0..6 {
        assert!(keeper.lookup().session(&user(n)).await.unwrap().found.is_some(), "user {n}");
    }
}

/// Nothing was written between the rest and the leader's death, and log time lives in what is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_dies_after_a_rest_takes_no_time_from_the_log() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let registered_at_ms = async |n| {
        room.sessions().register(Registration::new(user(n))).await.unwrap();
        keeper.lookup().session(&user(n)).await.unwrap().found.expect("registered").registered_at_ms
    };
    cluster.converge().await;
    let first_ms = registered_at_ms(1).await;
    cluster.converge().await;
    let begun = Instant::now();
    until("the cluster has rested", async || begun.elapsed() >= Duration::from_secs(3)).await;
    let rested_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
    let leader = cluster.leader().await;
    cluster.crash(leader);
    let passed_ms = registered_at_ms(2).await - first_ms;
    // Log time may lag behind a second by ten milliseconds.
    assert!(passed_ms >= rested_ms - rested_ms / 50, "{passed_ms} ms passed for the log, and {rested_ms} in truth");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_is_there_after_all_nodes_crashed_at_once() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let sessions = room.sessions();
    let registering = (0..500).map(|n| sessions.register(Registration::new(user(n))));
    futures_util::future::try_join_all(registering).await.unwrap();
    let published = keeper.configs().publish(Edit::put("a.json", "{\"n\":1}")).await.unwrap();
    for at in 0..3 {
        cluster.crash(at);
    }
    for at in 0..3 {
        cluster.restart(at).await;
    }
    cluster.leader().await;
    let counted = keeper.sessions().count(None).await.unwrap();
    assert_eq!(counted.total, 500);
    let document = keeper.configs().get("a.json").await.unwrap().expect("published");
    assert_eq!(document.revision, published.revision);
    cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_follower_gets_a_snapshot_when_the_log_is_purged() {
    let mut cluster = InProcess::start_with(3, |settings| {
        settings.raft.snapshot_log_entries = Some(40);
        settings.raft.log_keep_entries = 10;
    })
    .await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let late = cluster.follower().await;
    cluster.stop(late).await;
    let sessions = room.sessions();
    for n in 0..200 {
        sessions.register(Registration::new(user(n))).await.unwrap();
    }
    let leader = cluster.leader().await;
    until("the leader has purged what the follower lacks", async || cluster.status(leader).await.purged_index > 100)
        .await;
    cluster.restart(late).await;
    cluster.converge().await;
    assert!(cluster.status(late).await.snapshot_index > 100, "it could only catch up by a snapshot");
    assert_eq!(cluster.status(late).await.sessions, 200);
    // And it starts from that snapshot.
    cluster.crash(late);
    cluster.restart(late).await;
    cluster.converge().await;
    assert_eq!(cluster.status(late).await.sessions, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_acknowledged_and_reads_are_refused() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    room.sessions().register(Registration::new(user(1))).await.unwrap();
    let leader = cluster.leader().await;
    let others: Vec<_> = (0..3).filter(|at| *at != leader).collect();
    for at in &others {
        cluster.crash(*at);
    }
    let alone = cluster.client(leader).await;
    let lookup = alone.lookup();
    let lonely = tokio::time::timeout(Duration::from_secs(3), lookup.session(&user(1))).await;
    assert!(!matches!(lonely, Ok(Ok(_))), "a leader without a quorum must not answer: {lonely:?}");
    for at in others {
        cluster.restart(at).await;
    }
    until("reads are answered again", async || keeper.lookup().session(&user(1)).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_takes_no_part_under_its_old_id_and_harms_nobody() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    room.sessions().register(Registration::new(user(1))).await.unwrap();
    let wiped = cluster.follower().await;
    cluster.stop(wiped).await;
    std::fs::remove_dir_all(&cluster.settings(wiped).data_dir).unwrap();
    cluster.restart(wiped).await;
    // The leader goes on with the other one; the wiped one never gets a log, and founds nothing.
    for n in 2..50 {
        room.sessions().register(Registration::new(user(n))).await.unwrap();
    }
    assert_eq!(cluster.status(wiped).await.role.as_str(), "uninitialized");
    assert_eq!(cluster.status(wiped).await.last_log_index, 0);
    let again = cluster.found_by(wiped).await.expect_err("the others have a cluster");
    assert!(again.to_string().contains("already belongs to a cluster"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_snapshot_its_log_begins_behind_says_so_and_does_not_start() {
    let mut cluster = InProcess::start_with(3, |settings| {
        settings.raft.snapshot_log_entries = Some(20);
        settings.raft.log_keep_entries = 5;
    })
    .await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    for n in 0..100 {
        room.sessions().register(Registration::new(user(n))).await.unwrap();
    }
    let at = cluster.follower().await;
    until("the log is purged", async || cluster.status(at).await.purged_index > 0).await;
    cluster.stop(at).await;
    let snapshots = cluster.settings(at).data_dir.join("snapshots");
    for entry in std::fs::read_dir(snapshots).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let refused = until_some("it is refused for its data, not for its ports", async || {
        cluster.try_start(at).await.err().filter(|error| error.contains("part of this node's data is gone"))
    })
    .await;
    assert!(refused.contains("no snapshot covers"), "{refused}");
}

/// Moments were told too early after a stop, and nothing said so.
#[tokio::test(flavor = "multi_thread")]
async fn log_time_stands_still_while_no_node_runs_and_the_leader_says_by_how_much() {
    let mut cluster = InProcess::start(1).await;
    let before = cluster.status(0).await.log_behind_ms;
    cluster.stop(0).await;
    cluster.restart(0).await;
    cluster.leader().await;
    let after = cluster.status(0).await.log_behind_ms;
    assert!(before.abs() < 1_000, "it begins at the wall clock: {before} ms");
    assert!(after > before, "it was {before} ms behind, and is {after} ms behind");
}
