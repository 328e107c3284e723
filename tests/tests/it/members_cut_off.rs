//! Changes of the membership that are cut off half-way: whoever leads next completes them.

use std::collections::BTreeSet;
use std::time::Duration;

use keeper::raft::{Member, MemberChange, MemberStatus};
use keeper_client_sdk::{Edit, Error, Rank, Role};
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

/// A node whose disk was lost was taken in anew as number 4, and that disk is lost as well; before it was, the members
/// had come to have these votes.
async fn lost_twice(cluster: &mut InProcess, at: usize, voters: Option<BTreeSet<u64>>) {
    let leader = cluster.leader().await;
    cluster.crash(at);
    let (peer_endpoint, client_endpoint) = (cluster.peer_endpoint(at), cluster.endpoint(at));
    let half_taken = MemberChange::Learner(4, Member { peer_endpoint, client_endpoint, disk_id: 4_711 });
    let raft = cluster.node(leader).raft().clone();
    for change in [Some(half_taken), voters.map(MemberChange::Voters)].into_iter().flatten() {
        raft.change_members(change, raft.status().membership).await.unwrap();
    }
    cluster.wipe(at).await;
    cluster.restart(at).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_lost_twice_is_taken_in_anew() {
    for is_promoted in [false, true] {
        let mut cluster = InProcess::start(3).await;
        let lost = cluster.follower().await;
        let former = lost as u64 + 1;
        let others: BTreeSet<u64> = (1..=3).filter(|id| *id != former).collect();
        let promoted: BTreeSet<u64> = others.iter().copied().chain([4]).collect();
        lost_twice(&mut cluster, lost, is_promoted.then_some(promoted)).await;
        let voter = if is_promoted { 4 } else { former };
        assert_eq!(taken_in_anew(&mut cluster, lost, voter).await, 5);
        let leader = cluster.leader().await;
        until("nothing is left of either disk", async || {
            let members = cluster.node(leader).raft().status().members;
            members.into_keys().eq(others.iter().copied().chain([5]))
        })
        .await;
        cluster.converge().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_lost_twice_is_replaced_by_the_command_that_the_refusal_names() {
    let mut cluster = InProcess::start_with(3, |settings| settings.raft.replace_wiped = false).await;
    let lost = cluster.follower().await;
    let former = lost as u64 + 1;
    lost_twice(&mut cluster, lost, None).await;
    let keeper = cluster.keeper().await;
    let endpoint = cluster.peer_endpoint(lost);
    let named = format!("keeperctl cluster replace {former} {endpoint}`");
    let (added, half) = (keeper.cluster().add(endpoint.clone(), Rank::Voter), keeper.cluster().replace(4, &endpoint));
    for change in [added, half] {
        let refused = change.done().await.expect_err("the one with a vote is to be replaced");
        assert!(matches!(&refused, Error::Refused { reason, .. } if reason == "address-taken"), "{refused}");
        assert!(refused.to_string().contains(&named), "{refused}");
    }
    let replacing = keeper.cluster().replace(former, endpoint).done();
    let (replaced, ()) = tokio::join!(replacing, cluster.renumber(lost));
    assert_eq!(replaced.unwrap(), done(5));
    assert!(!cluster.node(lost).raft().status().members.contains_key(&4), "its disk is lost, and it had no vote");
    cluster.converge().await;
}

/// A node whose disk was lost, and whose replacement by hand was cut off once it was a learner, as number 4.
async fn half_replaced(cluster: &mut InProcess) -> usize {
    let (lost, leader) = (cluster.follower().await, cluster.leader().await);
    cluster.crash(lost);
    cluster.wipe(lost).await;
    cluster.restart(lost).await;
    let (peer_endpoint, client_endpoint) = (cluster.peer_endpoint(lost), cluster.endpoint(lost));
    let raft = cluster.node(leader).raft().clone();
    let empty = raft.meet(&peer_endpoint).await.unwrap();
    raft.adopt(&empty, 4).await.unwrap();
    cluster.renumber(lost).await;
    let disk_id = raft.meet(&peer_endpoint).await.unwrap().disk_id;
    let learner = MemberChange::Learner(4, Member { peer_endpoint, client_endpoint, disk_id });
    raft.change_members(learner, raft.status().membership).await.unwrap();
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn no_second_vote_is_given_to_one_address() {
    let mut cluster = InProcess::start_with(3, |settings| settings.raft.replace_wiped = false).await;
    let lost = half_replaced(&mut cluster).await;
    let former = lost as u64 + 1;
    let healthy = 6 - former - (cluster.leader().await as u64 + 1);
    let (keeper, endpoint) = (cluster.keeper().await, cluster.peer_endpoint(lost));
    let ctl = keeper.cluster();
    let wrong = [ctl.replace(healthy, &endpoint), ctl.promote(4), ctl.add(&endpoint, Rank::Voter)];
    let named = format!("keeperctl cluster replace {former} {endpoint}`");
    for change in wrong {
        let refused = change.done().await.expect_err("the vote at this address is to be handed on");
        assert!(matches!(&refused, Error::Refused { reason, .. } if reason == "address-taken"), "{refused}");
        assert!(refused.to_string().contains(&named), "{refused}");
    }
    assert_eq!(voters_if_led(&keeper).await, Some(BTreeSet::from([1, 2, 3])), "nobody was left out");
    assert!(keeper.cluster().add(&endpoint, Rank::Learner).done().await.unwrap().unchanged, "it is a learner");
    assert_eq!(keeper.cluster().replace(former, endpoint).done().await.unwrap(), done(4));
    cluster.converge().await;
}
