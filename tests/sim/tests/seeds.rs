//! A few seeds on every change: the long form is `make sim`.

use std::path::Path;

use keeper_sim::runner::{Plan, Rounds, run};

/// Of the seeds below those that may prove too little. What happens in a run is another thing after every change of the
/// code, and in some runs hardly anything gets through the faults: such a one is no violation, and counts for nothing.
const VACUOUS_MAX: usize = 1;

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
    assert!(outcome.vacuous <= VACUOUS_MAX, "\n{}", told.join("\n"));
}

#[test]
fn a_seed_run_twice_gives_the_same_bytes() {
    let mut told = Vec::new();
    let outcome = run(&plan(6..8, Rounds::Twice), |line| told.push(line.to_owned())).expect("seeds are run");
    assert_eq!(outcome.failed, 0, "\n{}", told.join("\n"));
}
