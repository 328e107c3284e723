//! Members whose data is gone, and nodes that have none yet.

use super::*;

/// A node without data at the place of a member; its settings name a number.
pub(super) fn emptied(place: u64, node_id: u64) -> NodeStatus {
    let members = Vec::new();
    NodeStatus { leader_id: None, node_id, level: 1, members, ..status(place, Role::Uninitialized) }
}

#[test]
fn a_cluster_that_never_began_says_how_to_begin() {
    let fresh = NodeStatus { term: 0, members: Vec::new(), ..status(1, Role::Uninitialized) };
    let expected = "10.0.0.1:7400 has no data and knows of no cluster: a new one is founded with `keeper init`, and never \
                    where one is running; to join that, name its nodes with `--endpoints` and `keeperctl cluster add \
                    10.0.0.1:7401`, or if this was a member, wait until the leader takes it in anew";
    assert_eq!(problem(vec![fresh]), expected);
}

#[test]
fn a_node_without_data_whose_cluster_runs_is_not_sent_to_found_another() {
    let forgotten = NodeStatus { term: 0, is_expected: true, members: Vec::new(), ..status(2, Role::Uninitialized) };
    let expected = "10.0.0.2:7400 has no data, and its cluster expects a member there: a leader with a majority takes it \
                    in anew; ask the nodes that have data, by `--endpoints`, how that is, and do not run `keeper init`";
    assert_eq!(problem(vec![forgotten]), expected);
}

#[test]
fn a_member_whose_disk_is_gone_is_a_problem() {
    let empty = NodeStatus { leader_id: None, members: Vec::new(), ..status(3, Role::Uninitialized) };
    // Nor is there anything to be repaired between it and a leader that does not hear it.
    let mut leader = status(1, Role::Leader);
    leader.members[2].is_silent = true;
    let found = problems(vec![leader, status(2, Role::Follower), empty], &[]);
    let expected = "node 3 (10.0.0.3:7400) is a member and has no data: it is taken in anew within seconds, or else by \
                    `keeperctl cluster replace 3 10.0.0.3:7401`";
    assert_eq!(found, [expected]);
}

#[test]
fn an_empty_node_of_the_first_release_in_the_place_of_a_member_is_named_with_what_to_do() {
    // It says neither where its peers reach it nor which directory it has.
    let empty = NodeStatus {
        leader_id: None,
        members: Vec::new(),
        peer_endpoint: String::new(),
        disk_id: 0,
        version: "0.1.0".into(),
        ..status(3, Role::Uninitialized)
    };
    let found = problems(vec![status(1, Role::Leader), status(2, Role::Follower), empty], &[]);
    let expected = "node 3 (10.0.0.3:7400) is a member and has no data: it runs keeper 0.1.0, which cannot be taken in \
                    anew: run a newer one there";
    assert_eq!(found, [expected]);
}

#[test]
fn too_many_that_were_forgotten_are_named_with_the_way_back() {
    let mut alone = NodeStatus { leader_id: None, ..status(1, Role::NoQuorum) };
    alone.members[1].is_silent = true;
    alone.members[2].is_silent = true;
    let empty =
        |node_id| NodeStatus { leader_id: None, node_id, members: Vec::new(), ..status(3, Role::Uninitialized) };
    let found = problems(vec![alone.clone(), empty(3), NodeStatus { disk_id: 2, ..empty(2) }], &[]);
    let expected = "no node leads: node 1 was elected, and 2 of 3 voters have no data: put their directories back, or begin \
                    with a backup (docs/operations.md, \"Backup and restore\")";
    assert_eq!(found[0], expected);
    let expected = "node 3 (10.0.0.3:7400) is a member and has no data: only a leader can take it in anew: if its data was \
                    set aside by `keeper forget`, put it back";
    assert_eq!(found.last().map(String::as_str), Some(expected));
    // One that was not told its number waits for one.
    let mut survey = survey(vec![alone], &[2]);
    survey.hear(endpoint(3), Ok(empty(0)));
    let found = Status::of(&survey).problems;
    let expected = "no node leads: node 1 was elected, and 1 of 3 voters do not answer it, and 1 has no data: node 2 \
                    (10.0.0.2:7400), node 3 (10.0.0.3:7400)";
    assert_eq!(found[0], expected);
    let expected = "node 3 (10.0.0.3:7400) is a member and has no data: only a leader can take it in anew: if its data was \
                    set aside by `keeper forget`, put it back";
    assert_eq!(found.last().map(String::as_str), Some(expected));
}

/// The survivor said that the voters which answer may be choosing a leader.
#[test]
fn a_majority_without_data_is_told_where_nobody_was_elected() {
    let alone = NodeStatus { leader_id: None, ..status(1, Role::Candidate) };
    let found = problems(vec![alone, emptied(2, 2), emptied(3, 3)], &[]);
    let expected = "no node leads: 2 of 3 voters have no data: put their directories back, or begin with a backup \
                    (docs/operations.md, \"Backup and restore\")";
    assert_eq!(found[0], expected);
    assert!(found.iter().all(|problem| !problem.contains("within seconds")), "{found:?}");
}

/// It said that they are taken in anew within seconds, until the leader had noticed.
#[test]
fn a_leader_that_has_not_noticed_that_its_majority_is_without_data_takes_nobody_in() {
    let found = problems(vec![status(1, Role::Leader), emptied(2, 2), emptied(3, 3)], &[]);
    let expected = "no node leads: node 1 was elected, and 2 of 3 voters have no data: put their directories back, or \
                    begin with a backup (docs/operations.md, \"Backup and restore\")";
    assert_eq!(found[0], expected);
    assert!(found.iter().all(|problem| !problem.contains("within seconds")), "{found:?}");
    let found = problems(vec![status(1, Role::Leader), status(2, Role::Follower), emptied(3, 3)], &[]);
    assert!(found.len() == 1 && found[0].contains("within seconds"), "one of three is taken in: {found:?}");
}

/// Its settings name the number that it began with, and the cluster knows it by another.
#[test]
fn a_disk_that_is_lost_again_is_told_as_the_first_time() {
    let mut leader = status(1, Role::Leader);
    (leader.members[2].node_id, leader.members[2].is_silent) = (9, true);
    for number in [3, 0] {
        let mut survey = survey(vec![leader.clone(), status(2, Role::Follower)], &[]);
        survey.hear(endpoint(3), Ok(emptied(3, number)));
        let status = Status::of(&survey);
        let expected = "node 9 (10.0.0.3:7400) is a member and has no data: it is taken in anew within seconds, or else by \
                        `keeperctl cluster replace 9 10.0.0.3:7401`";
        assert_eq!(status.problems, [expected]);
        let row =
            "9     10.0.0.3:7400  uninitialized  3     118        118      -    0123456789abcdef  0.1.0    -      1000";
        assert!(status.table().lines().any(|line| line == row), "{}", status.table());
        assert_eq!(status.nodes.len(), 3, "it is one node");
    }
    // One that says it is another member, elsewhere, is taken for none.
    let mut survey = survey(vec![leader, status(2, Role::Follower)], &[]);
    survey.hear(endpoint(3), Ok(NodeStatus { disk_id: 7, ..emptied(3, 1) }));
    let found = Status::of(&survey).problems;
    let expected =
        "several nodes answer as node 1: at 10.0.0.1:7400 and at 10.0.0.3:7400; stop the one that is not meant";
    assert_eq!(found, [expected, "node 9 (10.0.0.3:7400) does not answer: a node without data is in its place"]);
}

#[test]
fn who_is_not_taken_in_anew_by_itself_is_told_with_what_does() {
    let told = |leader: NodeStatus| problems(vec![leader, status(2, Role::Follower), emptied(3, 3)], &[]);
    let left = told(NodeStatus { leaves_wiped: true, ..status(1, Role::Leader) });
    let expected = "node 3 (10.0.0.3:7400) is a member and has no data: `keeperctl cluster replace 3 10.0.0.3:7401` takes it \
                    in anew: raft.replace_wiped is off on node 1";
    assert_eq!(left, [expected]);
    let before = told(NodeStatus { level: 1, leaves_wiped: true, ..status(1, Role::Leader) });
    let expected = "node 3 (10.0.0.3:7400) is a member and has no data: it is taken in anew once the cluster is at feature \
                    level 2: run keeper 0.2.0 or newer on every node, then `keeperctl cluster upgrade`";
    assert_eq!(before, [expected]);
}
