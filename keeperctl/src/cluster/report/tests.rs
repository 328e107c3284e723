//! Clusters in good and bad state, as they are printed.

mod leading;
mod without_data;

use keeper_client_sdk::{Disk, Divergence};
use without_data::emptied;

use super::*;
use crate::failure::Kind;

fn endpoint(node: u64) -> Endpoint {
    Endpoint::parse(&format!("10.0.0.{node}:7400")).expect("host and port")
}

fn member(node: u64) -> Member {
    Member {
        node_id: node,
        voter: node < 4,
        peer_endpoint: format!("10.0.0.{node}:7401"),
        client_endpoint: endpoint(node).to_string(),
        matched_index: None,
        last_heard_ms: None,
        is_silent: false,
        took_back: false,
        disk: None,
        diverged: None,
    }
}

pub(in crate::cluster) fn status(node: u64, role: Role) -> NodeStatus {
    NodeStatus {
        cluster: "main".into(),
        node_id: node,
        is_expected: false,
        leaves_wiped: false,
        log_behind_ms: 0,
        leader_id: Some(1),
        term: 3,
        role,
        last_log_index: 120,
        committed_index: 118,
        applied_index: 118,
        snapshot_index: 100,
        purged_index: 90,
        state_id: 0xabc,
        version: "0.1.0".into(),
        members: (1..=3).map(member).collect(),
        sessions: 1_000,
        instances: 2,
        configs: 5,
        state_hash: 0x0123_4567_89ab_cdef,
        log_time_ms: 1_795_361_762_345,
        disk: Some(Disk { free_bytes: 5 << 30, needed_bytes: 64 << 20, is_short: false }),
        diverged: None,
        level: 2,
        level_max: 2,
        peer_endpoint: format!("10.0.0.{node}:7401"),
        disk_id: node,
    }
}

pub(in crate::cluster) fn survey(answers: Vec<NodeStatus>, silent: &[u64]) -> Survey {
    let named: Vec<_> = answers.iter().map(|it| it.node_id).chain(silent.iter().copied()).map(endpoint).collect();
    let mut survey = Survey::of(&named);
    for status in answers {
        survey.hear(endpoint(status.node_id), Ok(status));
    }
    for node in silent {
        survey.hear(endpoint(*node), Err("connection refused".into()));
    }
    survey
}

fn problem(answers: Vec<NodeStatus>) -> String {
    Status::of(&survey(answers, &[])).verdict().expect_err("a problem").message
}

/// What is wrong with a cluster of three of which some answer and the others are dead.
fn problems(answers: Vec<NodeStatus>, silent: &[u64]) -> Vec<String> {
    Status::of(&survey(answers, silent)).problems
}

fn dead(node: u64) -> String {
    format!("node {node} (10.0.0.{node}:7400) does not answer: connection refused")
}

#[test]
fn nodes_in_columns() {
    let behind = NodeStatus { applied_index: 110, state_hash: 7, level: 1, ..status(2, Role::Follower) };
    let status = Status::of(&survey(vec![behind, status(1, Role::Leader)], &[3]));
    let expected = "\
NODE  ENDPOINT       ROLE         TERM  COMMITTED  APPLIED  LAG  STATE HASH        VERSION  LEVEL   SESSIONS
1     10.0.0.1:7400  leader       3     118        118      0    0123456789abcdef  0.1.0    2       1000
2     10.0.0.2:7400  follower     3     118        110      8    0000000000000007  0.1.0    1 of 2  1000
3     10.0.0.3:7400  unreachable  -     -          -        -    -                 -        -       -
";
    assert_eq!(status.table(), expected);
    assert_eq!(status.verdict(), Err(Failure::refused(dead(3))));
}

#[test]
fn nodes_as_json() {
    let expected = concat!(
        r#"{"cluster":"main","leader":1,"nodes":[{"node":1,"endpoint":"10.0.0.1:7400","role":"leader","voter":true,"#,
        r#""term":3,"committed":118,"applied":118,"lag":0,"snapshot":100,"state_id":"0000000000000abc","#,
        r#""state_hash":"0123456789abcdef","version":"0.1.0","level":2,"level_max":2,"sessions":1000,"instances":2,"configs":5,"#,
        r#""log_time":"2026-11-22T15:36:02.345Z","disk_free_bytes":5368709120,"disk_needed_bytes":67108864},"#,
        r#"{"node":2,"endpoint":"10.0.0.2:7400","role":"unreachable","voter":true},"#,
        r#"{"node":3,"endpoint":"10.0.0.3:7400","role":"unreachable","voter":true}],"#,
        r#""problems":["node 2 (10.0.0.2:7400) does not answer","#,
        r#""node 3 (10.0.0.3:7400) does not answer: connection refused"],"tips":[]}"#,
        "\n"
    );
    let status = Status::of(&survey(vec![status(1, Role::Leader)], &[3]));
    assert_eq!(render::json_line(&status), Ok(expected.to_owned()));
}

#[test]
fn members_that_were_not_named_are_asked() {
    let survey = survey(vec![status(1, Role::Leader)], &[3]);
    assert_eq!(survey.unasked(), [endpoint(2)]);
    assert_eq!(survey.silences().collect::<Vec<_>>(), ["10.0.0.3:7400 does not answer: connection refused"]);
}

#[test]
fn a_node_by_two_names_is_one_node() {
    let mut survey = survey(vec![status(1, Role::Leader)], &[]);
    survey.hear(Endpoint::parse("localhost:7400").expect("host and port"), Ok(status(1, Role::Leader)));
    let status = Status::of(&survey);
    assert_eq!(status.nodes.iter().filter(|node| node.node == Some(1)).count(), 1);
    assert!(status.problems.iter().all(|problem| !problem.contains("several")), "{:?}", status.problems);
}

#[test]
fn replicas_that_differ_are_a_problem() {
    let other = NodeStatus { state_hash: 7, ..status(2, Role::Follower) };
    let expected = "the states of nodes 1 and 2 differ at index 118: keep their data and report it";
    assert_eq!(problem(vec![status(1, Role::Leader), other]), expected);
}

#[test]
fn a_replica_that_was_proven_to_differ_is_named_with_its_cure() {
    let diverged = Some(Divergence { index: 64, found: 7, expected: 9 });
    let other = NodeStatus { diverged, state_hash: 7, ..status(2, Role::Follower) };
    let expected = "the state of node 2 differs from the majority's since entry 64 or before (0000000000000007, not \
                    0000000000000009): it is not read; keep its data and report it, then rebuild it with `keeper \
                    forget --config FILE` on its machine";
    assert_eq!(problem(vec![status(1, Role::Leader), other]), expected);
}

#[test]
fn a_replica_that_only_the_leader_knows_to_differ_is_named() {
    let mut leader = status(1, Role::Leader);
    leader.members[1].diverged = Some(Divergence { index: 64, found: 7, expected: 9 });
    assert!(problem(vec![leader]).starts_with("the state of node 2 differs from the leader's at entry 64 "));
}

#[test]
fn a_node_without_room_is_told() {
    let disk = Some(Disk { free_bytes: 40 << 20, needed_bytes: 64 << 20, is_short: true });
    let answers = survey(vec![status(1, Role::Leader), NodeStatus { disk, ..status(2, Role::Follower) }], &[]);
    let expected = "node 2 has 40 MiB of disk free and needs 64 MiB, and a quarter more before it takes new data again";
    assert_eq!(Status::of(&answers).problems, ["node 3 (10.0.0.3:7400) does not answer", expected]);
}

#[test]
fn other_clusters_are_a_problem() {
    let other = NodeStatus { cluster: "test".into(), state_id: 9, ..status(2, Role::Leader) };
    let expected = "the nodes belong to different clusters: 1 to main, 2 to test";
    assert_eq!(problem(vec![status(1, Role::Leader), other]), expected);
}

#[test]
fn other_histories_are_a_problem_under_the_same_name_too() {
    let unborn = NodeStatus { state_id: 0, ..status(2, Role::Follower) };
    let restored = NodeStatus { state_id: 9, ..status(3, Role::Leader) };
    let expected = "the nodes belong to different clusters: 1 to the history 0000000000000abc, 3 to 0000000000000009";
    assert_eq!(problem(vec![status(1, Role::Leader), unborn, restored]), expected);
}

#[test]
fn a_node_of_no_cluster_lags_nobody() {
    let fresh = NodeStatus { applied_index: 0, members: Vec::new(), ..status(2, Role::Uninitialized) };
    let table = Status::of(&survey(vec![status(1, Role::Leader), fresh], &[])).table();
    assert!(table.contains("uninitialized  3     118        0        -    "), "{table}");
}

#[test]
fn silence_is_a_failure_and_no_verdict() {
    let failure = Status::of(&survey(Vec::new(), &[1, 2])).verdict().expect_err("silence");
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::Unreachable, "no node answers"));
}

#[test]
fn every_member_has_a_row_and_nobody_else_is_called_one() {
    let mut leader = status(1, Role::Leader);
    leader.members.remove(1);
    let former = NodeStatus { applied_index: 200, ..status(2, Role::Follower) };
    let status = Status::of(&survey(vec![leader, former], &[]));
    let rows: Vec<_> = status.nodes.iter().map(|node| (node.node, node.role.as_str(), node.voter)).collect();
    let expected =
        [(Some(1), "leader", Some(true)), (Some(2), "no-member", None), (Some(3), "unreachable", Some(true))];
    assert_eq!(rows, expected);
    assert_eq!(status.nodes[1].told.as_ref().and_then(|told| told.lag), None, "nor does it lag anybody");
    assert_eq!(status.tips, ["node 2 (10.0.0.2:7400) is no member of the cluster: stop it, or add it again"]);
    assert_eq!(status.problems, ["node 3 (10.0.0.3:7400) does not answer"], "and whom it knew is not looked for");
}

#[test]
fn nodes_of_one_number_are_all_shown() {
    let mut survey = survey(vec![status(1, Role::Leader), status(2, Role::Follower), status(3, Role::Follower)], &[]);
    let other = NodeStatus { disk_id: 9, peer_endpoint: "10.0.0.9:7401".into(), ..status(2, Role::Follower) };
    survey.hear(endpoint(9), Ok(other));
    let status = Status::of(&survey);
    assert_eq!(status.nodes.iter().filter(|node| node.node == Some(2)).count(), 2);
    let expected =
        "several nodes answer as node 2: at 10.0.0.2:7400 and at 10.0.0.9:7400; stop the one that is not meant";
    assert_eq!(status.problems, [expected]);
}

#[test]
fn a_stranger_under_the_number_of_a_member_keeps_nobody_from_asking_the_member() {
    let stranger = NodeStatus { disk_id: 9, peer_endpoint: "10.0.0.9:7401".into(), ..status(2, Role::Follower) };
    let mut survey = survey(vec![status(1, Role::Leader)], &[3]);
    survey.hear(endpoint(9), Ok(stranger));
    assert_eq!(survey.unasked(), [endpoint(2)]);
}

#[test]
fn an_upgrade_is_no_tip_while_something_is_wrong() {
    let at = |node, role| NodeStatus { level: 1, ..status(node, role) };
    let sound = vec![at(1, Role::Leader), at(2, Role::Follower), at(3, Role::Follower)];
    assert_eq!(Status::of(&survey(sound.clone(), &[])).tips.len(), 1);
    assert_eq!(Status::of(&survey(sound[..2].to_vec(), &[3])).tips, [""; 0]);
    let fresh = NodeStatus { members: Vec::new(), ..emptied(1, 1) };
    let status = Status::of(&survey(vec![fresh], &[]));
    assert_eq!(status.tips, [""; 0]);
    assert!(status.table().contains("  -      1000\n"), "a node of no cluster has no level: {}", status.table());
}

#[test]
fn log_time_that_stood_still_is_told() {
    let of = |ms| {
        let leader = NodeStatus { log_behind_ms: ms, ..status(1, Role::Leader) };
        Status::of(&survey(vec![leader, status(2, Role::Follower), status(3, Role::Follower)], &[]))
    };
    let late = of(1_020_400);
    let expected = "log time is 17m behind the clock of node 1, because it stood still while no node ran, or that clock \
                    is ahead: what happens now is told that much too early, and a minute is made up in an hour and 40 \
                    minutes (docs/operations.md, \"Log time\")";
    assert_eq!((late.tips.as_slice(), late.verdict()), (&[expected.to_owned()][..], Ok(())));
    for ms in [5_000, 0, -60_000] {
        assert_eq!(of(ms).tips, [""; 0]);
    }
}
