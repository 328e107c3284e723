//! What clients cost nodes in connections.

use futures_util::future::join_all;
use keeper_client_sdk::{Edit, EffectiveWatch, Keeper, Reader};
use keeper_tests::{InProcess, until};

use crate::replicas::page;

const FOLLOWERS: u64 = 10;

/// Open connections of clients to a node.
fn connections(cluster: &InProcess, at: usize) -> u64 {
    let page = page(cluster, at, "/metrics");
    let line = page.lines().find_map(|line| line.strip_prefix("keeper_connections{listener=\"client\"} "));
    line.expect("the node counts them").parse().expect("a number")
}

async fn follow(cluster: &InProcess, at: usize) -> (Keeper, EffectiveWatch) {
    let keeper = Keeper::builder().endpoint(cluster.endpoint(at)).build().unwrap();
    let mut watch = keeper.configs().follow(["a.json"], Reader::service("reader"));
    watch.next().await.unwrap().unwrap();
    (keeper, watch)
}

/// It had one to each node: it asked all of them who leads, and stayed.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_follows_has_one_and_goes_elsewhere_when_its_node_dies() {
    let mut cluster = InProcess::start(3).await;
    let at = cluster.leader().await;
    let others = [(at + 1) % 3, (at + 2) % 3];
    until("nobody is connected", async || (0..3).all(|node| connections(&cluster, node) == 0)).await;
    let mut followers = join_all((0..FOLLOWERS).map(|_| follow(&cluster, others[0]))).await;
    until("each is connected", async || connections(&cluster, others[0]) == FOLLOWERS).await;
    assert_eq!([connections(&cluster, at), connections(&cluster, others[1])], [0, 0], "they were asked who leads");

    cluster.crash(others[0]);
    let admin = cluster.client(at).await;
    admin.configs().publish(Edit::put("a.json", "{}")).await.unwrap();
    for (_, watch) in &mut followers {
        let changed = watch.next().await.unwrap().unwrap();
        assert_eq!(changed.documents.len(), 1, "{changed:?}");
    }
}
