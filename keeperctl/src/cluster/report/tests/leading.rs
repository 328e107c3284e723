//! Who leads, and what keeps anybody from leading.

use super::*;

#[test]
fn a_leader_of_an_older_term_leads_nobody() {
    let newer = NodeStatus { term: 4, ..status(2, Role::Candidate) };
    let expected = "no node leads: the voters that answer may be choosing one";
    assert_eq!(problem(vec![status(1, Role::Leader), newer]), expected);
}

#[test]
fn of_two_leaders_of_a_term_the_one_of_the_higher_number_leads() {
    for nodes in [[1, 2], [2, 1]] {
        let claims = nodes.map(|node| status(node, Role::Leader));
        assert_eq!(survey(claims.to_vec(), &[]).leader().map(|it| it.node_id), Some(2));
    }
}

#[test]
fn a_leader_without_its_majority_leads_nobody_and_names_who_is_silent() {
    let mut alone = NodeStatus { leader_id: None, ..status(1, Role::NoQuorum) };
    alone.members[1].is_silent = true;
    alone.members[2].is_silent = true;
    let expected = "no node leads: node 1 was elected, and 2 of 3 voters do not answer it: node 2 (10.0.0.2:7400), \
                    node 3 (10.0.0.3:7400)";
    assert_eq!(problems(vec![alone.clone()], &[2, 3]), [expected.to_owned(), dead(2), dead(3)]);
    // The others may answer here, and not there.
    let follower = |node| NodeStatus { leader_id: None, ..status(node, Role::Follower) };
    assert_eq!(problems(vec![alone, follower(2), follower(3)], &[]), [expected]);
}

#[test]
fn followers_without_a_leader_name_who_is_silent() {
    let alone = NodeStatus { leader_id: None, ..status(3, Role::Follower) };
    let expected = "no node leads: 2 of 3 voters do not answer: node 1 (10.0.0.1:7400), node 2 (10.0.0.2:7400)";
    assert_eq!(problems(vec![alone], &[1, 2]), [expected.to_owned(), dead(1), dead(2)]);
}

#[test]
fn a_leader_that_is_heard_by_the_others_only_leads() {
    let deaf = NodeStatus { leader_id: None, ..status(3, Role::Follower) };
    let expected = "node 1 leads, by the word of node 2, and does not answer at 10.0.0.1:7400";
    assert_eq!(problems(vec![status(2, Role::Follower), deaf], &[1]), [expected.to_owned(), dead(1)]);
    let both = vec![status(2, Role::Follower), status(3, Role::Follower)];
    let expected = "node 1 leads, by the word of nodes 2, 3, and does not answer at 10.0.0.1:7400";
    assert_eq!(problems(both, &[1]), [expected.to_owned(), dead(1)]);
    // Who follows a leader of an older term says nothing of now.
    let newer = NodeStatus { term: 4, leader_id: None, ..status(3, Role::Candidate) };
    let found = problems(vec![status(2, Role::Follower), newer], &[1]);
    assert_eq!(found, ["no node leads: the voters that answer may be choosing one".to_owned(), dead(1)]);
}

#[test]
fn a_member_that_the_leader_does_not_reach_is_a_problem() {
    let mut leader = status(1, Role::Leader);
    leader.members[2].is_silent = true;
    let deaf = NodeStatus { leader_id: None, ..status(2, Role::Follower) };
    let repair = "repair the network between its peer port and that of node 1";
    let expected = [
        format!("node 2 (10.0.0.2:7400) hears no leader: {repair}"),
        format!("node 3 (10.0.0.3:7400) is not heard by the leader: {repair}"),
    ];
    assert_eq!(problems(vec![leader, deaf, status(3, Role::Follower)], &[]), expected);
}

#[test]
fn a_member_that_took_back_what_it_acknowledged_is_not_blamed_on_the_network() {
    let mut leader = status(1, Role::Leader);
    (leader.members[1].is_silent, leader.members[1].took_back) = (true, true);
    let expected = "node 2 (10.0.0.2:7400) lacks entries that it had acknowledged, and is sent nothing any more: its \
                    directory was put back from an older copy, or lost its log. Stop it, set its data aside with \
                    `keeper forget --config FILE` on its machine, and start it: it is taken in anew";
    assert_eq!(problems(vec![leader.clone(), status(2, Role::Follower), status(3, Role::Follower)], &[]), [expected]);
    assert_eq!(problems(vec![leader, status(3, Role::Follower)], &[2]), [expected.to_owned(), dead(2)]);
}

#[test]
fn nobody_is_told_to_set_aside_what_a_majority_needs() {
    let found = |role, silent: &[usize], took_back: &[usize]| {
        let mut leader = status(1, role);
        for at in silent.iter().chain(took_back) {
            leader.members[*at].is_silent = true;
        }
        for at in took_back {
            leader.members[*at].took_back = true;
        }
        problems(vec![leader, status(2, Role::Follower), status(3, Role::Follower)], &[])
    };
    let both = found(Role::NoQuorum, &[], &[1, 2]);
    let expected = "no node leads: node 1 was elected, and has no majority that can commit anything: node 2 (10.0.0.2:7400) \
                    lacks what it had acknowledged, node 3 (10.0.0.3:7400) lacks what it had acknowledged";
    assert_eq!(both[0], expected);
    let one = found(Role::NoQuorum, &[2], &[1]);
    assert!(one[0].ends_with("acknowledged, node 3 (10.0.0.3:7400) does not answer it"), "{one:?}");
    // Also of a leader that does not know that it can commit nothing.
    for told in [both, one, found(Role::Leader, &[], &[1, 2])].concat() {
        assert!(!told.contains("keeper forget"), "{told}");
    }
    let expected = "set its data aside with `keeper forget --config FILE` on its machine";
    assert!(found(Role::Leader, &[], &[1])[0].contains(expected));

    // Nor before the leader has noticed that it can commit nothing.
    let mut leader = status(1, Role::Leader);
    (leader.members[1].is_silent, leader.members[1].took_back) = (true, true);
    for told in [
        problems(vec![leader.clone(), status(2, Role::Follower)], &[3]),
        problems(vec![leader, status(2, Role::Follower), emptied(3, 3)], &[]),
    ] {
        assert!(told.iter().all(|problem| !problem.contains("keeper forget")), "{told:?}");
    }
}
