//! Changes of the membership that are cut off half-way: whoever leads next completes them.

use std::collections::BTreeSet;
use std::time::Duration;

use keeper::raft::{MemberChange, MemberStatus};
use keeper_client_sdk::{Edit, Rank, Role};
use keeper_tests::{InProcess, until};

use crate::members::{done, taken_in_anew, voters_if_led};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_dies_in_the_middle_of_a_joint_change_has_it_completed() {
    let mut cluster = InProcess::start(3).await;
    let learner = cluster.spare().await;
    let number = cluster.add(learner, Rank::Learner).await;
    let leader = cluster.leader().await;
    let (witness, silent) = ((leader + 1) % 3, (leader + 2) % 3);
    // Two of the four voters to be: the joint entry is written, and cannot be committed.
    cluster.crash(silent);
    cluster.crash(learner);
    let raft = cluster.node(leader).raft().clone();
    let seen = raft.status().membership;
    {
        let voters = BTreeSet::from([1, 2, 3, number]);
        let changing = raft.change_members(MemberChange::Voters(voters), seen);
        let witnessed =
            until("a follower has the joint entry", async || cluster.node(witness).raft().status().changing);
        tokio::select! {
            ended = changing => panic!("two of four voters cannot commit it: {ended:?}"),
            () = witnessed => {}
        }
    }
    drop(raft);
    cluster.crash(leader);
    cluster.restart(silent).await;
    cluster.restart(learner).await;
    assert_eq!(cluster.leader().await, witness, "nobody else has the joint entry");
    until("the change is complete", async || !cluster.node(witness).raft().status().changing).await;
    let keeper = cluster.client(witness).await;
    assert_eq!(voters_if_led(&keeper).await, Some(BTreeSet::from([1, 2, 3, number])));
    cluster.restart(leader).await;
    keeper.configs().publish(Edit::put("a.json", "{}")).await.unwrap();
    cluster.leader().await;
    cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_of_a_wiped_disk_that_was_cut_off_goes_on_under_the_next_leader() {
    let mut cluster = InProcess::start(5).await;
    let leader = cluster.leader().await;
    let wiped = (leader + 1) % 5;
    cluster.crash(wiped);
    cluster.wipe(wiped).await;
    cluster.restart(wiped).await;
    // It has a number, which nobody but the dead leader waits for.
    let ended = cluster.node(wiped).stopped().await;
    assert!(ended.is_renumbering(), "{ended}");
    cluster.crash(leader);
    cluster.stop(wiped).await;
    cluster.restart(wiped).await;
    assert_eq!(cluster.id(wiped), 6);
    // Empty as it still is, it is given another one: none is given twice.
    assert_eq!(taken_in_anew(&mut cluster, wiped, wiped as u64 + 1).await, 7);
    cluster.restart(leader).await;
    cluster.leader().await;
    cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_disk_waits_for_an_admin_where_the_settings_say_so() {
    let mut cluster = InProcess::start_with(3, |settings| settings.raft.replace_wiped = false).await;
    let leader = cluster.leader().await;
    let wiped = (leader + 1) % 3;
    let former = wiped as u64 + 1;
    cluster.crash(wiped);
    cluster.wipe(wiped).await;
    cluster.restart(wiped).await;
    until("the leader has had time to take it in", async || {
        let members = cluster.node(leader).raft().status().members;
        let is_long = |member: &MemberStatus| member.heard_ago.is_none_or(|ago| ago > Duration::from_secs(5));
        members.get(&former).is_some_and(is_long)
    })
    .await;
    assert_eq!(cluster.status(wiped).await.role, Role::Uninitialized);
    let keeper = cluster.client(leader).await;
    assert_eq!(voters_if_led(&keeper).await, Some(BTreeSet::from([1, 2, 3])));
    let replacing = keeper.cluster().replace(former, cluster.peer_endpoint(wiped)).done();
    let (replaced, ()) = tokio::join!(replacing, cluster.renumber(wiped));
    assert_eq!(replaced.unwrap(), done(4));
    cluster.converge().await;
}
