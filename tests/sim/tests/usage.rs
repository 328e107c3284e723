//! What cannot be run is said before anything runs.

use std::process::Command;

/// What the program says of arguments that it refuses.
fn refused(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_keeper-sim")).args(arguments).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{arguments:?} is not refused as a wrong use");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn seeds_that_are_none_are_refused() {
    for seeds in ["", "7..", "..7", "one", "0..1..2", "-1", "0...5", "99999999999999999999"] {
        let said = refused(&["--", seeds]);
        assert!(said.contains("neither a seed, as in `7`, nor a range"), "{seeds}: {said}");
    }
    for seeds in ["5..5", "7..3"] {
        assert!(refused(&[seeds]).contains("a range without seeds"), "{seeds}");
    }
}

#[test]
fn a_bug_that_nobody_knows_is_refused() {
    let said = refused(&["--planted", "no-such-bug"]);
    assert!(said.contains("there is no such bug; there are ack-before-sync, "), "{said}");
}

#[cfg(not(feature = "planted"))]
#[test]
fn a_bug_of_the_other_build_is_refused() {
    let said = refused(&["--planted", "stale-epoch"]);
    assert!(said.contains("`make planted` builds one"), "{said}");
}
