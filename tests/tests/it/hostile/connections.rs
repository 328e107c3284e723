//! Connections without end, and without a word.

use keeper_client_sdk::Rank;
use keeper_proto::v1 as wire;
use keeper_proto::v1::cluster_client::ClusterClient;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::{InProcess, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};

use super::silent::problem;
use super::{get, metric};
use crate::name::Name;
use crate::wire as raw;

async fn connect(cluster: &InProcess) -> Channel {
    let endpoint = Endpoint::from_shared(cluster.endpoint(0)).expect("a URL");
    endpoint.connect().await.expect("the node listens")
}

async fn connections(cluster: &InProcess, listener: &str) -> u64 {
    metric(cluster, &format!("keeper_connections{{listener=\"{listener}\"}}")).await
}

async fn count(channel: &Channel) -> Result<(), tonic::Status> {
    SessionsClient::new(channel.clone()).count(wire::CountSessionsRequest::default()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_a_client_may_ask_how_the_node_is_and_nothing_else() {
    let mut cluster = InProcess::start(1).await;
    cluster.stop(0).await;
    cluster.change(0, |settings| settings.limits.connections_max = 4);
    cluster.restart(0).await;
    cluster.leader().await;
    let mut idle = Vec::new();
    until("all places are taken", async || {
        idle.push(TcpStream::connect(cluster.settings(0).listen.client).await.expect("the node listens"));
        idle.len() >= 4 && connections(&cluster, "client").await >= 4
    })
    .await;
    let late = connect(&cluster).await;
    let refused = count(&late).await.expect_err("there is no place for it");
    let problem = problem(&refused);
    assert!(problem.message.contains("limits.connections_max"), "{}", problem.message);
    assert!(problem.message.ends_with("has reached its limit of 4"), "{}", problem.message);
    assert!(problem.retry_after_ms > 0);
    // However many come: the latest have their turn.
    for _ in 0..200 {
        idle.push(TcpStream::connect(cluster.settings(0).listen.client).await.expect("the node listens"));
    }
    let admin = connect(&cluster).await;
    ClusterClient::new(admin.clone()).status(wire::StatusRequest {}).await.expect("its status it tells");
    assert!(connections(&cluster, "client").await <= 4 + 33);
    // Places that become free are for those who are there.
    drop(idle);
    until("there is a place", async || count(&admin).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let cluster = InProcess::start(1).await;
    let listen = cluster.settings(0).listen;
    let before = (connections(&cluster, "client").await, connections(&cluster, "peer").await);
    for round in 0..300 {
        for address in [listen.client, listen.peer, listen.http] {
            let mut stream = TcpStream::connect(address).await.expect("the node listens");
            // The greeting, a part of it, something else, nothing.
            let said: [&[u8]; 4] = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PRI *", b"\x16\x03\x01garbage", b""];
            stream.write_all(said[round % 4]).await.expect("it is taken");
        }
    }
    until("all are gone", async || {
        (connections(&cluster, "client").await, connections(&cluster, "peer").await) <= before
    })
    .await;
    assert_eq!(metric(&cluster, "keeper_client_bytes").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_is_let_go_and_keeps_nobody_out() {
    let cluster = InProcess::start(1).await;
    let listen = cluster.settings(0).listen;
    let mut silent = Vec::new();
    for address in [listen.client, listen.peer, listen.http] {
        for _ in 0..100 {
            let mut stream = TcpStream::connect(address).await.expect("the node listens");
            stream.write_all(b"PRI * HTT").await.expect("it is taken");
            silent.push(stream);
        }
    }
    let pages = get(&listen.http.to_string(), "/healthz").await.expect("the port answers");
    assert!(pages.ends_with("ok\n"), "{pages}");
    count(&raw::leader(&cluster).await).await.expect("clients are served");
    assert!(connections(&cluster, "peer").await <= 33 && connections(&cluster, "http").await <= 33);
    for mut stream in silent {
        let mut read = Vec::new();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(30), stream.read_to_end(&mut read)).await;
        drop(ended.expect("it is let go"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_asked_about_ever_new_addresses_keeps_none() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    // It speaks HTTP/2 and is no peer: nothing but whoever made a connection to it would end that.
    let client = cluster.settings(0).listen.client;
    let mut names = Vec::new();
    for _ in 0..8 {
        let name = Name::leading_to(client).await;
        keeper.cluster().add(name.address.to_string(), Rank::Voter).done().await.expect_err("it is no peer");
        assert!(name.made() > 0);
        names.push(name);
    }
    until("every connection has ended", async || names.iter().all(|name| name.open() == 0)).await;
}
