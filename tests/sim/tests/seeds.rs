//! A few seeds on every change: the long form is `make sim`.

use std::path::Path;

use keeper_sim::runner::{Plan, Rounds, run};

/// Runs at once: these tests share the machine with others.
const PARALLEL: usize = 2;

fn plan(seeds: std::ops::Range<u64>, rounds: Rounds) -> Plan<'static> {
    let program = Path::new(env!("CARGO_BIN_EXE_keeper-sim"));
    Plan { program, seeds, parallel: PARALLEL, rounds, planted: None, results: None }
}

#[test]
fn seeds_are_clean() {
    let mut told = Vec::new();
    let outcome = run(&plan(0..6, Rounds::Once), |line| told.push(line.to_owned())).expect("seeds are run");
    assert_eq!(outcome.failed, 0, "\n{}", told.join("\n"));
}

#[test]
fn a_seed_run_twice_gives_the_same_bytes() {
    let mut told = Vec::new();
    let outcome = run(&plan(6..8, Rounds::Twice), |line| told.push(line.to_owned())).expect("seeds are run");
    assert_eq!(outcome.failed, 0, "\n{}", told.join("\n"));
}
