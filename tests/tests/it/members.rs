//! Who is a member: taken in, promoted, left out, replaced, while clients write.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keeper::settings::Settings;
use keeper_client_sdk::{Consistency, Edit, Error, Keeper, MembershipChanged, Rank, Registration, Role, SessionKey};
use keeper_tests::{InProcess, until};

/// Small, so that whoever joins needs a snapshot.
fn small(settings: &mut Settings) {
    settings.raft.snapshot_log_entries = Some(40);
    settings.raft.log_keep_entries = 10;
}

/// Publishes one document after another until told to stop; answers how many were acknowledged. Each has its own path,
/// so that none that was lost is covered by a later one.
async fn write(keeper: &Keeper, stop: &AtomicBool) -> usize {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        match keeper.configs().publish(Edit::put(format!("written/{written}.json"), "{}")).await {
            Ok(_) => written += 1,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    written
}

/// Everything acknowledged is there, on every node that runs.
async fn nothing_is_lost(cluster: &InProcess, keeper: &Keeper, written: usize) {
    assert!(written > 0, "nothing was written meanwhile");
    for n in 0..written {
        let document = keeper.configs().get(format!("written/{n}.json")).await.unwrap();
        assert!(document.is_some(), "document {n} of {written} was acknowledged and is lost");
    }
    cluster.converge().await;
}

async fn voters(keeper: &Keeper) -> BTreeSet<u64> {
    voters_if_led(keeper).await.expect("a leader")
}

pub(crate) fn done(node_id: u64) -> MembershipChanged {
    MembershipChanged { node_id, unchanged: false, pause: None }
}

fn reason(error: &Error) -> &str {
    let Error::Refused { reason, .. } = error else { panic!("not a refusal: {error}") };
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_from_one_node_to_five_and_shrinks_again_while_it_is_written_to() {
    let mut cluster = InProcess::start_with(1, small).await;
    let writer = cluster.keeper().await;
    let stop = AtomicBool::new(false);
    let changing = async {
        for _ in 0..4 {
            let at = cluster.spare().await;
            cluster.add(at, Rank::Voter).await;
        }
        let keeper = cluster.keeper().await;
        assert_eq!(voters(&keeper).await, BTreeSet::from([1, 2, 3, 4, 5]));
        // The one that leads among them.
        for node in [1, 5] {
            assert_eq!(keeper.cluster().remove(node).done().await.unwrap(), done(node));
        }
        assert_eq!(voters(&keeper).await, BTreeSet::from([2, 3, 4]));
        stop.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(write(&writer, &stop), changing);
    for node in [1, 5] {
        cluster.stop(node - 1).await;
    }
    let keeper = cluster.client(1).await;
    nothing_is_lost(&cluster, &keeper, written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_given_once_whoever_leaves_and_restarts() {
    let mut cluster = InProcess::start_with(3, small).await;
    let keeper = cluster.client(0).await;
    // A founder's number was never given, and is not given either.
    let leaving = if cluster.leader().await == 2 { 1 } else { 2 };
    cluster.stop(leaving).await;
    keeper.cluster().remove(leaving as u64 + 1).done().await.unwrap();
    let first = cluster.spare().await;
    assert_eq!(cluster.add(first, Rank::Learner).await, 4);
    keeper.cluster().remove(4).done().await.unwrap();
    cluster.stop(first).await;
    let again = keeper.cluster().remove(4).done().await.unwrap();
    assert!(again.unchanged, "it is no member any more");
    // The count is in a snapshot now, and the log before it is gone.
    for n in 0..60 {
        keeper.configs().publish(Edit::put(format!("{n}.json"), "{}")).await.unwrap();
    }
    for at in (0..3).filter(|at| *at != leaving) {
        cluster.stop(at).await;
    }
    for at in (0..3).filter(|at| *at != leaving) {
        cluster.restart(at).await;
    }
    cluster.leader().await;
    let second = cluster.spare().await;
    assert_eq!(cluster.add(second, Rank::Voter).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_lose_the_quorum_is_refused_by_name() {
    let mut cluster = InProcess::start(3).await;
    let leader = cluster.leader().await;
    let (silent, healthy) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.crash(silent);
    let keeper = cluster.client(leader).await;
    for change in [
        keeper.cluster().demote(healthy as u64 + 1),
        keeper.cluster().remove(healthy as u64 + 1),
        keeper.cluster().remove(leader as u64 + 1),
    ] {
        let refused = change.done().await.expect_err("two voters remain, and one of them is silent");
        assert_eq!(reason(&refused), "would-lose-quorum");
        let named = format!("node {} ({}) does not answer", silent + 1, cluster.peer_endpoint(silent));
        assert!(refused.to_string().contains(&named), "{refused}");
    }
    // While both others are silent nothing can be decided, not even that one of them is no member.
    cluster.crash(healthy);
    let refused = keeper.cluster().remove(silent as u64 + 1).done().await.expect_err("there is no majority");
    if let Error::Refused { reason, message, .. } = &refused {
        assert_eq!(reason, "no-majority");
        assert!(
            message.contains("nobody removed either: nodes ") && message.contains("bring one of them back"),
            "{message}"
        );
    }
    assert!(!refused.to_string().contains("or remove it first"), "{refused}");
    cluster.restart(healthy).await;
    cluster.leader().await;
    // The silent one can go, and with it the trouble.
    assert_eq!(keeper.cluster().remove(silent as u64 + 1).done().await.unwrap(), done(silent as u64 + 1));
    assert_eq!(keeper.cluster().demote(healthy as u64 + 1).done().await.unwrap(), done(healthy as u64 + 1));
    let last = keeper.cluster().remove(leader as u64 + 1).done().await.expect_err("the last voter");
    assert_eq!(reason(&last), "last-voter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_replaced_and_a_dead_learner_is_not_promoted() {
    let mut cluster = InProcess::start(3).await;
    let leader = cluster.leader().await;
    let dead = (leader + 1) % 3;
    cluster.crash(dead);
    let keeper = cluster.client(leader).await;
    let spare = cluster.spare().await;
    let replacing = keeper.cluster().replace(dead as u64 + 1, cluster.peer_endpoint(spare)).done();
    let (replaced, ()) = tokio::join!(replacing, cluster.renumber(spare));
    assert_eq!(replaced.unwrap(), done(4));
    assert!(voters(&keeper).await.contains(&4) && !voters(&keeper).await.contains(&(dead as u64 + 1)));
    let learner = cluster.spare().await;
    let number = cluster.add(learner, Rank::Learner).await;
    cluster.crash(learner);
    let refused = keeper.cluster().promote(number).done().await.expect_err("it is silent");
    assert_eq!(reason(&refused), "stalled");
    assert!(refused.to_string().contains("does not answer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_is_repeated_changes_nothing() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let old = cluster.spare().await;
    assert_eq!(cluster.add(old, Rank::Learner).await, 4);
    let spare = cluster.spare().await;
    let endpoint = cluster.peer_endpoint(spare);
    let replacing = keeper.cluster().replace(4, endpoint.clone()).done();
    let (replaced, ()) = tokio::join!(replacing, cluster.renumber(spare));
    assert_eq!(replaced.unwrap(), done(5));
    let again = keeper.cluster().replace(4, endpoint).done().await.unwrap();
    assert_eq!(again, MembershipChanged { unchanged: true, ..done(5) });
    assert_eq!(voters(&keeper).await, BTreeSet::from([1, 2, 3]), "the place of a learner has no vote");
    // A voter in the place of another one would be a voter less.
    let refused = keeper.cluster().replace(2, cluster.peer_endpoint(2)).done().await.expect_err("node 3 votes already");
    assert_eq!(reason(&refused), "votes-already");
    assert_eq!(voters(&keeper).await, BTreeSet::from([1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_directory_does_not_start_at_another_address() {
    // The membership is in the log, then in a snapshot alone.
    for entries in [1, 60] {
        let mut cluster = InProcess::start_with(3, small).await;
        let keeper = cluster.keeper().await;
        for n in 0..entries {
            keeper.configs().publish(Edit::put(format!("{n}.json"), "{}")).await.unwrap();
        }
        let (follower, spare) = (cluster.follower().await, cluster.spare().await);
        cluster.stop(spare).await;
        cluster.stop(follower).await;
        let (home, elsewhere) = (cluster.settings(follower).listen, cluster.settings(spare).listen);
        cluster.change(follower, |settings| settings.listen = elsewhere);
        let refused = cluster.try_start(follower).await.expect_err("the others do not reach it there");
        let number = follower + 1;
        let said = format!("this is the data of node {number}, which the cluster reaches at {};", home.peer);
        assert!(refused.contains(&said), "{refused}");
        cluster.change(follower, |settings| settings.listen = home);
        cluster.restart(follower).await;
        cluster.converge().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_directories_that_were_swapped_are_named_with_where_each_belongs() {
    let mut cluster = InProcess::start(3).await;
    cluster.converge().await;
    let homes = [0, 1].map(|at| cluster.settings(at).listen);
    for at in [0, 1] {
        cluster.stop(at).await;
        cluster.change(at, |settings| settings.listen = homes[1 - at]);
    }
    for at in [0, 1] {
        let (node, other) = (at + 1, 2 - at);
        let refused = cluster.try_start(at).await.expect_err("the others do not reach it there");
        let (own, here) = (homes[at].peer, homes[1 - at].peer);
        let told = format!(
            "this is the data of node {node}, which the cluster reaches at {own}; this node says that it is reached at \
             {here} (its setting advertise.peer, or else listen.peer), where the cluster reaches node {other}"
        );
        assert!(refused.contains(&told), "{refused}");
        assert!(refused.contains(&format!("Bring this one to where node {node} is, and that of node {other} here")));
        assert!(!refused.contains("keeper forget"), "two of three set aside would be the end of it: {refused}");
    }
    for at in [0, 1] {
        cluster.change(at, |settings| settings.listen = homes[at]);
        cluster.restart(at).await;
    }
    cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_that_was_cut_off_goes_on() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let spare = cluster.spare().await;
    let endpoint = cluster.peer_endpoint(spare);
    // Its number is all it gets before the caller goes away.
    let mut adding = keeper.cluster().add(endpoint.clone(), Rank::Voter);
    assert!(matches!(adding.step().await.unwrap(), keeper_client_sdk::MembershipStep::Numbered(4)));
    drop(adding);
    cluster.renumber(spare).await;
    // Empty as it still is, it is given another one: none is given twice.
    let adding = keeper.cluster().add(endpoint.clone(), Rank::Learner).done();
    let (added, ()) = tokio::join!(adding, cluster.renumber(spare));
    assert_eq!(added.unwrap(), done(5));
    // What is a learner goes on as one.
    assert_eq!(keeper.cluster().add(endpoint.clone(), Rank::Voter).done().await.unwrap(), done(5));
    let again = keeper.cluster().add(endpoint, Rank::Voter).done().await.unwrap();
    assert_eq!(again, MembershipChanged { unchanged: true, ..done(5) });
    assert_eq!(voters(&keeper).await, BTreeSet::from([1, 2, 3, 5]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_join_is_told_why() {
    let mut cluster = InProcess::start(1).await;
    let other = InProcess::start_with(1, |settings| settings.cluster = "other".to_owned()).await;
    let same_name = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let refused =
        async |endpoint: String| keeper.cluster().add(endpoint, Rank::Voter).done().await.expect_err("it cannot join");
    let nobody = refused("127.0.0.1:1".to_owned()).await;
    assert_eq!(reason(&nobody), "unreachable");
    assert!(
        nobody.to_string().ends_with("the node at 127.0.0.1:1 cannot be reached: Connection refused (os error 111)")
    );
    let foreign = refused(other.peer_endpoint(0)).await;
    assert!(foreign.to_string().contains("belongs to cluster `other`"), "{foreign}");
    let taken = refused(same_name.peer_endpoint(0)).await;
    assert_eq!(reason(&taken), "has-data");
    let spare = cluster.spare().await;
    let client = cluster.settings(spare).listen.client;
    let no_peer = refused(client.to_string()).await;
    assert_eq!(reason(&no_peer), "unreachable");
    assert!(no_peer.to_string().contains("what listens there is no peer listener of a node"), "{no_peer}");
    let malformed = refused("http://a:1".to_owned()).await;
    assert_eq!(reason(&malformed), "invalid");
    cluster.stop(spare).await;
    cluster.change(spare, |settings| settings.upgrade.level_max = Some(1));
    cluster.restart(spare).await;
    let held = refused(cluster.peer_endpoint(spare)).await;
    assert_eq!(reason(&held), "too-old");
    assert!(held.to_string().contains("reads feature levels up to 1, and the cluster is at 3: remove"), "{held}");
    assert_eq!(cluster.id(spare), 0, "it was given no number");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_change_at_a_time() {
    let mut cluster = InProcess::start(3).await;
    let leader = cluster.leader().await;
    let keeper = cluster.client(leader).await;
    let spare = cluster.spare().await;
    cluster.add(spare, Rank::Learner).await;
    cluster.crash(spare);
    // The first admin waits for a learner that does not come.
    let mut waiting = keeper.cluster().promote(4);
    waiting.step().await.unwrap();
    let second = keeper.cluster().demote((leader as u64 + 1) % 3 + 1).done().await.expect_err("the turn is taken");
    assert_eq!(reason(&second), "changing");
    assert!(second.to_string().contains("node 4 is being promoted"), "{second}");
    drop(waiting);
    until("the turn is free again", async || keeper.cluster().remove(4).done().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over_under_load() {
    let cluster = InProcess::start(3).await;
    let writer = cluster.keeper().await;
    let keeper = cluster.keeper().await;
    let stop = AtomicBool::new(false);
    let changing = async {
        for _ in 0..3 {
            let before = cluster.leader().await;
            let to = (before as u64 + 1) % 3 + 1;
            let changed = keeper.cluster().transfer_leader(Some(to)).done().await.unwrap();
            assert_eq!(changed.node_id, to);
            let pause = changed.pause.expect("it was handed over");
            assert!(pause < Duration::from_secs(5), "{pause:?}");
            assert_eq!(cluster.leader().await as u64 + 1, to);
        }
        let leader = cluster.leader().await as u64 + 1;
        let best = keeper.cluster().transfer_leader(None).done().await.unwrap();
        assert_ne!(best.node_id, leader);
        stop.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(write(&writer, &stop), changing);
    nothing_is_lost(&cluster, &keeper, written).await;
}

/// Waits until a member's place has been taken by the node at the same address.
pub(crate) async fn taken_in_anew(cluster: &mut InProcess, at: usize, former: u64) -> u64 {
    cluster.renumber(at).await;
    let keeper = cluster.keeper().await;
    let new = cluster.id(at);
    until("the new one votes and the former one is forgotten", async || {
        let voters = voters_if_led(&keeper).await.unwrap_or_default();
        voters.contains(&new) && !voters.contains(&former)
    })
    .await;
    new
}

pub(crate) async fn voters_if_led(keeper: &Keeper) -> Option<BTreeSet<u64>> {
    let told = keeper.cluster().status().await;
    let leading = told.into_iter().filter_map(|(_, status)| status.ok()).find(|it| it.leader_id == Some(it.node_id))?;
    Some(leading.members.into_iter().filter(|member| member.voter).map(|member| member.node_id).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_disk_gets_a_new_number_by_itself_while_it_is_written_to() {
    let mut cluster = InProcess::start_with(3, small).await;
    let writer = cluster.keeper().await;
    let stop = AtomicBool::new(false);
    let changing = async {
        let leader = cluster.leader().await;
        let wiped = (leader + 1) % 3;
        cluster.crash(wiped);
        cluster.wipe(wiped).await;
        cluster.restart(wiped).await;
        assert_eq!(taken_in_anew(&mut cluster, wiped, wiped as u64 + 1).await, 4);
        // It has its number for good, whatever its settings say.
        cluster.crash(wiped);
        cluster.restart(wiped).await;
        assert_eq!(cluster.id(wiped), 4);
        stop.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(write(&writer, &stop), changing);
    let keeper = cluster.keeper().await;
    nothing_is_lost(&cluster, &keeper, written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_serves_watches_and_reads() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let spare = cluster.spare().await;
    let number = cluster.add(spare, Rank::Learner).await;
    let told = cluster.status(spare).await;
    assert_eq!((told.role, told.node_id), (Role::Learner, number));
    let near = cluster.client(spare).await;
    let mut watch = near.configs().watch(["app/"]);
    assert!(watch.next().await.unwrap().unwrap().reset);
    let room = keeper.instance("room", "a").open().await.unwrap();
    let user = SessionKey::of_user("ada").unwrap();
    room.sessions().register(Registration::new(user.clone())).await.unwrap();
    let published = keeper.configs().publish(Edit::put("app/a.json", "{}")).await.unwrap();
    let told = watch.next().await.unwrap().unwrap();
    assert_eq!(told.documents.iter().map(|it| it.revision).collect::<Vec<_>>(), [published.revision]);
    assert!(near.lookup().session(&user).await.unwrap().found.is_some(), "a linearizable lookup sees it");
    let local = near.lookup().consistency(Consistency::Local);
    until("the learner has it too", async || local.session(&user).await.unwrap().found.is_some()).await;
}

/// What it could not write may be there or not: it refused, and went on.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_keep_the_number_it_is_given_ends() {
    let mut cluster = InProcess::start(1).await;
    let spare = cluster.spare().await;
    let keeper = cluster.keeper().await;
    let data_dir = cluster.settings(spare).data_dir.clone();
    std::fs::rename(&data_dir, data_dir.with_extension("gone")).unwrap();
    let ctl = keeper.cluster();
    let added = ctl.add(cluster.peer_endpoint(spare), Rank::Learner).done();
    let ended = tokio::select! {
        ended = cluster.node(spare).stopped() => ended.to_string(),
        added = added => panic!("it goes on: {added:?}"),
    };
    assert!(ended.contains("identity") && ended.contains("cannot be written"), "{ended}");
}
