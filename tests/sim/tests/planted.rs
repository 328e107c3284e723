//! The harness finds what is planted: each bug is found by the seed named here, on the day it breaks and not later.

use std::path::Path;

use keeper_sim::runner::{Plan, Rounds, run};

/// Runs at once: these tests share the machine with others.
const PARALLEL: usize = 2;

/// Bugs, and seeds among which one finds each. Which of them does may change with the daemon; that one does must not.
const PLANTED: [(&str, std::ops::Range<u64>); 3] =
    [("ack-before-sync", 3..12), ("vote-forgotten", 3..12), ("append-torn", 0..8)];

#[test]
fn every_planted_bug_is_found() {
    for (bug, seeds) in PLANTED {
        let program = Path::new(env!("CARGO_BIN_EXE_keeper-sim"));
        let plan = Plan { program, seeds, parallel: PARALLEL, rounds: Rounds::Once, planted: Some(bug), results: None };
        let mut told = Vec::new();
        run(&plan, |line| told.push(line.to_owned())).expect("seeds are run");
        let is_found = |line: &String| line.contains("FAILED") && !line.contains("vacuous");
        assert!(told.iter().any(is_found), "{bug} was not found:\n{}", told.join("\n"));
    }
}
