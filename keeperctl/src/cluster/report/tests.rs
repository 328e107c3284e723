//! Clusters in good and bad state, as they are printed.

use keeper_client_sdk::{Disk, Divergence};

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
        disk: None,
        diverged: None,
    }
}

pub(in crate::cluster) fn status(node: u64, role: Role) -> NodeStatus {
    NodeStatus {
        cluster: "main".into(),
        node_id: node,
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
    }
}

pub(in crate::cluster) fn survey(answers: Vec<NodeStatus>, silent: &[u64]) -> Survey {
    let mut survey = Survey::default();
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
    assert_eq!(status.verdict(), Ok(()));
}

#[test]
fn nodes_as_json() {
    let expected = concat!(
        r#"{"cluster":"main","leader":1,"nodes":[{"node":1,"endpoint":"10.0.0.1:7400","role":"leader","voter":true,"#,
        r#""term":3,"committed":118,"applied":118,"lag":0,"snapshot":100,"state_id":"0000000000000abc","#,
        r#""state_hash":"0123456789abcdef","version":"0.1.0","level":2,"level_max":2,"sessions":1000,"instances":2,"configs":5,"#,
        r#""log_time":"2026-11-22T15:36:02.345Z","disk_free_bytes":5368709120,"disk_needed_bytes":67108864},"#,
        r#"{"node":3,"endpoint":"10.0.0.3:7400","role":"unreachable","voter":true}],"problems":[]}"#,
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
    assert_eq!(Status::of(&survey).nodes.len(), 1);
}

#[test]
fn a_leader_of_an_older_term_leads_nobody() {
    let newer = NodeStatus { term: 4, ..status(2, Role::Candidate) };
    assert_eq!(problem(vec![status(1, Role::Leader), newer]), "no node leads");
}

#[test]
fn of_two_leaders_of_a_term_the_one_of_the_higher_number_leads() {
    for nodes in [[1, 2], [2, 1]] {
        let claims = nodes.map(|node| status(node, Role::Leader));
        assert_eq!(leader(&claims.iter().collect::<Vec<_>>()), Some(2));
    }
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
    let told: Vec<_> = shortages(&answers).collect();
    assert_eq!(
        told,
        ["node 2 has 40 MiB of disk free and needs 64 MiB, and a quarter more before it takes new data again"]
    );
    assert_eq!(Status::of(&answers).verdict(), Ok(()));
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
fn a_cluster_that_never_began_says_how_to_begin() {
    let fresh = NodeStatus { term: 0, members: Vec::new(), ..status(1, Role::Uninitialized) };
    assert_eq!(problem(vec![fresh]), "the cluster is not initialized: run `keeper init`");
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
