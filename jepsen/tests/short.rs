//! The short form: real processes under faults, a few seconds each. What this machine cannot do is said, loudly, and
//! not taken for done.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

/// Of each run; with its end it takes twice as long.
const SECONDS: &str = "6";

const PROGRAM: &str = env!("CARGO_BIN_EXE_keeper-jepsen");

/// The daemon, built with the tests of the workspace.
fn keeper() -> PathBuf {
    let program = PathBuf::from(PROGRAM);
    let keeper = program.with_file_name("keeper");
    assert!(keeper.is_file(), "`keeper` is not built beside {PROGRAM}: run the tests with --workspace");
    keeper
}

/// Returns what it said.
fn run(workload: &str, network: &str, nemesis: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder for the history");
    let history = folder.path().join("history.jsonl");
    let output = Command::new(PROGRAM)
        .args(["run", "--workload", workload, "--network", network, "--nemesis", nemesis])
        .args(["--seconds", SECONDS, "--seed", "7", "--keeper"])
        .arg(keeper())
        .arg("--history")
        .arg(&history)
        .output()
        .expect("keeper-jepsen runs");
    let said = words(&output);
    if output.status.code() != Some(0) {
        // What explains it outlives the test.
        panic!("{workload} under {nemesis}: {}\n{said}\nkept in {}", output.status, folder.keep().display());
    }
    said
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}

/// One after another: they would only take time from each other.
#[test]
fn what_clients_saw_is_sound_while_processes_are_killed_and_paused() {
    for workload in ["register", "cas", "presence", "reflush"] {
        println!("{}", run(workload, "loopback", "kill,pause"));
    }
}

#[test]
fn what_clients_saw_is_sound_while_members_come_and_go() {
    println!("{}", run("register", "loopback", "membership,transfer"));
}

#[test]
fn what_clients_saw_is_sound_while_networks_and_disks_fail() {
    let probed = Command::new(PROGRAM).arg("probe").output().expect("keeper-jepsen runs");
    let said = words(&probed);
    let can = |what: &str| said.lines().any(|line| line == format!("can: {what}"));
    let routed = can("network namespaces and nft");
    if routed {
        println!("{}", run("watch", "routed", "kill,partition"));
    }
    let library = can("a library of faults inside the nodes");
    if library {
        println!("{}", run("scan", "loopback", "disk,clock"));
    }
    let images = can("file systems that lose power");
    if images {
        println!("{}", run("register", "loopback", "power"));
    }
    if !(routed && library && images) {
        println!("NOT RUN, because this machine cannot: {said}");
    }
}

#[test]
fn a_saved_history_is_judged_again() {
    let folder = tempfile::tempdir().expect("a folder for the history");
    let path = folder.path().join("lost.jsonl");
    let lines = [
        r#"{"process":0,"type":"invoke","f":"write","key":"k","value":{"number":1},"time":1}"#,
        r#"{"process":0,"type":"ok","f":"write","key":"k","value":{"revision":5},"time":2}"#,
        r#"{"process":1,"type":"invoke","f":"read","key":"k","value":null,"time":3}"#,
        r#"{"process":1,"type":"ok","f":"read","key":"k","value":{"revision":0,"number":null},"time":4}"#,
    ];
    std::fs::write(&path, lines.join("\n")).expect("a history is written");
    let judged = Command::new(PROGRAM).args(["check", "--workload", "cas"]).arg(&path).output().expect("it runs");
    let said = words(&judged);
    assert_eq!(judged.status.code(), Some(1), "{said}");
    assert!(said.contains("C3 (lines 2, 4)") && said.contains("C5 (lines 2, 4)"), "{said}");
    assert!(path.with_extension("html").is_file());
}
