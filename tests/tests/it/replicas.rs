//! Replicas that part: found while they run, told, and not read.
//!
//! A difference is planted by applying a command to one replica that the log does not hold.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use keeper::batch::Batch;
use keeper_client_sdk::{Consistency, Registration, SessionKey};
use keeper_registry::{Command, OpenInstance};
use keeper_tests::{InProcess, until, until_some};

use crate::ctl::{Ctl, words};

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).expect("a user")
}

/// Changes the state of one node behind the log's back.
fn plant(cluster: &InProcess, at: usize) {
    let open = OpenInstance {
        service: "ghost".to_owned(),
        id: "a".to_owned(),
        endpoints: Vec::new(),
        zone: String::new(),
        weight: 1,
        labels: Vec::new(),
        version: String::new(),
        ttl_ms: 10_000,
        former_state: None,
        flush_total: 0,
        request: None,
    };
    let replica = cluster.node(at).replica();
    let time = replica.read(keeper_registry::State::time);
    let batch = Batch::new(time, vec![Command::OpenInstance(open)]);
    replica.apply(replica.applied().0, &batch).expect("it decodes");
}

pub(crate) fn page(cluster: &InProcess, at: usize, path: &str) -> String {
    let mut stream = TcpStream::connect(cluster.node(at).addresses().http).expect("the node listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: keeper\r\nConnection: close\r\n\r\n").expect("a request");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("an answer");
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_differs_is_found_told_and_not_read() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    room.sessions().register(Registration::new(user(1))).await.unwrap();
    cluster.converge().await;
    let follower = cluster.follower().await;
    plant(&cluster, follower);
    let found = until_some("the difference is found", async || cluster.status(follower).await.diverged).await;
    assert_ne!(found.found, found.expected);

    // The leader tells, the node tells, and so does whoever asks them.
    until("metrics tell", async || {
        let leader = cluster.leader().await;
        let tells = |at| page(&cluster, at, "/metrics").contains("keeper_replica_diverged 1\n");
        tells(leader) && tells(follower)
    })
    .await;
    assert!(page(&cluster, follower, "/readyz").starts_with("HTTP/1.1 503"), "it must not be sent work");
    let told = Ctl::of(&cluster).run(&["cluster", "status"]).await;
    let expected = format!("the state of node {} differs from the majority's", follower + 1);
    assert_eq!(told.status.code(), Some(1), "{}", words(&told));
    assert!(words(&told).contains(&expected), "{}", words(&told));

    // Nobody is answered by it; whoever asks is answered by another.
    let alone = cluster.client(follower).await;
    let looked = alone.lookup().consistency(Consistency::Local).session(&user(1)).await;
    assert!(looked.is_ok_and(|looked| looked.found.is_some()), "another node answers");
    room.sessions().register(Registration::new(user(2))).await.expect("the majority goes on");

    // What was planted was in memory only: the log makes the right state again.
    cluster.crash(follower);
    cluster.restart(follower).await;
    cluster.leader().await;
    cluster.converge().await;
    assert_eq!(cluster.status(follower).await.diverged, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_differs_hands_over_and_never_leads_again() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    room.sessions().register(Registration::new(user(1))).await.unwrap();
    cluster.converge().await;
    let leader = cluster.leader().await;
    plant(&cluster, leader);
    until_some("the difference is found", async || cluster.status(leader).await.diverged).await;
    until("another one leads", async || cluster.leader().await != leader).await;
    room.sessions().register(Registration::new(user(2))).await.expect("the majority goes on");
    assert!(keeper.lookup().session(&user(2)).await.unwrap().found.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_differ_are_told_and_nobody_is_convicted() {
    let mut cluster = InProcess::start(3).await;
    let follower = cluster.follower().await;
    let leader = cluster.leader().await;
    let other = (0..3).find(|at| *at != leader && *at != follower).expect("three nodes");
    cluster.crash(other);
    cluster.leader().await;
    let leader = cluster.leader().await;
    let differs = (0..3).find(|at| *at != leader && *at != other).expect("two nodes");
    plant(&cluster, differs);
    until("the leader knows", async || {
        cluster.status(leader).await.members.iter().any(|member| member.diverged.is_some())
    })
    .await;
    assert_eq!(cluster.status(differs).await.diverged, None, "no majority says who is wrong");
    cluster.restart(other).await;
    until_some("a third one decides", async || cluster.status(differs).await.diverged).await;
}
