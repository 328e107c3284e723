//! What a node without data is not founded with.

use std::collections::BTreeMap;

use keeper::raft::{InitializeRefused, Member};
use keeper_tests::{InProcess, until};

use crate::ctl::{Ctl, words};
use crate::replicas::page;

/// Tries to found a cluster of some nodes through one of them.
async fn found(cluster: &InProcess, by: usize, nodes: &[usize]) -> Result<(), InitializeRefused> {
    let member = |at: &usize| {
        let peer_endpoint = cluster.peer_endpoint(*at);
        (*at as u64 + 1, Member { peer_endpoint, client_endpoint: cluster.endpoint(*at), disk_id: 0 })
    };
    let members: BTreeMap<_, _> = nodes.iter().map(member).collect();
    cluster.node(by).raft().initialize(members).await
}

/// What an operator is told who asks these nodes alone.
async fn alone(cluster: &InProcess, nodes: &[usize]) -> String {
    let status = Ctl::at(nodes.iter().map(|at| cluster.endpoint(*at))).run(&["cluster", "status"]).await;
    assert_eq!(status.status.code(), Some(1), "{}", words(&status));
    words(&status)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_without_data_found_no_second_cluster_while_their_own_runs() {
    let mut cluster = InProcess::start(3).await;
    let left = cluster.leader().await;
    let wiped = [(left + 1) % 3, (left + 2) % 3];
    // Both at once: one alone would be taken in anew.
    for at in wiped {
        cluster.crash(at);
    }
    for at in wiped {
        cluster.wipe(at).await;
        cluster.restart(at).await;
    }
    for at in wiped {
        until("the cluster says that it runs", async || cluster.node(at).raft().is_expected()).await;
        let node = at as u64 + 1;
        assert_eq!(found(&cluster, at, &wiped).await, Err(InitializeRefused::MemberExpected { node }));
        assert!(page(&cluster, at, "/readyz").contains("its cluster expects a member here: it waits until a leader"));
    }
    let told = alone(&cluster, &wiped).await;
    let expected = "has no data, and its cluster expects a member there: a leader with a majority takes it in anew; ask the \
                    nodes that have data, by `--endpoints`, how that is, and do not run `keeper init`";
    assert!(told.contains(expected), "{told}");
    let told = alone(&cluster, &[left]).await;
    let expected = "2 of 3 voters have no data: put their directories back, or begin with a backup (docs/operations.md, \
                    \"Backup and restore\")";
    assert!(told.contains("error: no node leads: ") && told.contains(expected), "{told}");
    assert!(!told.contains("within seconds"), "nobody leads: {told}");

    // Each member is asked what it was told, not only the one that founds.
    cluster.crash(left);
    let [by, other] = wiped;
    cluster.stop(by).await;
    cluster.restart(by).await;
    assert!(page(&cluster, by, "/readyz").contains("this node waits to be founded"));
    // It knows nothing, and is told of both: it cannot tell which of them it is.
    let told = alone(&cluster, &[by]).await;
    assert!(
        told.contains("knows of no cluster: a new one is founded with `keeper init`, and never where one"),
        "{told}"
    );
    let expected = format!("`keeperctl cluster add {}`, or if this was a member, wait", cluster.peer_endpoint(by));
    assert!(told.contains(&expected), "{told}");
    let refused = found(&cluster, by, &wiped).await;
    assert_eq!(refused, Err(InitializeRefused::MemberExpected { node: other as u64 + 1 }));

    // With the last of the former nodes stopped, nothing is left that could be harmed.
    cluster.stop(other).await;
    cluster.restart(other).await;
    assert_eq!(found(&cluster, by, &wiped).await, Ok(()));
}
