//! What is said of members without data, as processes say it.

use std::fs;
use std::process::{Command, Output};

use keeper_tests::{Processes, binary, until};

use crate::ctl::{Ctl, words};

fn log(cluster: &Processes, at: usize) -> String {
    fs::read_to_string(cluster.log(at)).expect("a log")
}

/// Whether any node's log says so.
fn is_logged(cluster: &Processes, what: &str) -> bool {
    (0..3).any(|at| log(cluster, at).contains(what))
}

async fn is_told(cluster: &Processes, what: &str) -> bool {
    let status = Ctl::at(cluster.endpoints().into_iter()).run(&["cluster", "status"]).await;
    status.status.code() == Some(1) && words(&status).contains(what)
}

/// At the second loss the settings name a number that is nobody's any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_lost_twice_is_told_alike_with_the_command_that_mends_it() {
    let mut cluster = Processes::start(3).await;
    for at in 0..3 {
        cluster.kill(at);
        cluster.write_settings(at, "raft.replace_wiped = false");
        cluster.launch(at);
    }
    let at = (cluster.leader().await + 1) % 3;
    let peer = cluster.listen(at).peer.to_string();
    for number in [at as u64 + 1, 4] {
        cluster.kill(at);
        cluster.wipe(at);
        cluster.launch(at);
        let command = format!("`keeperctl cluster replace {number} {peer}` takes it in anew");
        let told = format!("node {number} ({}) is a member and has no data: {command}", cluster.listen(at).client);
        until("the status names it", async || is_told(&cluster, &told).await).await;
        let logged = format!("in the place of this member: raft.replace_wiped is off, {command}");
        until("the leader's log names it", async || is_logged(&cluster, &logged)).await;
        let number = number.to_string();
        let replaced = Ctl::at(cluster.endpoints().into_iter()).run(&["cluster", "replace", &number, &peer]).await;
        assert!(replaced.status.success(), "{}", words(&replaced));
    }
    let own = log(&cluster, at);
    let foreign = format!("the message is for node 4; this is node {}", at + 1);
    assert!(own.contains(&format!("{foreign}, which has no data: ")), "{own}");
    assert!(!own.contains(&format!("{foreign}: ")), "{own}");
    until("the last word of a start is told", async || {
        let own = log(&cluster, at);
        own.rsplit("starting anew under this number").next().is_some_and(|since| since.contains("the node runs"))
    })
    .await;
}

fn forget(cluster: &Processes, at: usize, more: &[&str]) -> Output {
    let mut command = Command::new(binary("keeper"));
    command.args(["forget", "--config"]).arg(cluster.settings(at)).args(more).output().expect("keeper runs")
}

/// A start refused it, and said to set neither aside; this did.
#[tokio::test(flavor = "multi_thread")]
async fn the_data_of_another_member_is_not_set_aside() {
    let mut cluster = Processes::start(3).await;
    for at in 0..3 {
        cluster.kill(at);
    }
    let (one, other) = (cluster.data(0), cluster.data(1));
    let third = one.with_extension("away");
    fs::rename(&one, &third).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&third, &other).unwrap();
    for (at, node) in [(0, 2), (1, 1)] {
        let refused = forget(&cluster, at, &[]);
        assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
        let (known, here) = (cluster.listen(node - 1).peer, cluster.listen(at).peer);
        let expected = format!(
            "this is the data of node {node}, which the cluster reaches at {known}; at {here} it reaches node {}: the data \
             directories, or disks, of the two were swapped. Bring them back; set neither aside",
            at + 1
        );
        assert!(words(&refused).contains(&expected), "{}", words(&refused));
        assert!(cluster.data(at).join("identity").exists(), "nothing was moved");
    }
    assert!(forget(&cluster, 0, &["--misplaced"]).status.success(), "whoever insists knows better");
    // What is where it belongs is set aside without a question, and the third node was never elsewhere.
    assert!(forget(&cluster, 2, &[]).status.success());
}
