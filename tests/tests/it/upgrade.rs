//! One build as two releases: nodes are held at the level before, rolled to the newest, and raised.

use std::cell::Cell;
use std::collections::BTreeMap;

use keeper::batch::Batch;
use keeper_client_sdk::{Edit, Keeper, Rank, Registration, SessionKey};
use keeper_registry::{Command, Level, LogTime, RaiseLevel};
use keeper_tests::{InProcess, until};

use crate::ctl::{Ctl, words};
use crate::members::taken_in_anew;

/// As the first release.
const BEFORE: Option<u32> = Some(1);

/// As the release before.
const SECOND: Option<u32> = Some(2);

fn user(n: usize) -> SessionKey {
    SessionKey::of_user(format!("user-{n}")).unwrap()
}

/// Writes that are acknowledged while nodes come and go.
#[derive(Default)]
struct Load {
    written: Cell<usize>,
    done: Cell<bool>,
}

impl Load {
    /// Every write succeeds: what a node that stops does not answer, the library asks of another one.
    async fn run(&self, keeper: &Keeper) -> BTreeMap<usize, u64> {
        let instance = keeper.instance("room", "busy").open().await.unwrap();
        let mut acknowledged = BTreeMap::new();
        while !self.done.get() {
            let n = self.written.get();
            instance.sessions().register(Registration::new(user(n)).connection(n.to_string())).await.unwrap();
            let published = keeper.configs().publish(Edit::put(format!("busy/{n}.json"), n.to_string())).await.unwrap();
            acknowledged.insert(n, published.revision);
            self.written.set(n + 1);
        }
        // Its sessions are to be looked up: the lease ends with the cluster.
        std::mem::forget(instance);
        acknowledged
    }

    /// The cluster as it is now takes writes.
    async fn goes_on(&self) {
        let enough = self.written.get() + 20;
        until("writes go on", async || self.written.get() >= enough).await;
    }
}

async fn refusal(cluster: &InProcess) -> String {
    cluster.keeper().await.cluster().upgrade("ann").await.unwrap_err().to_string()
}

async fn replace(cluster: &mut InProcess, at: usize, level_max: Option<u32>) {
    cluster.stop(at).await;
    cluster.change(at, |settings| settings.upgrade.level_max = level_max);
    cluster.restart(at).await;
    cluster.leader().await;
}

async fn levels(cluster: &InProcess) -> Vec<(u32, u32)> {
    let mut seen = Vec::new();
    for at in 0..cluster.size() {
        let status = cluster.status(at).await;
        seen.push((status.level, status.level_max));
    }
    seen
}

async fn roll(cluster: &mut InProcess, load: &Load, from: u32) {
    assert_eq!(levels(cluster).await, [(from, from); 3]);
    load.goes_on().await;
    replace(cluster, 0, None).await;
    load.goes_on().await;
    let refused = refusal(cluster).await;
    let held =
        format!("node 2 is held at level {from} by its setting upgrade.level_max; node 3 is held at level {from}");
    assert!(refused.contains(&held) && refused.contains("feature level 3 needs keeper 0.3.0 or newer"), "{refused}");
    // The first one is taken back, and nothing is lost by it: the level was not raised.
    replace(cluster, 0, Some(from)).await;
    load.goes_on().await;
    for at in 0..3 {
        replace(cluster, at, None).await;
        load.goes_on().await;
    }
    assert_eq!(levels(cluster).await, [(from, 3); 3]);
    cluster.stop(2).await;
    let refused = refusal(cluster).await;
    assert!(refused.contains("node 3 at") && refused.contains("start it, or remove it"), "{refused}");
    cluster.restart(2).await;
    cluster.leader().await;
    let raised = cluster.keeper().await.cluster().upgrade("ann").await.unwrap();
    assert_eq!((raised.from, raised.to, raised.needs.as_str()), (from, 3, "0.3.0"));
    until("every node is at the new level", async || levels(cluster).await == [(3, 3); 3]).await;
    load.goes_on().await;
    load.done.set(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_rolled_and_raised_under_load_without_losing_a_write() {
    rolled_and_raised(SECOND).await;
}

/// Whoever passed over a release ends both upgrades by one command.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_the_first_release_is_rolled_and_raised_as_well() {
    rolled_and_raised(BEFORE).await;
}

async fn rolled_and_raised(before: Option<u32>) {
    let from = before.expect("a level");
    let mut cluster = InProcess::start_with(3, |settings| settings.upgrade.level_max = before).await;
    let keeper = cluster.keeper().await;
    let load = Load::default();
    let (acknowledged, ()) = tokio::join!(load.run(&keeper), roll(&mut cluster, &load, from));

    cluster.converge().await;
    for at in 0..3 {
        cluster.node(at).replica().read(|state| {
            for (n, revision) in &acknowledged {
                let document = state.config(&format!("busy/{n}.json")).expect("an acknowledged document");
                assert_eq!((&document.text[..], document.revision.0), (n.to_string().as_bytes(), *revision));
                let session = state.session(format!("user-{n}").as_bytes(), b"").expect("an acknowledged session");
                assert_eq!(session.connection(), n.to_string().as_bytes());
            }
        });
    }
    let again = keeper.cluster().upgrade("bob").await.unwrap();
    assert_eq!((again.from, again.to), (3, 3), "it was raised once");

    cluster.stop(1).await;
    cluster.change(1, |settings| settings.upgrade.level_max = before);
    let refused = cluster.try_start(1).await.unwrap_err();
    let expected = format!(
        "the data directory cannot be used: the cluster is at feature level 3, and upgrade.level_max holds this node at \
         {from}: remove the setting"
    );
    assert_eq!(refused, expected);
    let identity = std::fs::read_to_string(cluster.settings(1).data_dir.join("identity")).unwrap();
    assert!(identity.starts_with("keeper data directory\nformat 2\nneeds 0.3.0\nlevel 3\n"), "{identity}");
    cluster.change(1, |settings| settings.upgrade.level_max = None);
    cluster.restart(1).await;
    cluster.converge().await;
}

/// It was told that it would be taken in anew within seconds, and was not.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_lost_before_the_upgrade_is_ended_waits_for_that_and_is_told_so() {
    let mut cluster = InProcess::start_with(3, |settings| settings.upgrade.level_max = BEFORE).await;
    for at in 0..3 {
        replace(&mut cluster, at, None).await;
    }
    let (at, keeper) = (cluster.follower().await, cluster.keeper().await);
    cluster.crash(at);
    cluster.wipe(at).await;
    cluster.restart(at).await;
    let expected = format!(
        "node {} ({}) is a member and has no data: it is taken in anew once the cluster is at feature level 2: run keeper \
         0.2.0 or newer on every node, then `keeperctl cluster upgrade`",
        at + 1,
        cluster.endpoint(at).trim_start_matches("http://")
    );
    let ctl = Ctl::of(&cluster);
    until("the status says what it waits for", async || {
        words(&ctl.run(&["cluster", "status"]).await).contains(&expected)
    })
    .await;
    assert_eq!(keeper.cluster().upgrade("ann").await.unwrap().to, Level::NEWEST.0);
    assert_eq!(taken_in_anew(&mut cluster, at, at as u64 + 1).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_of_a_level_it_does_not_know_stops_before_it_applies_it() {
    let mut cluster = InProcess::start_with(3, |settings| settings.upgrade.level_max = BEFORE).await;
    let behind = cluster.follower().await;
    for at in (0..3).filter(|at| *at != behind) {
        replace(&mut cluster, at, None).await;
    }
    let leader = loop {
        let leader = cluster.leader().await;
        if leader != behind {
            break leader;
        }
        cluster.stop(behind).await;
        cluster.leader().await;
        cluster.restart(behind).await;
    };
    // As if that node had been replaced between the question and the entry.
    let to = Level::NAMED;
    let raise = Command::RaiseLevel(RaiseLevel { to, needs: "0.2.0".to_owned(), author: String::new() });
    let proposed = cluster.node(leader).raft().propose(Batch::new(LogTime(1), vec![raise])).await.unwrap();
    let failure = tokio::time::timeout(keeper_tests::WAIT_MAX, cluster.node(behind).stopped()).await.unwrap();
    let revision = proposed.revision;
    let expected = format!(
        "log entry {revision} is not applied: the cluster is at feature level 2, and upgrade.level_max holds this \
         node at 1: remove the setting"
    );
    assert!(failure.reason.contains(&expected), "{failure}");
    assert!(cluster.node(behind).replica().applied().0 < revision);
    cluster.crash(behind);
    // Started again it says the same, and not that its data is to be set aside: nothing is wrong with that.
    let refused = cluster.try_start(behind).await.expect_err("it is still held back");
    assert!(refused.ends_with("upgrade.level_max holds this node at 1: remove the setting"), "{refused}");
    // The newer binary takes up where it stopped.
    cluster.change(behind, |settings| settings.upgrade.level_max = None);
    cluster.restart(behind).await;
    until("every node is at the new level", async || levels(&cluster).await == [(2, 3); 3]).await;
    cluster.converge().await;
}

/// The first release cannot read that a number was given. But a dead member can be left out, or it would hold the
/// cluster back for ever.
#[tokio::test(flavor = "multi_thread")]
async fn members_come_with_the_level_that_counts_them_and_leave_before() {
    let mut cluster = InProcess::start_with(3, |settings| settings.upgrade.level_max = BEFORE).await;
    for at in 0..3 {
        replace(&mut cluster, at, None).await;
    }
    let (keeper, leaving) = (cluster.keeper().await, cluster.follower().await);
    let spare = cluster.spare().await;
    let add = |rank| keeper.cluster().add(cluster.peer_endpoint(spare), rank).done();
    let refused = add(Rank::Voter).await.unwrap_err().to_string();
    let expected = "this comes with feature level 2, and the cluster is at 1: once every node runs keeper 0.2.0 or newer, \
                    `keeperctl cluster upgrade` raises it";
    assert!(refused.contains(expected), "{refused}");
    cluster.stop(leaving).await;
    let refused = keeper.cluster().upgrade("ann").await.unwrap_err().to_string();
    assert!(refused.contains("start it, or remove it"), "{refused}");
    keeper.cluster().remove(leaving as u64 + 1).done().await.unwrap();
    keeper.cluster().upgrade("ann").await.unwrap();
    assert_eq!(cluster.add(spare, Rank::Voter).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cluster_begins_at_the_newest_level_that_all_its_members_read() {
    let newest = InProcess::start(3).await;
    until("every node is at the newest level", async || levels(&newest).await == [(3, 3); 3]).await;
    let mixed = InProcess::start_with(3, |settings| {
        settings.upgrade.level_max = (settings.node_id == Some(2)).then_some(1);
    })
    .await;
    assert_eq!(levels(&mixed).await, [(1, 3), (1, 1), (1, 3)]);
}
